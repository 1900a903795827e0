"""What the rest of the world offers in one book: made up around a trade tape, or recorded."""

import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

from oto.domain.market import SymbolRules
from oto.domain.money import Price, Quantity
from oto.domain.orders import Side
from oto.simulator.tape import TapeBook, TapeTrade

Level = tuple[Price, Sequence[Quantity]]
"""A price and the resting orders there, in their order of time."""

_NOTHING = Quantity(Decimal(0))
_MOST_REMEMBERED = 256  # levels of a made-up book: a few times those that it shows


class Liquidity(Protocol):
    """Levels that users can take from; `side` is the side that rests."""

    @property
    def refill_ms(self) -> int | None:
        """Return after how long what was taken is back, or None if it never is."""

    def levels(self, side: Side) -> Iterator[Level]:
        """Yield what is left, best price first."""

    def take(self, side: Side, price: Price, quantity: Quantity, now_ms: int) -> None:
        """Remove what a user took."""

    def refill(self, now_ms: int) -> None:
        """Bring back what was taken long enough ago."""

    def follow(self, event: TapeTrade | TapeBook) -> None:
        """Move with the tape."""


@dataclass(frozen=True, slots=True)
class BookShape:
    """How a made-up book looks; spreads and gaps in millionths of the price.

    `depth_usdt` is the notional of an average level; taken levels are back after `refill_ms`.
    """

    levels: int = 20
    least_spread: int = 100
    most_spread: int = 400
    gap: int = 50
    depth_usdt: int = 2_000
    refill_ms: int = 1_000


class SyntheticBook:
    """A book around the last trades: a taker BUY at p says that p was the best ask.

    A level's size depends on its price and the seed alone, so an unchanged price shows an
    unchanged level.
    """

    def __init__(self, rules: SymbolRules, shape: BookShape, first: Price, seed: str) -> None:
        self._rules = rules
        self._shape = shape
        self._seed = seed.encode()
        self._taken: dict[tuple[Side, int], tuple[Quantity, int]] = {}
        self._orders_at = lru_cache(_MOST_REMEMBERED)(self._drawn_at)
        self._ask = max(2, self._ticks(first))
        self._bid = max(1, self._ask - self._share(self._ask, shape.least_spread))

    @property
    def refill_ms(self) -> int | None:
        return self._shape.refill_ms

    def reshape(self, shape: BookShape) -> None:
        """Look otherwise from now on; what was taken stays taken."""
        self._shape = shape
        self._orders_at.cache_clear()

    def levels(self, side: Side) -> Iterator[Level]:
        for tick in self._ticks_of(side):
            left = self._left(side, tick)
            if left:
                yield Price(tick * self._rules.tick_size), left

    def take(self, side: Side, price: Price, quantity: Quantity, now_ms: int) -> None:
        tick = self._ticks(price)
        fresh = (_NOTHING, now_ms + self._shape.refill_ms)
        already, until_ms = self._taken.get((side, tick), fresh)
        self._taken[side, tick] = (Quantity(already + quantity), until_ms)

    def refill(self, now_ms: int) -> None:
        self._taken = {at: row for at, row in self._taken.items() if row[1] > now_ms}

    def follow(self, event: TapeTrade | TapeBook) -> None:
        if isinstance(event, TapeBook):
            return
        tick = max(2, self._ticks(event.price))
        narrow, wide = (
            self._share(tick, part) for part in (self._shape.least_spread, self._shape.most_spread)
        )
        if event.buyer_is_maker:
            self._bid = tick
            self._ask = min(max(self._ask, tick + narrow), tick + wide)
        else:
            self._ask = tick
            self._bid = max(1, tick - wide, min(self._bid, tick - narrow))

    def _ticks_of(self, side: Side) -> Iterable[int]:
        best = self._bid if side is Side.BUY else self._ask
        gap = self._share(best, self._shape.gap)
        yield best
        # Deeper levels stand on multiples of the gap, so they stay where they are while the best
        # moves.
        if side is Side.BUY:
            start = (best - 1) // gap * gap
            yield from range(start, max(0, start - (self._shape.levels - 1) * gap), -gap)
        else:
            start = best // gap * gap + gap
            yield from range(start, start + (self._shape.levels - 1) * gap, gap)

    def _left(self, side: Side, tick: int) -> Sequence[Quantity]:
        orders = self._orders_at(tick)
        taken, _ = self._taken.get((side, tick), (_NOTHING, 0))
        return less(orders, taken) if taken else orders

    def _drawn_at(self, tick: int) -> Sequence[Quantity]:
        draw = zlib.crc32(b"%s %d" % (self._seed, tick))
        percent = 50 + draw % 151
        price = tick * self._rules.tick_size
        whole = self._rules.quantity_floor(self._shape.depth_usdt * percent / (price * 100))
        whole = max(whole, Quantity(self._rules.lot_step))
        first = self._rules.quantity_floor(whole * (20 + draw // 151 % 60) / 100)
        return (first, Quantity(whole - first)) if first else (whole,)

    def _ticks(self, price: Price) -> int:
        return int(price / self._rules.tick_size)

    @staticmethod
    def _share(ticks: int, millionths: int) -> int:
        return max(1, ticks * millionths // 1_000_000)


class RecordedBook:
    """A book as it was recorded or set by hand; users get only what was there, once.

    What users took of a level stays taken until the record says that the level is gone.
    """

    def __init__(self) -> None:
        self._sides = {Side.BUY: _RecordedSide(falling=True), Side.SELL: _RecordedSide()}

    @property
    def refill_ms(self) -> int | None:
        return None

    def set(self, side: Side, levels: Iterable[Level]) -> None:
        """Replace one side; what was taken before is forgotten."""
        self._sides[side] = _RecordedSide(falling=side is Side.BUY)
        for price, orders in levels:
            self._sides[side].put(price, orders)

    def levels(self, side: Side) -> Iterator[Level]:
        return self._sides[side].left()

    def refill(self, now_ms: int) -> None:
        """Bring nothing back: a record gives what was there once."""

    def take(self, side: Side, price: Price, quantity: Quantity, now_ms: int) -> None:  # noqa: ARG002
        taken = self._sides[side].taken
        taken[price] = Quantity(taken.get(price, _NOTHING) + quantity)

    def follow(self, event: TapeTrade | TapeBook) -> None:
        if isinstance(event, TapeTrade):
            return
        for side, levels in ((Side.BUY, event.bids), (Side.SELL, event.asks)):
            book = self._sides[side]
            if event.whole:
                book.keep_only({price for price, _ in levels})
            for price, quantity in levels:
                book.put(price, [quantity])


class _RecordedSide:
    def __init__(self, *, falling: bool = False) -> None:
        self._falling = falling
        self._orders: dict[Price, Sequence[Quantity]] = {}
        self._prices: list[Price] = []
        self.taken: dict[Price, Quantity] = {}

    def left(self) -> Iterator[Level]:
        for price in reversed(self._prices) if self._falling else iter(self._prices):
            left = less(self._orders[price], self.taken.get(price, _NOTHING))
            if left:
                yield price, left

    def put(self, price: Price, orders: Sequence[Quantity]) -> None:
        if not sum(orders):
            self._drop(price)
            return
        if price not in self._orders:
            insort(self._prices, price)
        self._orders[price] = orders

    def keep_only(self, prices: set[Price]) -> None:
        for price in set(self._orders) - prices:
            self._drop(price)

    def _drop(self, price: Price) -> None:
        if self._orders.pop(price, None) is not None:
            del self._prices[bisect_left(self._prices, price)]
            self.taken.pop(price, None)


def less(orders: Sequence[Quantity], taken: Quantity) -> list[Quantity]:
    """Return what is left of orders in their order of time after so much was taken."""
    left = []
    for quantity in orders:
        eaten = min(quantity, taken)
        taken = Quantity(taken - eaten)
        if quantity > eaten:
            left.append(Quantity(quantity - eaten))
    return left
