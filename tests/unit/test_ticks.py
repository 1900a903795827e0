from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from oto.domain.market import AggTrade, BookLevel, BookTop, Symbol
from oto.domain.money import Price, Quantity
from oto.domain.tick import Tick
from oto.infrastructure.redis_store.client import redis_client
from oto.infrastructure.redis_store.latest import LatestTicks

pytestmark = pytest.mark.unit

NEX = Symbol("ALPHA_971USDT")
AITECH = Symbol("ALPHA_373USDT")
NOW = datetime(2025, 9, 28, 7, 13, 28, 334_567, tzinfo=UTC)


def level(price: str, quantity: str = "10") -> BookLevel:
    return BookLevel(Price(Decimal(price)), Quantity(Decimal(quantity)))


def trade(trade_id: int, price: str = "0.23", quantity: str = "5") -> AggTrade:
    at, of = Price(Decimal(price)), Quantity(Decimal(quantity))
    return AggTrade(NEX, trade_id, at, of, buyer_is_maker=False, traded_at=NOW)


def top(update_id: int, bid: BookLevel, ask: BookLevel) -> BookTop:
    return BookTop(NEX, bid, ask, update_id, NOW)


@pytest.fixture
def latest() -> LatestTicks:
    following = LatestTicks(first_sequence=100)
    following.follow([NEX])
    following.take_unwritten()
    return following


def only_tick(latest: LatestTicks) -> Tick:
    (tick,) = latest.take_unwritten().ticks
    return tick


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
