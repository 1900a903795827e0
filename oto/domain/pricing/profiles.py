"""Named parameter sets of the trading loop, with units and origin."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum


class Strategy(Enum):
    CROSS = "cross"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a job prices, waits and exits. Basis points are of the price."""

    name: str
    strategy: Strategy
    cross_ticks: int
    """Least ticks through the opposite best price."""
    cross_bps: Decimal
    """Least basis points through it, where ticks are finer than what the market moves."""
    buy_within: timedelta
    """How long a BUY may rest before it is cancelled."""
    sell_within: timedelta
    """How long a triggered SELL may rest before the exits take over."""
    exit_rungs_bps: tuple[Decimal, ...]
    """How far below the bid each exit order goes."""
    exit_within: timedelta
    """How long an exit order may rest before the next rung."""
    most_spread_bps: Decimal
    zombie_bps: Decimal
    """How far the book may stand off the last trade."""
    stale_after: timedelta
    """How old the newest push of a symbol may be."""


_BPS = Decimal

# 2 ticks: with 1 tick a published trader's time-outs went from 8 to 21 and wear doubled. The basis
# points are ours: many Alpha ticks are so fine that 2 of them are nothing. The exits follow the
# ladder that traders publish (0 to 100 bps, 2 s each).
CROSS = Profile(
    name="cross",
    strategy=Strategy.CROSS,
    cross_ticks=2,
    cross_bps=_BPS(8),
    buy_within=timedelta(seconds=4),
    sell_within=timedelta(seconds=6),
    exit_rungs_bps=(_BPS(5), _BPS(10), _BPS(20), _BPS(50), _BPS(100)),
    exit_within=timedelta(seconds=2),
    most_spread_bps=_BPS(50),
    zombie_bps=_BPS(100),
    stale_after=timedelta(seconds=5),
)

PROFILES: Mapping[str, Profile] = {CROSS.name: CROSS}
