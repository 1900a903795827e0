from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import fakeredis
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from oto.domain.market import AggTrade, BookLevel, BookTop, Symbol
from oto.domain.money import Price, Quantity
from oto.domain.tick import Tick
from oto.infrastructure.redis_store.client import redis_client
from oto.infrastructure.redis_store.latest import LatestTicks
from oto.infrastructure.redis_store.ticks import BEAT_KEPT_S, KEPT_S, TickStore

pytestmark = pytest.mark.unit

NEX = Symbol("ALPHA_971USDT")
AITECH = Symbol("ALPHA_373USDT")
NOW = datetime(2025, 9, 28, 7, 13, 28, 334_567, tzinfo=UTC)

moments = st.timedeltas(timedelta(0), timedelta(days=30_000)).map(NOW.__add__)
figures = st.decimals(0, Decimal("1e20"), places=18) | st.just(Decimal("1E+5"))
levels = st.builds(BookLevel, figures.map(Price), figures.map(Quantity))
ticks = st.builds(
    Tick,
    symbol=st.sampled_from([NEX, AITECH]),
    sequence=st.integers(0, 2**62),
    connected=st.booleans(),
    received_at=moments,
    trade_price=st.none() | figures.map(Price),
    traded_at=st.none() | moments,
    bid=st.none() | levels,
    ask=st.none() | levels,
    book_changed_at=st.none() | moments,
)


def level(price: str, quantity: str = "10") -> BookLevel:
    return BookLevel(Price(Decimal(price)), Quantity(Decimal(quantity)))


def full_tick(symbol: Symbol = NEX, sequence: int = 1) -> Tick:
    return Tick(
        symbol=symbol,
        sequence=sequence,
        connected=True,
        received_at=NOW,
        trade_price=Price(Decimal("0.000005540")),
        traded_at=NOW - timedelta(microseconds=1),
        bid=level("0.000005539"),
        ask=level("0.000005541"),
        book_changed_at=NOW - timedelta(milliseconds=3),
    )


def trade(trade_id: int, price: str = "0.23", quantity: str = "5") -> AggTrade:
    at, of = Price(Decimal(price)), Quantity(Decimal(quantity))
    return AggTrade(NEX, trade_id, at, of, buyer_is_maker=False, traded_at=NOW)


def top(update_id: int, bid: BookLevel, ask: BookLevel) -> BookTop:
    return BookTop(NEX, bid, ask, update_id, NOW)


@pytest.fixture
def server() -> Iterator[redis.Redis]:
    with fakeredis.FakeRedis(decode_responses=True) as client:
        yield client


@pytest.fixture
def store(server: redis.Redis) -> TickStore:
    return TickStore(server)


@pytest.fixture
def latest() -> LatestTicks:
    following = LatestTicks(first_sequence=100)
    following.follow([NEX])
    following.take_unwritten()
    return following


def only_tick(latest: LatestTicks) -> Tick:
    (tick,) = latest.take_unwritten().ticks
    return tick


@given(tick=ticks, earlier=ticks)
def test_what_is_written_is_read_exactly_whatever_was_there_before(
    tick: Tick, earlier: Tick
) -> None:
    with fakeredis.FakeRedis() as client:
        store = TickStore(client)
        store.write([replace(earlier, symbol=tick.symbol), tick])
        assert store.read(tick.symbol) == tick


def test_figures_lie_in_redis_as_people_write_them(store: TickStore, server: redis.Redis) -> None:
    store.write([replace(full_tick(), trade_price=Price(Decimal("1E-9")))])
    stored = server.hgetall("oto:tick:ALPHA_971USDT")
    assert stored["trade_price"] == "0.000000001"
    assert stored["received_at"] == "1759043608334567"


def test_many_are_read_at_once_and_those_without_a_tick_are_left_out(store: TickStore) -> None:
    store.write([full_tick(NEX), full_tick(AITECH)])
    assert store.read(Symbol("ALPHA_1USDT")) is None
    assert store.read_many([AITECH, Symbol("ALPHA_1USDT"), NEX]) == {
        AITECH: full_tick(AITECH),
        NEX: full_tick(NEX),
    }
    assert store.read_many([]) == {}


def test_a_disconnected_symbol_keeps_everything_but_its_flag(store: TickStore) -> None:
    store.write([full_tick(NEX), full_tick(AITECH)])
    store.mark_disconnected([NEX])
    assert store.read(NEX) == replace(full_tick(NEX), connected=False)
    assert store.read(AITECH) == full_tick(AITECH)


def test_a_flag_alone_is_no_tick_and_vanishes(store: TickStore, server: redis.Redis) -> None:
    store.mark_disconnected([NEX])
    assert store.read(NEX) is None
    assert 0 < server.ttl(f"oto:tick:{NEX}") <= KEPT_S


def test_a_flag_does_not_keep_an_old_tick_alive(store: TickStore, server: redis.Redis) -> None:
    store.write([full_tick()])
    assert 0 < server.ttl(f"oto:tick:{NEX}") <= KEPT_S
    server.expire(f"oto:tick:{NEX}", 7)
    store.mark_disconnected([NEX])
    assert 0 < server.ttl(f"oto:tick:{NEX}") <= 7


def test_the_sign_of_life_is_the_last_one_and_vanishes(
    store: TickStore, server: redis.Redis
) -> None:
    assert store.last_beat() is None
    store.beat(NOW - timedelta(seconds=1))
    store.beat(NOW)
    assert store.last_beat() == NOW
    assert 0 < server.ttl("oto:price-streamer:beat") <= BEAT_KEPT_S


def test_trade_and_book_meet_in_one_tick(latest: LatestTicks) -> None:
    latest.take_trade(trade(7), NOW)
    latest.take_top(top(3, level("0.22"), level("0.24")), NOW + timedelta(seconds=1))
    unwritten = latest.take_unwritten()
    assert unwritten.pushed == {NEX}
    assert unwritten.ticks == [
        Tick(
            symbol=NEX,
            sequence=101,
            connected=True,
            received_at=NOW + timedelta(seconds=1),
            trade_price=Price(Decimal("0.23")),
            traded_at=NOW,
            bid=level("0.22"),
            ask=level("0.24"),
            book_changed_at=NOW,
        )
    ]
    assert not latest.take_unwritten().ticks


@pytest.mark.parametrize(("price", "quantity"), [("0", "5"), ("0.25", "0"), ("0", "0")])
def test_a_bad_tick_changes_nothing(latest: LatestTicks, price: str, quantity: str) -> None:
    latest.take_trade(trade(7), NOW)
    good = only_tick(latest)
    latest.take_trade(trade(8, price, quantity), NOW + timedelta(seconds=1))
    assert not latest.take_unwritten().ticks
    latest.take_trade(trade(7, "0.24"), NOW)
    assert only_tick(latest).sequence == good.sequence + 1


def test_an_older_push_never_replaces_a_newer_one(latest: LatestTicks) -> None:
    latest.take_trade(trade(7, "0.23"), NOW)
    latest.take_top(top(9, level("0.22"), level("0.24")), NOW)
    newest = only_tick(latest)
    latest.take_trade(trade(6, "0.30"), NOW + timedelta(seconds=1))
    latest.take_top(top(8, level("0.10"), level("0.40")), NOW + timedelta(seconds=1))
    assert not latest.take_unwritten().ticks
    latest.put_back(latest.take_unwritten())
    assert only_tick(latest) == newest


def test_an_empty_side_of_the_book_has_no_best_price(latest: LatestTicks) -> None:
    latest.take_top(top(1, level("0", "0"), level("0.24")), NOW)
    tick = only_tick(latest)
    assert (tick.bid, tick.ask) == (None, level("0.24"))


def test_a_lost_connection_flags_every_tick_and_waits_for_its_next_push(
    latest: LatestTicks,
) -> None:
    latest.take_trade(trade(7), NOW)
    latest.take_top(top(9, level("0.22"), level("0.24")), NOW)
    before = only_tick(latest)
    latest.lose()
    lost = latest.take_unwritten()
    assert lost.ticks == [replace(before, connected=False, sequence=before.sequence + 1)]
    assert not lost.pushed
    latest.lose()
    assert not latest.take_unwritten().ticks


def test_a_book_from_before_the_reconnection_is_forgotten_and_its_ids_too(
    latest: LatestTicks,
) -> None:
    latest.take_trade(trade(7, "0.23"), NOW)
    latest.take_top(top(9, level("0.22"), level("0.24")), NOW)
    latest.lose()
    latest.take_trade(trade(2, "0.25"), NOW)
    tick = only_tick(latest)
    assert (tick.connected, tick.trade_price) == (True, Price(Decimal("0.25")))
    assert (tick.bid, tick.ask, tick.book_changed_at) == (None, None, None)


def test_the_last_trade_stays_known_over_a_reconnection(latest: LatestTicks) -> None:
    latest.take_trade(trade(7, "0.23"), NOW)
    latest.lose()
    latest.take_top(top(1, level("0.22"), level("0.24")), NOW)
    tick = only_tick(latest)
    assert (tick.connected, tick.trade_price) == (True, Price(Decimal("0.23")))


def test_a_symbol_is_old_news_when_it_comes_and_when_it_goes(latest: LatestTicks) -> None:
    assert latest.follow([AITECH]) == ({AITECH}, {NEX})
    assert latest.take_unwritten().down == {AITECH, NEX}
    latest.take_trade(trade(7), NOW)
    unwritten = latest.take_unwritten()
    assert not unwritten.ticks
    assert not unwritten.down


def test_a_tick_that_waits_for_a_dropped_symbol_is_dropped_too(latest: LatestTicks) -> None:
    latest.take_trade(trade(7), NOW)
    latest.follow([])
    unwritten = latest.take_unwritten()
    assert not unwritten.ticks
    assert unwritten.down == {NEX}


def test_what_was_not_written_comes_again_in_its_newest_form(latest: LatestTicks) -> None:
    latest.follow([NEX, AITECH])
    latest.take_trade(trade(7, "0.23"), NOW)
    failed = latest.take_unwritten()
    latest.take_trade(trade(8, "0.24"), NOW)
    latest.put_back(failed)
    again = latest.take_unwritten()
    assert [tick.trade_price for tick in again.ticks] == [Price(Decimal("0.24"))]
    assert again.pushed == {NEX}
    assert again.down == {AITECH}


def test_after_an_outage_ticks_that_redis_may_have_lost_are_written_too(
    latest: LatestTicks,
) -> None:
    latest.take_trade(trade(7), NOW)
    written = only_tick(latest)
    latest.put_back(latest.take_unwritten())
    again = latest.take_unwritten()
    assert (again.ticks, again.pushed) == ([written], frozenset())


@pytest.mark.parametrize(
    "url", ["redis://:hunter2/x@127.0.0.1:6379/0", "http://:hunter2@127.0.0.1"]
)
def test_a_wrong_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match="redis://") as caught:
        redis_client(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_clients_text_hides_the_password() -> None:
    with redis_client("redis://:hunter2@127.0.0.1:1/0") as client:
        assert "hunter2" not in repr(client) + repr(client.connection_pool)
