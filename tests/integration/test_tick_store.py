"""The latest ticks in a real Redis, and who may write them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oto.domain.market import BookLevel, Symbol
from oto.domain.money import Price, Quantity
from oto.domain.tick import Tick
from oto.infrastructure.redis_store.client import redis_client
from oto.infrastructure.redis_store.fenced_writes import TOKEN_KEPT_S, OutdatedError
from oto.infrastructure.redis_store.ticks import BEAT_KEPT_S, KEPT_S, TickStore
from tests.conftest import Migrated
from tests.servers import flushed_redis

pytestmark = pytest.mark.integration

_REDIS_NUMBER = 5

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


@pytest.fixture
def server(migrated: Migrated) -> Iterator[redis.Redis]:
    with redis_client(flushed_redis(migrated.urls, _REDIS_NUMBER)) as client:
        yield client


@pytest.fixture
def store(server: redis.Redis) -> TickStore:
    return TickStore(server)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tick=ticks, earlier=ticks)
def test_what_is_written_is_read_exactly_whatever_was_there_before(
    store: TickStore, tick: Tick, earlier: Tick
) -> None:
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


def test_after_a_higher_token_nothing_of_a_lower_one_is_written(server: redis.Redis) -> None:
    old, new = TickStore(server, 7), TickStore(server, 8)
    old.write([full_tick(sequence=1)])
    new.write([full_tick(sequence=2)])
    new.beat(NOW)

    with pytest.raises(OutdatedError):
        old.write([full_tick(sequence=3)])
    with pytest.raises(OutdatedError):
        old.mark_disconnected([NEX])
    with pytest.raises(OutdatedError):
        old.beat(NOW + timedelta(seconds=1))

    assert new.read(NEX) == full_tick(sequence=2)
    assert new.last_beat() == NOW


def test_where_no_token_is_stored_any_is_taken(server: redis.Redis) -> None:
    TickStore(server, 8).write([full_tick(sequence=2)])
    server.flushdb()

    TickStore(server, 7).write([full_tick(sequence=1)])

    assert TickStore(server).read(NEX) == full_tick(sequence=1)


def test_a_stored_token_vanishes_when_nobody_writes(server: redis.Redis) -> None:
    TickStore(server, 7).beat(NOW)

    assert 0 < server.ttl("oto:price-streamer:token") <= TOKEN_KEPT_S
