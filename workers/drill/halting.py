"""Halts as part of a drill: raised as `oto halt` does, and held to what they promise."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oto.bootstrap import House
from oto.domain.halting import Scope
from oto.domain.market import Symbol
from oto.infrastructure.settings import Settings

_CLEAR_WITHIN_S = 15.0
_MOST_SLIP_BPS = 1_000
_MS = 1000


@dataclass(frozen=True, slots=True)
class Span:
    """One halt, in ms of Unix time: stands from the one until shortly before the other.

    Orders of the halt itself, which sells what is held, come until `done_ms`.
    """

    user: str | None
    symbol: str | None
    stood_ms: int
    done_ms: int
    lifted_ms: int
    flattened: bool
    flat: bool

    def forbids(self, post: Mapping[str, Any]) -> bool:
        """Tell whether a placement must not have arrived."""
        covered = self.user in {None, post["user"]} and self.symbol in {None, post["symbol"]}
        sells = self.flattened and post["endpoint"] == "place"
        since_ms = self.done_ms if sells else self.stood_ms
        return covered and since_ms < post["at_ms"] < self.lifted_ms


def arrived_after(
    spans: Iterable[Span], posts: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the placements that arrived although a halt stood before them."""
    spans = list(spans)
    return [post for post in posts if any(span.forbids(post) for span in spans)]


def hold(
    settings: Settings, *, user: str | None, symbol: str | None, flatten: bool, for_s: float
) -> tuple[Span, str]:
    """Halt, hold it, lift it; return what stood when, and what was left in the market.

    It has a house of its own, as the command has: nothing that is killed is needed.

    Raises:
        SQLAlchemyError: the database is away.
    """
    house = House(settings)
    try:
        of_user = house.users.named(user).user_id if user else None
        scope = Scope(of_user, Symbol(symbol) if symbol else None)
        halted = house.halt()
        fence = halted.raise_fence(scope, "the drill")
        try:
            stood_at = halted.wait_until_it_stands(scope, fence)
            slip = _MOST_SLIP_BPS if flatten else None
            left = halted.clear(house.halts.affected(scope), slip, _CLEAR_WITHIN_S)
            done_ms = _now_ms()
            time.sleep(for_s)
        finally:
            lifted_ms = _now_ms()
            house.halts.lift(scope)
    finally:
        house.close()
    stood_ms = int(stood_at.timestamp() * _MS)
    flat = all(one.flat for one in left)
    span = Span(user, symbol, stood_ms, done_ms, lifted_ms, flatten, flat)
    return span, "flat" if flat else "; ".join(sorted({one.why or "tokens" for one in left}))


def lift_all(house: House) -> None:
    house.halts.lift(None)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
