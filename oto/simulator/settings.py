"""How the simulated exchange behaves where the real one differs from day to day."""

from dataclasses import dataclass, field, replace
from enum import Enum

from oto.simulator.liquidity import BookShape


class PartialFillPolicy(Enum):
    """What a partly filled working leg means for its pending leg; nobody has captured it.

    Before any fill a cancel of the working leg ends both legs under every policy (captured).
    """

    PENDING_ON_FULL_FILL = "pending_on_full_fill"
    """Only a full fill activates; after a cancel the pending leg stays there, never active."""
    PENDING_ON_PARTIAL = "pending_on_partial"
    """Each fill activates its part; after a cancel the activated part stays live."""
    VOID_ON_CANCEL = "void_on_cancel"
    """Only a full fill activates; a cancel ends both legs and leaves the bought part."""


@dataclass(slots=True)
class Settings:
    """Changeable while running; times in ms of the exchange's clock.

    `match_delay_ms` and `report_delay_ms` are taken in turn, the last for ever: how long an order
    waits for the matching engine, and how long after its event a report is emitted.
    """

    partial_fill: PartialFillPolicy = PartialFillPolicy.PENDING_ON_FULL_FILL
    match_delay_ms: list[int] = field(default_factory=lambda: [0])
    report_delay_ms: list[int] = field(default_factory=lambda: [0])
    history_delay_ms: int = 0
    volume_lag_ms: int = 0
    fee_millionths: int = 100
    zombie_per_mille: int = 20
    crossed_per_mille: int = 20
    book: BookShape = field(default_factory=BookShape)

    @property
    def depth_usdt(self) -> int:
        return self.book.depth_usdt

    @depth_usdt.setter
    def depth_usdt(self, much: int) -> None:
        self.book = replace(self.book, depth_usdt=much)

    def next_match_delay(self) -> int:
        return _take_turn(self.match_delay_ms)

    def next_report_delay(self) -> int:
        return _take_turn(self.report_delay_ms)


def _take_turn(delays: list[int]) -> int:
    return delays.pop(0) if len(delays) > 1 else delays[0]
