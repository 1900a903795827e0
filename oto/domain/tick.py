"""The latest that the market streams said of one symbol."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from oto.domain.market import BookLevel, Symbol
from oto.domain.money import Price


@dataclass(frozen=True, slots=True)
class Tick:
    """Last trade and best prices of one symbol, and when each reached us.

    `bid` and `ask` are None before the first book push, `trade_price` before the first trade.
    `connected` is False while the stream that brings them is down: then all of it is old news.
    `sequence` rises with each change that the price-streamer wrote.
    """

    symbol: Symbol
    sequence: int
    connected: bool
    received_at: datetime
    trade_price: Price | None = None
    traded_at: datetime | None = None
    bid: BookLevel | None = None
    ask: BookLevel | None = None
    book_changed_at: datetime | None = None

    def age(self, now: datetime) -> timedelta:
        """Return how long ago the last push about this symbol reached us."""
        return now - self.received_at
