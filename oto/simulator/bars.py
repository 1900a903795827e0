"""Candles and the last trades of one market, in bounded memory."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby, islice

from oto.domain import money
from oto.domain.money import Amount, Price, Quantity

_SECOND_MS, _MINUTE_MS, _DAY_MS = 1_000, 60_000, 86_400_000
_WEEK_SHIFT_MS = 4 * _DAY_MS  # Unix time began on a Thursday, weeks begin on a Monday

INTERVALS_MS = {
    "1s": _SECOND_MS,
    "15s": 15 * _SECOND_MS,
    **{f"{n}m": n * _MINUTE_MS for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": n * 60 * _MINUTE_MS for n in (1, 2, 4, 6, 8, 12)},
    "1d": _DAY_MS,
    "3d": 3 * _DAY_MS,
    "1w": 7 * _DAY_MS,
    "1M": 0,  # by the calendar
}


@dataclass(frozen=True, slots=True)
class MarketTrade:
    """One printed trade; here every trade is its own aggregate."""

    trade_id: int
    price: Price
    quantity: Quantity
    buyer_is_maker: bool
    at_ms: int


@dataclass(slots=True)
class Bar:
    """One candle; `taker_base` and `taker_quote` count taker BUYs."""

    opened_ms: int
    open: Price
    high: Price
    low: Price
    close: Price
    base: Decimal = Decimal(0)
    quote: Decimal = Decimal(0)
    taker_base: Decimal = Decimal(0)
    taker_quote: Decimal = Decimal(0)
    count: int = 0
    first_id: int = 0
    last_id: int = 0


class Bars:
    """An hour of 1 s candles and two days of 1 m candles; longer intervals are put together."""

    def __init__(self) -> None:
        self._seconds: deque[Bar] = deque(maxlen=3_600)
        self._minutes: deque[Bar] = deque(maxlen=2_880)
        self.trades: deque[MarketTrade] = deque(maxlen=1_000)
        # The day without its last minute, put together once a minute.
        self._day_of = (0, 0)
        self._day_before: Bar | None = None

    def add(self, trade: MarketTrade) -> None:
        self.trades.append(trade)
        for bars, length_ms in ((self._seconds, _SECOND_MS), (self._minutes, _MINUTE_MS)):
            opened_ms = trade.at_ms // length_ms * length_ms
            if not bars or bars[-1].opened_ms != opened_ms:
                price = trade.price
                bars.append(Bar(opened_ms, price, price, price, price, first_id=trade.trade_id))
            _count(bars[-1], trade)

    def klines(self, interval: str) -> Iterator[Bar]:
        """Yield the candles that are kept, oldest first."""
        bars = self._seconds if interval.endswith("s") else self._minutes
        for opened_ms, group in groupby(list(bars), lambda bar: opened(bar.opened_ms, interval)):
            yield _merged(opened_ms, group)

    def last_two(self, interval: str) -> list[Bar]:
        """Return the last candle and the one before it, oldest first, as far as there are any."""
        bars = self._seconds if interval.endswith("s") else self._minutes
        groups = groupby(reversed(bars), lambda bar: opened(bar.opened_ms, interval))
        last = [_merged(start, list(rows)[::-1]) for start, rows in islice(groups, 2)]
        return last[::-1]

    def day(self, now_ms: int) -> Bar | None:
        """Return the rolling 24 hours as one candle, or None without a trade."""
        if not self._minutes:
            return None
        minute = (now_ms // _MINUTE_MS, self._minutes[-1].opened_ms)
        if self._day_of != minute:
            closed_bars = islice(self._minutes, len(self._minutes) - 1)
            recent = [bar for bar in closed_bars if bar.opened_ms > now_ms - _DAY_MS]
            self._day_of = minute
            self._day_before = _merged(recent[0].opened_ms, recent) if recent else None
        parts = [self._day_before] if self._day_before else []
        if self._minutes[-1].opened_ms > now_ms - _DAY_MS:
            parts.append(self._minutes[-1])
        return _merged(parts[0].opened_ms, parts) if parts else None


def opened(at_ms: int, interval: str) -> int:
    """Return when the candle that holds a time opened, in ms."""
    if interval == "1M":
        day = datetime.fromtimestamp(at_ms // 1000, UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * 1000
    length_ms = INTERVALS_MS[interval]
    shift = _WEEK_SHIFT_MS if interval == "1w" else 0
    return (at_ms - shift) // length_ms * length_ms + shift


def closed(opened_ms: int, interval: str) -> int:
    """Return the last ms of the candle that opened then."""
    if interval == "1M":
        return opened(opened_ms + 32 * _DAY_MS, interval) - 1
    return opened_ms + INTERVALS_MS[interval] - 1


def _count(bar: Bar, trade: MarketTrade) -> None:
    quote = money.amount_floor(trade.price, trade.quantity, 8)
    bar.high, bar.low = max(bar.high, trade.price), min(bar.low, trade.price)
    bar.close = trade.price
    bar.base += trade.quantity
    bar.quote += quote
    if not trade.buyer_is_maker:
        bar.taker_base += trade.quantity
        bar.taker_quote += quote
    bar.count += 1
    bar.last_id = trade.trade_id


def _merged(opened_ms: int, bars: Iterable[Bar]) -> Bar:
    rows = list(bars)
    return Bar(
        opened_ms,
        rows[0].open,
        max(row.high for row in rows),
        min(row.low for row in rows),
        rows[-1].close,
        sum((row.base for row in rows), Decimal(0)),
        sum((row.quote for row in rows), Amount(Decimal(0))),
        sum((row.taker_base for row in rows), Decimal(0)),
        sum((row.taker_quote for row in rows), Decimal(0)),
        sum(row.count for row in rows),
        rows[0].first_id,
        rows[-1].last_id,
    )
