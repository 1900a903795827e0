"""Markets that play: tapes and generated moods on the exchange's clock."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from oto.domain.market import Symbol
from oto.domain.money import Price
from oto.simulator.bars import MarketTrade
from oto.simulator.exchange import Exchange
from oto.simulator.liquidity import Liquidity, RecordedBook, SyntheticBook
from oto.simulator.listings import Listing
from oto.simulator.market import ARTEFACT_MS, Market
from oto.simulator.matching import Matcher
from oto.simulator.settlement import Settlement
from oto.simulator.tape import MOODS, Mood, TapeEvent, TapeFile, TapeTrade, generated


@dataclass(frozen=True, slots=True)
class Program:
    """What the markets play: a tape for some symbols, a generated mood for the others.

    `speed` is tape time per exchange time; a mood of None leaves the other markets silent.
    """

    tapes: dict[Symbol, TapeFile] = field(default_factory=dict)
    mood: Mood | None = MOODS["calm"]
    speed: Decimal = Decimal(1)


class Player:
    """Opens the markets and lets their tapes happen."""

    def __init__(self, exchange: Exchange, settlement: Settlement, program: Program) -> None:
        self._exchange = exchange
        self._settlement = settlement
        self._program = program

    def open(self, listings: Iterable[Listing]) -> None:
        """List every pair and put the first event of its tape on the agenda.

        Raises:
            BadTapeError: a tape cannot be played.
        """
        for listing in listings:
            self._exchange.markets[listing.rules.symbol] = self._open(listing)
        self._watch_artefacts()

    def play(self, market: Market, event: TapeEvent) -> None:
        """Let one event of a tape happen now."""
        matcher = market.matcher
        if isinstance(event, TapeTrade):
            if event.price and event.quantity:
                self._settlement.settle(market, matcher.print_trade(event))
                matcher.liquidity.follow(event)
            else:
                matcher.next_trade_id()  # a bad tick has an id of its own too
            trade = MarketTrade(
                matcher.last_trade_id,
                event.price,
                event.quantity,
                event.buyer_is_maker,
                self._exchange.now_ms,
            )
            self._settlement.publish(market, trade)
        else:
            matcher.liquidity.follow(event)
        self._settlement.move_book(market)

    def _open(self, listing: Listing) -> Market:
        rules = listing.rules
        seed = f"{self._exchange.seed} {rules.symbol}"
        events = self._events(listing, seed)
        first = next(events, None)
        start = first.price if isinstance(first, TapeTrade) else listing.first_price
        liquidity = self._liquidity(listing, start or listing.first_price, seed)
        market = Market(listing, Matcher(liquidity), seed, events, self._exchange.next_event_id())
        if first is not None:
            market.tape_start_ms = first.at_ms
            self._schedule(market, first)
        return market

    def _events(self, listing: Listing, seed: str) -> Iterator[TapeEvent]:
        tape = self._program.tapes.get(listing.rules.symbol)
        if tape is not None:
            return tape.events(listing.rules)
        if self._program.mood is None or not listing.tradable:
            return iter(())
        return generated(self._program.mood, listing.rules, listing.first_price, seed)

    def _liquidity(self, listing: Listing, start: Price, seed: str) -> Liquidity:
        tape = self._program.tapes.get(listing.rules.symbol)
        if tape is not None and tape.has_book:
            return RecordedBook()
        return SyntheticBook(listing.rules, self._exchange.settings.book, start, seed)

    def _watch_artefacts(self) -> None:
        """Give a book a new id whenever a zombie or crossed level comes or goes in it."""
        exchange, settings = self._exchange, self._exchange.settings

        def happen() -> None:
            if settings.zombie_per_mille or settings.crossed_per_mille:
                for market in exchange.markets.values():
                    before = market.artefacts(settings)
                    market.artefact_number += 1
                    if any(before) or any(market.artefacts(settings)):
                        self._settlement.move_book(market)
            self._watch_artefacts()

        exchange.at(exchange.now_ms + ARTEFACT_MS, happen)

    def _schedule(self, market: Market, event: TapeEvent) -> None:
        since_first = int((event.at_ms - market.tape_start_ms) / self._program.speed)

        def happen() -> None:
            self.play(market, event)
            following = next(market.tape, None)
            if following is not None:
                self._schedule(market, following)

        self._exchange.at(self._exchange.start_ms + since_first, happen)
