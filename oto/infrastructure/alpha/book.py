"""A local copy of the published order book, which knows when it can no longer be right."""

import threading
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from oto.domain.market import BookDelta, BookLevel, BookSnapshot, BookTop, Symbol
from oto.domain.money import Price, Quantity

Levels: TypeAlias = tuple[tuple[BookLevel, ...], tuple[BookLevel, ...]]

MOST_BUFFERED = 1000
"""Deltas kept while a snapshot is fetched: eight minutes at 500 ms; dropping more is a gap."""


class LocalBook:
    """A snapshot carried forward by deltas (PROTOCOL §2.2).

    A snapshot of limited depth stays blind to the levels below it until they change.
    """

    def __init__(self, snapshot: BookSnapshot) -> None:
        self.symbol = snapshot.symbol
        self.update_id = snapshot.last_update_id
        self.changed_at = snapshot.taken_at
        self.needs_resync = False
        self._bridged = False
        self._bids = _Side(snapshot.bids)
        self._asks = _Side(snapshot.asks)

    def apply(self, delta: BookDelta) -> bool:
        """Carry the book forward; return False for a delta that it already contains.

        A gap sets `needs_resync` for good: only a new book from a new snapshot helps.

        Raises:
            ValueError: the delta is of another symbol.
        """
        if delta.symbol != self.symbol:
            raise ValueError(f"a delta of {delta.symbol} for the book of {self.symbol}")
        if self.needs_resync or self._contains(delta):
            return False
        if not self._continues(delta):
            self.needs_resync = True
            return False
        self._bids.change(delta.bids)
        self._asks.change(delta.asks)
        self._bridged = True
        self.update_id = delta.last_update_id
        self.changed_at = delta.changed_at
        return True

    def top(self) -> BookTop | None:
        """Return best bid and ask, None where a side is empty or a re-sync is needed."""
        bid, ask = self._bids.highest(), self._asks.lowest()
        if self.needs_resync or bid is None or ask is None:
            return None
        return BookTop(self.symbol, bid, ask, self.update_id, self.changed_at)

    def levels(self, most: int | None = None) -> Levels:
        """Return bids from high to low and asks from low to high, at most so many of each."""
        bids = islice(self._bids.from_high(), most)
        return tuple(bids), tuple(islice(self._asks.from_low(), most))

    @property
    def crossed(self) -> bool:
        """Tell whether a bid reaches an ask: a fact of this exchange, no best price (§1.3.4)."""
        top = self.top()
        return top is not None and top.crossed

    def _contains(self, delta: BookDelta) -> bool:
        # A delta that ends on the snapshot's very id is the first to apply, not the last to drop.
        behind = delta.last_update_id < self.update_id
        return behind or (self._bridged and delta.last_update_id == self.update_id)

    def _continues(self, delta: BookDelta) -> bool:
        if self._bridged:
            return delta.previous_update_id == self.update_id
        # U <= id <= u by the futures rule. Down to pu it is as safe, for levels are absolute and
        # nothing of this symbol changed between pu and U; a quiet symbol's snapshot lies there.
        return delta.previous_update_id <= self.update_id <= delta.last_update_id


class BookFeed:
    """Keep a symbol's LocalBook in sync: one thread takes deltas, any thread re-syncs.

    Call `take` for each delta, `sync` whenever `needs_snapshot`, `lost` when the stream broke.
    """

    def __init__(
        self,
        symbol: Symbol,
        fetch_snapshot: Callable[[], BookSnapshot],
        *,
        most_buffered: int = MOST_BUFFERED,
    ) -> None:
        self.symbol = symbol
        self._fetch_snapshot = fetch_snapshot
        self._lock = threading.Lock()
        self._recent: deque[BookDelta] = deque(maxlen=most_buffered)
        self._book: LocalBook | None = None
        self._stream = 0

    @property
    def needs_snapshot(self) -> bool:
        with self._lock:
            return self._book is None

    def take(self, delta: BookDelta) -> None:
        """Apply a delta, or keep it until the next snapshot."""
        with self._lock:
            if self._book is None:
                self._recent.append(delta)
                return
            self._book.apply(delta)
            if self._book.needs_resync:
                self._book = None
                self._recent.append(delta)

    def lost(self) -> None:
        """Forget everything: deltas were missed."""
        with self._lock:
            self._stream += 1
            self._book = None
            self._recent.clear()

    def sync(self) -> bool:
        """Fetch a snapshot and replay what came since; return False if it has to be repeated.

        What the fetch raises passes through and changes nothing.
        """
        with self._lock:
            stream = self._stream
        book = LocalBook(self._fetch_snapshot())
        with self._lock:
            if stream != self._stream:
                return False
            for delta in self._recent:
                book.apply(delta)
            if book.needs_resync:
                return False
            self._recent.clear()
            self._book = book
            return True

    def top(self) -> BookTop | None:
        """Return best bid and ask, None while out of sync."""
        with self._lock:
            return self._book.top() if self._book else None

    def levels(self, most: int | None = None) -> Levels:
        """Return bids and asks, best first; nothing while out of sync."""
        with self._lock:
            return self._book.levels(most) if self._book else ((), ())


class _Side:
    """Quantities by price, with the prices in order."""

    _quantities: dict[Price, Quantity]
    _prices: list[Price]

    def __init__(self, levels: Iterable[BookLevel]) -> None:
        self._quantities = {}
        self._prices = []
        self.change(levels)

    def change(self, levels: Iterable[BookLevel]) -> None:
        for level in levels:
            known = level.price in self._quantities
            if level.quantity:
                self._quantities[level.price] = level.quantity
                if not known:
                    insort(self._prices, level.price)
            elif known:
                del self._quantities[level.price]
                del self._prices[bisect_left(self._prices, level.price)]

    def highest(self) -> BookLevel | None:
        return next(self.from_high(), None)

    def lowest(self) -> BookLevel | None:
        return next(self.from_low(), None)

    def from_high(self) -> Iterator[BookLevel]:
        return (BookLevel(price, self._quantities[price]) for price in reversed(self._prices))

    def from_low(self) -> Iterator[BookLevel]:
        return (BookLevel(price, self._quantities[price]) for price in self._prices)
