"""One symbol's market: its tape, its book, its published face."""

import zlib
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

from oto.domain.market import Symbol
from oto.domain.money import Price, Quantity
from oto.domain.orders import Side
from oto.simulator.bars import Bars, MarketTrade
from oto.simulator.listings import Listing
from oto.simulator.matching import Matcher
from oto.simulator.settings import Settings
from oto.simulator.tape import TapeEvent

Levels = dict[Price, Quantity]

ARTEFACT_MS = 5_000  # how long a zombie or crossed level stands
_MOST_LEVELS = 1_000


@dataclass(slots=True)
class Market:
    """One symbol. The published book is the tradable one plus what nobody can trade against."""

    listing: Listing
    matcher: Matcher
    seed: str
    tape: Iterator[TapeEvent]
    book_id: int
    tape_start_ms: int = 0
    bars: Bars = field(default_factory=Bars)
    # Ids of the last book moves: a depth push names the first move that it covers.
    moves: deque[int] = field(default_factory=lambda: deque(maxlen=2_000))
    last_order_id: int = field(init=False)
    refill_due_ms: int = 0
    # Counts the spans of ARTEFACT_MS; each may have its zombie and crossed levels.
    artefact_number: int = 0

    def __post_init__(self) -> None:
        # Counters of a market that has lived a while; each symbol has its own.
        age = zlib.crc32(self.seed.encode())
        self.last_order_id = 1_000_000 + age % 50_000_000
        self.matcher.last_trade_id = 100_000 + age % 1_000_000

    @property
    def symbol(self) -> Symbol:
        return self.listing.rules.symbol

    @property
    def last_price(self) -> Price:
        trades = self.bars.trades
        return trades[-1].price if trades else self.listing.first_price

    def moved(self, book_id: int) -> None:
        self.book_id = book_id
        self.moves.append(book_id)

    def first_move_after(self, book_id: int) -> int:
        """Return the id of the oldest kept move after another one."""
        place = bisect_right(self.moves, book_id)
        return self.moves[place] if place < len(self.moves) else self.book_id

    def printed(self, trade: MarketTrade) -> None:
        self.bars.add(trade)

    def tradable_book(self) -> tuple[Levels, Levels]:
        """Return bids and asks, best first: the world's and the users' together."""
        return self._side(Side.BUY), self._side(Side.SELL)

    def published_book(self, settings: Settings) -> tuple[Levels, Levels]:
        """Return the book that the exchange shows, with its zombie and crossed levels."""
        bids, asks = self.tradable_book()
        if not (bids and asks):
            return bids, asks
        zombie, crossed = self.artefacts(settings)
        if not (zombie or crossed):
            return bids, asks
        on_bids = self._draw("side") % 2 == 0
        best, side = (next(iter(asks)), bids) if on_bids else (next(iter(bids)), asks)
        stale: Levels = {}
        if zombie:
            # 3 to 40 % off the market, with a huge quantity: a level that nobody removed.
            far = 300 + 100 * (self._draw("far") % 38)
            huge = Quantity(sum(side.values(), Decimal(0)) * 50)
            stale[self._beyond(best, far, above=on_bids)] = huge
        if crossed:
            stale[self._beyond(best, 2, above=on_bids)] = next(iter(side.values()))
        shown = dict(sorted({**stale, **side}.items(), reverse=on_bids))
        return (shown, asks) if on_bids else (bids, shown)

    def _beyond(self, best: Price, basis_points: int, *, above: bool) -> Price:
        """Return a price so far on the wrong side of the opposite best price, on the grid."""
        rules = self.listing.rules
        if above:
            return rules.price_ceil(best * (10_000 + basis_points) / 10_000)
        below = rules.price_floor(best * (10_000 - basis_points) / 10_000)
        return max(below, Price(rules.tick_size))

    def artefacts(self, settings: Settings) -> tuple[bool, bool]:
        """Tell whether a zombie level stands in the published book now, and a crossed one."""
        return (
            self._draw("zombie") < settings.zombie_per_mille,
            self._draw("crossed") < settings.crossed_per_mille,
        )

    def _draw(self, what: str) -> int:
        return zlib.crc32(self._key(what)) % 1000

    def _key(self, what: str) -> bytes:
        return f"{self.seed} {what} {self.artefact_number}".encode()

    def _side(self, side: Side) -> Levels:
        levels: Levels = {}
        for price, orders in islice(self.matcher.liquidity.levels(side), _MOST_LEVELS):
            levels[price] = Quantity(sum(orders, Decimal(0)))
        users = self.matcher.resting[side]
        if not users:
            return levels
        for order in users:
            levels[order.price] = Quantity(levels.get(order.price, 0) + order.remaining)
        return dict(sorted(levels.items(), reverse=side is Side.BUY))
