"""One running simulation: the exchange, its clock and its sockets."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from oto.simulator.exchange import Exchange
from oto.simulator.faults import INSTANT_FAULTS, Fault, FaultKind
from oto.simulator.hub import Hub
from oto.simulator.listings import Listing
from oto.simulator.playing import Player, Program
from oto.simulator.saved import Saved, restore
from oto.simulator.settings import Settings
from oto.simulator.settlement import Settlement
from oto.simulator.trading import Trading

STEPPED_START_MS = 1_767_225_600_000  # 2026-01-01: a stepped run does not depend on today

_MOST_EVENTS = 2_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate; with `stepped` the clock moves only when it is told to.

    With `saved` an exchange goes on from there, and its clock never behind that.
    """

    listings: Iterable[Listing]
    program: Program
    settings: Settings
    seed: int = 1
    stepped: bool = False
    start_ms: int | None = None
    saved: Saved | None = None


class Simulation:
    """Everything together; `catch_up` brings it to now and pushes what happened.

    Raises:
        BadTapeError: a tape cannot be played.
        BadStateError: what was saved cannot be carried on with this plan.
    """

    def __init__(self, plan: Plan) -> None:
        self.stepped = plan.stepped
        start_ms = plan.start_ms
        if start_ms is None:
            start_ms = STEPPED_START_MS if plan.stepped else wall_ms()
        if plan.saved is not None:
            start_ms = max(start_ms, plan.saved.exchange.now_ms)
        self._clock_shift_ms = start_ms - wall_ms()
        self.exchange = Exchange(plan.settings, seed=plan.seed, start_ms=start_ms)
        self.settlement = Settlement(self.exchange)
        self.trading = Trading(self.exchange, self.settlement)
        self.player = Player(self.exchange, self.settlement, plan.program)
        self.player.open(plan.listings)
        if plan.saved is not None:
            restore(plan.saved, self.exchange, self.settlement)
        self.hub = Hub(self.exchange)

    def catch_up(self) -> None:
        """Advance to the wall clock, unless stepped, and push what happened.

        Markets that are faster than this machine fall behind the wall clock, a bounded piece at a
        time, so that requests and signals are still heard.
        """
        now_ms = self.exchange.now_ms if self.stepped else wall_ms() + self._clock_shift_ms
        self.exchange.advance(now_ms, _MOST_EVENTS)
        self.hub.push()

    @property
    def behind_ms(self) -> int:
        """Return how far the exchange's clock is behind the wall's."""
        now_ms = self.exchange.now_ms if self.stepped else wall_ms() + self._clock_shift_ms
        return max(0, now_ms - self.exchange.now_ms)

    def step(self, ms: int) -> None:
        """Advance a stepped clock, pushing after every instant at which something happened."""
        end_ms = self.exchange.now_ms + ms
        while (due_ms := self.exchange.next_due_ms) is not None and due_ms <= end_ms:
            self.exchange.advance(due_ms)
            self.hub.push()
        self.exchange.advance(end_ms)
        self.hub.push()

    @property
    def sleep_s(self) -> float:
        """Return for how long nothing is due, in seconds, a tenth at most."""
        due_ms = self.exchange.next_due_ms
        if due_ms is None:
            return 0.1
        now_ms = wall_ms() + self._clock_shift_ms
        return min(100, max(1, due_ms - now_ms)) / 1000

    def switch_on(self, asked: dict[str, object]) -> Fault:
        """Switch a fault on; one that strikes once does so when its time comes.

        Raises:
            BadFaultError: it is no fault.
        """
        exchange = self.exchange
        fault = exchange.faults.switch_on(asked, exchange.now_ms)
        if fault.kind in INSTANT_FAULTS:
            exchange.at(fault.from_ms, lambda: self._happen(fault))
            self.catch_up()
        return fault

    def _happen(self, fault: Fault) -> None:
        if fault not in self.exchange.faults.active:
            return
        self.exchange.faults.switch_off(fault.fault_id)
        if fault.kind in {FaultKind.SWEPT_TO_EARN, FaultKind.LISTEN_KEY_EXPIRED}:
            self._happen_to_accounts(fault)
        else:
            self.hub.happen(fault)

    def _happen_to_accounts(self, fault: Fault) -> None:
        exchange = self.exchange
        for account in exchange.accounts.values():
            if not exchange.faults.hits(fault, "account", account.name, exchange.now_ms):
                continue
            detail = ""
            if fault.kind is FaultKind.SWEPT_TO_EARN:
                detail = f"{account.sweep_to_earn():f}"
            else:
                account.listen_key = ""
            exchange.faults.record(fault, "account", account.name, exchange.now_ms, detail)


def wall_ms() -> int:
    return time.time_ns() // 1_000_000
