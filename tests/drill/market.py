"""One symbol's market: a book that moves by chance, and what the price streams say of it."""

from dataclasses import replace
from decimal import Decimal

from oto.domain.market import BookLevel, Symbol
from oto.domain.money import Price, Quantity
from oto.domain.orders import Side
from oto.domain.tick import Tick
from oto.infrastructure.alpha.public import PublicAlpha
from oto.infrastructure.alpha.transport import Settings
from oto.simulator import listings
from oto.simulator.liquidity import RecordedBook
from oto.simulator.listings import Listing
from oto.simulator.simulation import Simulation
from tests.drill.faults import Chance
from tests.drill.process import DrillClock
from tests.memory_work import Listed

LISTINGS: dict[Symbol, Listing] = {
    one.rules.symbol: one for one in listings.built_in() if one.tradable
}
SYMBOLS = tuple(LISTINGS)

_BPS = Decimal(10_000)
_LEVELS = 3


class Market:
    """Moves the book; the tick follows it, late at times."""

    def __init__(
        self,
        simulation: Simulation,
        listing: Listing,
        clock: DrillClock,
        chance: Chance,
        swing_bps: int,
    ) -> None:
        self._simulation = simulation
        self._market = simulation.exchange.market(listing.rules.symbol)
        self._book = self._market.matcher.liquidity = RecordedBook()
        self._rules = listing.rules
        self._clock = clock
        self._chance = chance
        self._swing_bps = swing_bps
        self._middle = Decimal(listing.first_price)
        self.tick: Tick | None = None

    def read(self, symbol: Symbol) -> Tick | None:
        del symbol
        return self.tick

    def move(self, size: Decimal) -> None:
        """Move by chance; a level holds a part of an order of this size, or much more."""
        random = self._chance.random
        self._middle *= 1 + Decimal(random.randint(-self._swing_bps, self._swing_bps)) / _BPS
        thin = random.random() < 0.35
        share = Decimal(random.randint(10, 90)) / 100 if thin else Decimal(20)
        seen = random.random() < 0.8
        spread_bps = random.randint(2, 20) if self._swing_bps else 5
        self._set(Decimal(spread_bps), size * share, seen=seen)

    def calm_down(self, size: Decimal, fallen_bps: int) -> None:
        """Stand still, somewhat lower, with room for every order."""
        self._middle *= 1 - fallen_bps / _BPS
        self._set(Decimal(4), size * 1_000, seen=True)

    def repeat(self) -> None:
        """Let the streams say again what they said."""
        if self.tick is not None:
            now = self._clock.now()
            self.tick = replace(self.tick, received_at=now, sequence=self.tick.sequence + 1)

    def _set(self, spread_bps: Decimal, notional: Decimal, *, seen: bool) -> None:
        rules, half = self._rules, self._middle * spread_bps / 2 / _BPS
        bid = rules.price_floor(self._middle - half)
        ask = max(rules.price_ceil(self._middle + half), Price(bid + rules.tick_size))
        step = max(rules.tick_size, rules.price_ceil(self._middle / 5_000))
        quantity = rules.quantity_floor(Quantity(notional / self._middle))
        quantity = max(quantity, Quantity(rules.lot_step))
        for side, best, way in ((Side.BUY, bid, -1), (Side.SELL, ask, 1)):
            prices = (Price(best + way * number * step) for number in range(_LEVELS))
            self._book.set(side, [(price, [quantity]) for price in prices])
        self._simulation.settlement.move_book(self._market)
        if seen:
            self._see(bid, ask, quantity)

    def _see(self, bid: Price, ask: Price, quantity: Quantity) -> None:
        now = self._clock.now()
        self.tick = Tick(
            symbol=self._rules.symbol,
            sequence=1 if self.tick is None else self.tick.sequence + 1,
            connected=True,
            received_at=now,
            trade_price=bid,
            traded_at=now,
            bid=BookLevel(bid, quantity),
            ask=BookLevel(ask, quantity),
            book_changed_at=now,
        )


def listed(symbol: Symbol, settings: Settings) -> Listed:
    """Read the public lists through the adapter, once for each symbol."""
    if symbol not in _listed:
        with PublicAlpha("http://simulated", settings=settings) as public:
            tokens = {one.alpha_id: one for one in public.token_list()}
            rules = public.exchange_info()[symbol]
        _listed[symbol] = Listed(rules, tokens[rules.base_asset])
    return _listed[symbol]


_listed: dict[Symbol, Listed] = {}
