"""Books, candles and published faces of simulated markets."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oto.domain import money
from oto.domain.money import Price, Quantity
from oto.domain.orders import Side
from oto.simulator import listings
from oto.simulator.bars import INTERVALS_MS, Bars, MarketTrade, closed, opened
from oto.simulator.liquidity import BookShape, RecordedBook, SyntheticBook
from oto.simulator.listings import BadListingError, rules_of
from oto.simulator.playing import Program
from oto.simulator.settings import Settings
from oto.simulator.simulation import Simulation
from oto.simulator.tape import MOODS, TapeBook, TapeTrade
from tests.samples import sample, shared
from tests.simulated import AITECH, silent_plan

pytestmark = pytest.mark.unit

LISTED = {one.rules.symbol: one for one in listings.built_in()}
RULES = LISTED[AITECH].rules


def trade(price: str, *, buyer_is_maker: bool = False) -> TapeTrade:
    return TapeTrade(0, money.price(price), money.quantity("10"), buyer_is_maker)


def book() -> SyntheticBook:
    return SyntheticBook(RULES, BookShape(), money.price("0.2269"), "seed")


def test_a_book_can_become_thin_while_it_is_traded() -> None:
    made = book()
    best, orders = next(made.levels(Side.SELL))
    made.take(Side.SELL, best, orders[0], 0)

    made.reshape(BookShape(depth_usdt=10))

    thin = list(made.levels(Side.SELL))
    assert all(sum(rests) * price < 25 for price, rests in thin)
    assert best not in [price for price, _ in thin]


@given(
    st.lists(
        st.tuples(st.integers(min_value=1, max_value=10**9), st.booleans()), min_size=1, max_size=30
    )
)
def test_a_made_up_book_is_never_crossed_and_lies_on_the_grid(
    trades: list[tuple[int, bool]],
) -> None:
    made = book()
    for ticks, buyer_is_maker in trades:
        price = Price(ticks * RULES.tick_size)
        made.follow(TapeTrade(0, price, Quantity(Decimal(1)), buyer_is_maker))
        bids = [price for price, _ in made.levels(Side.BUY)]
        asks = [price for price, _ in made.levels(Side.SELL)]

        assert bids == sorted(set(bids), reverse=True)
        assert asks == sorted(set(asks))
        assert bids[0] < asks[0]
        assert all(money.is_multiple(price, RULES.tick_size) for price in [*bids, *asks])


def test_a_taker_buy_shows_where_the_best_ask_was() -> None:
    made = book()

    made.follow(trade("0.2301"))
    assert next(made.levels(Side.SELL))[0] == Decimal("0.2301")
    made.follow(trade("0.2299", buyer_is_maker=True))

    assert next(made.levels(Side.BUY))[0] == Decimal("0.2299")


def test_what_was_taken_from_a_made_up_level_comes_back_after_a_while() -> None:
    made = book()
    price, orders = next(made.levels(Side.SELL))
    whole = sum(orders)

    made.take(Side.SELL, price, orders[0], now_ms=0)

    made.refill(now_ms=999)
    assert sum(next(made.levels(Side.SELL))[1]) == whole - orders[0]
    made.refill(now_ms=1_000)
    assert sum(next(made.levels(Side.SELL))[1]) == whole


def test_a_recorded_level_gives_only_what_was_there_until_it_is_gone() -> None:
    recorded = RecordedBook()
    price, ten, twelve = money.price("0.23"), money.quantity("10"), money.quantity("12")
    recorded.follow(TapeBook(0, (), ((price, ten),), whole=True))
    recorded.take(Side.SELL, price, money.quantity("8"), 0)

    recorded.follow(TapeBook(1, (), ((price, twelve),), whole=False))
    assert list(recorded.levels(Side.SELL)) == [(price, [Decimal(4)])]
    recorded.follow(TapeBook(2, (), ((price, money.quantity("0")),), whole=False))
    recorded.follow(TapeBook(3, (), ((price, twelve),), whole=False))

    assert list(recorded.levels(Side.SELL)) == [(price, [Decimal(12)])]


def test_a_whole_recorded_book_replaces_what_stood_before() -> None:
    recorded = RecordedBook()
    low, high, ten = money.price("0.22"), money.price("0.23"), money.quantity("10")
    recorded.follow(TapeBook(0, ((low, ten),), (), whole=True))

    recorded.follow(TapeBook(1, ((high, ten),), (), whole=True))

    assert [price for price, _ in recorded.levels(Side.BUY)] == [high]


def published(zombie: int, crossed: int) -> list[tuple[Price, Price]]:
    """Return best bid and best ask of the published book in many moments."""
    settings = Settings(zombie_per_mille=zombie, crossed_per_mille=crossed)
    simulated = Simulation(silent_plan(settings=settings))
    market = simulated.exchange.market(AITECH)
    tops = []
    for moment in range(200):
        market.artefact_number = moment
        bids, asks = market.published_book(settings)
        tops.append((next(iter(bids)), next(iter(asks))))
    return tops


def test_a_calm_published_book_is_never_crossed() -> None:
    assert all(bid < ask for bid, ask in published(0, 0))


def test_now_and_then_the_published_book_is_crossed_or_holds_a_zombie_level() -> None:
    crossed = [bid / ask for bid, ask in published(0, 200) if bid >= ask]
    zombies = [bid / ask for bid, ask in published(200, 0) if bid >= ask]

    assert 10 < len(crossed) < 90
    assert max(crossed) < Decimal("1.001")
    assert 10 < len(zombies) < 90
    assert min(zombies) >= Decimal("1.03")


def test_wrong_levels_stand_on_either_side_of_the_published_book() -> None:
    calm_bid, calm_ask = published(0, 0)[0]

    for tops in (published(200, 0), published(0, 200)):
        assert {bid for bid, ask in tops if ask == calm_ask} > {calm_bid}
        assert {ask for bid, ask in tops if bid == calm_bid} > {calm_ask}


@given(st.integers(min_value=0, max_value=4 * 10**12), st.sampled_from(sorted(INTERVALS_MS)))
def test_every_moment_lies_in_the_candle_that_is_opened_for_it(at_ms: int, interval: str) -> None:
    opened_ms = opened(at_ms, interval)

    assert opened_ms <= at_ms <= closed(opened_ms, interval)
    assert opened(opened_ms, interval) == opened_ms
    assert opened(closed(opened_ms, interval) + 1, interval) == closed(opened_ms, interval) + 1


def test_a_week_begins_on_monday_and_a_month_on_its_first() -> None:
    wednesday = 1_759_043_608_334 + 3 * 86_400_000  # 2025-10-01

    assert opened(wednesday, "1w") == 1_759_104_000_000  # 2025-09-29
    assert opened(wednesday, "1M") == 1_759_276_800_000  # 2025-10-01


def test_candles_add_up_over_every_interval() -> None:
    bars = Bars()
    for number in range(600):
        price = money.price(f"0.23{number % 7}")
        made = MarketTrade(number + 1, price, money.quantity("2"), number % 2 == 0, number * 500)
        bars.add(made)

    for interval in ("1s", "15s", "1m", "5m", "1h", "1d", "1w", "1M"):
        rows = list(bars.klines(interval))
        assert sum(row.base for row in rows) == 1200
        assert sum(row.taker_base for row in rows) == 600
        assert sum(row.count for row in rows) == 600
        assert max(row.high for row in rows) == Decimal("0.236")
    assert len(list(bars.klines("1m"))) == 5
    day = bars.day(600_000)
    assert day is not None
    assert day.count == 600


def test_the_recorded_lists_can_be_listed_whole() -> None:
    listed = listings.load(
        shared("data/alpha/alpha_token_list_2025-10-14.json.gz"),
        shared("data/alpha/alpha_exchange_info_2025-09-28.json.gz"),
    )

    assert len(listed) > 300
    assert len({one.rules.symbol for one in listed}) == len(listed)
    simulated = Simulation(silent_plan(listings=listed, program=Program(mood=MOODS["calm"])))
    simulated.step(2_000)
    assert simulated.exchange.outbox == []


def test_rules_are_those_of_the_recorded_filters() -> None:
    rules = rules_of(sample("rest_exchange_info_symbol_2026-05.json"))

    assert (rules.tick_size, rules.lot_step) == (Decimal("0.000000001"), Decimal("0.10"))
    assert (rules.min_notional, rules.max_notional) == (Decimal("0.1"), None)
    with pytest.raises(BadListingError):
        rules_of({"symbol": "ALPHA_1USDT"})
