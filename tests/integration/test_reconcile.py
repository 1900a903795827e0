"""Both sides compared: a verdict on each order and token, on a real ledger and real HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from models import Base
from oto.application.reconcile import Comparison, TokenSides, observe
from oto.domain.comparing import Compared, Verdict
from oto.domain.cycle import CyclePhase
from oto.domain.job import Wish
from oto.domain.leg import LegState
from oto.infrastructure.database.sides import Sides
from tests.loop import Altered, Loop, running_loop
from tests.simulated import AITECH, PLACE, PLACE_OTO, Exchange, oto_body, payment, plain_body

pytestmark = pytest.mark.integration

FAR_BOOK: Any = {"bids": [["0.20000000", "9"]], "asks": [["0.30000000", "9"]]}


@pytest.fixture
def loop(database_url: str, exchange: Exchange) -> Iterator[Loop]:
    with running_loop(database_url, exchange) as made:
        yield made


def compared(loop: Loop) -> Comparison:
    exchange = loop.exchanges.of(loop.user_id)
    return observe(loop.user_id, exchange, Sides(loop.engine), loop.clock)


def verdicts(loop: Loop) -> list[Verdict]:
    return [one.verdict for one in compared(loop).orders]


def only(loop: Loop, verdict: Verdict) -> Compared:
    (found,) = [one for one in compared(loop).orders if one.verdict is verdict]
    return found


def token(loop: Loop) -> TokenSides:
    (found,) = compared(loop).tokens
    return found


def rows_of_all_tables(loop: Loop) -> dict[str, list[Any]]:
    with loop.engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(table.select())))
            for table in Base.metadata.sorted_tables
        }


def place_oto_by_hand(loop: Loop, price: str, quantity: str) -> None:
    headers = loop.exchange.add_user("ann")
    body = oto_body(price, quantity, "0.22600000", payment(price, quantity))
    assert loop.exchange.post(PLACE_OTO, headers, body)["success"]


def with_open_pair(loop: Loop) -> None:
    """Start a job whose BUY rests."""
    loop.exchange.set_book(AITECH, **FAR_BOOK)
    loop.start()
    loop.turn()


def with_lost_pair(loop: Loop, kind: str) -> None:
    """Start a job whose BUY rests if it reached the exchange, and whose answer did not come."""
    loop.exchange.fault(kind, endpoint="place_oto", count=1)
    with_open_pair(loop)
    assert loop.cycles()[0].phase is CyclePhase.UNKNOWN


def with_parked_tokens(loop: Loop) -> None:
    loop.start()
    loop.buy_before_a_fall(turns=12)
    assert loop.cycles()[0].phase is CyclePhase.PARKED


def test_what_is_open_on_both_sides_agrees(loop: Loop) -> None:
    with_open_pair(loop)

    found = compared(loop)

    assert [one.verdict for one in found.orders] == [Verdict.AGREES] * 2
    assert not found.needs_human


def test_a_whole_job_agrees_after_its_end(loop: Loop) -> None:
    loop.start(volume="60")
    loop.until("completed")

    found = compared(loop)

    assert {one.verdict for one in found.orders} == {Verdict.AGREES}
    assert len(found.orders) == 6
    assert token(loop).rest == 0
    assert token(loop).dust > 0


def test_a_fill_that_nobody_has_told_yet_shows_the_exchange_ahead(loop: Loop) -> None:
    with_open_pair(loop)
    loop.exchange.set_book(AITECH, bids=[["0.20000000", "9"]], asks=[["0.22700000", "30"]])
    loop.exchange.step(10)

    ahead = only(loop, Verdict.AHEAD)

    assert ahead.detail == "30 executed, 0 told"
    assert not ahead.needs_human


def test_a_lost_order_that_is_there_is_found_and_nothing_is_written(loop: Loop) -> None:
    with_lost_pair(loop, "answer_lost_after")
    before = rows_of_all_tables(loop)

    found = compared(loop)

    assert [one.verdict for one in found.orders] == [Verdict.ADOPTED]
    assert found.orders[0].row is not None
    assert rows_of_all_tables(loop) == before


def test_a_lost_order_that_is_not_there_is_unsettled_until_it_is_proven_absent(loop: Loop) -> None:
    with_lost_pair(loop, "answer_lost_before")
    assert verdicts(loop) == [Verdict.UNSETTLED]
    loop.pass_time(18)
    loop.turns(2)
    loop.pass_time(3)

    assert verdicts(loop) == [Verdict.ABSENT]


def test_two_orders_that_fit_a_lost_one_are_ambiguous_and_none_of_them_is_called_not_ours(
    loop: Loop,
) -> None:
    with_lost_pair(loop, "answer_lost_after")
    working = loop.cycles()[0].working
    place_oto_by_hand(loop, f"{working.price:f}", f"{working.quantity:f}")

    found = compared(loop)

    assert [one.verdict for one in found.orders] == [Verdict.AMBIGUOUS]
    assert found.needs_human


def test_an_order_that_is_shown_nowhere_calls_for_a_human_after_the_settling_time(
    loop: Loop,
) -> None:
    with_open_pair(loop)
    real = loop.exchanges.of(loop.user_id)
    loop.exchanges.port = Altered(real, open_orders=list, closed_orders=lambda *_: [])

    assert verdicts(loop) == [Verdict.NOT_SHOWN] * 2
    assert not compared(loop).needs_human
    loop.pass_time(21)

    assert compared(loop).needs_human


def test_an_order_that_was_called_finished_and_is_open_there_alarms(loop: Loop) -> None:
    with_open_pair(loop)
    with loop.engine.begin() as connection:
        connection.execute(text("UPDATE orders SET state = 'ended'"))
        connection.execute(text("UPDATE cycles SET phase = 'abandoned'"))

    found = compared(loop)

    assert [one.verdict for one in found.orders] == [Verdict.RISEN] * 2
    assert found.needs_human


def test_an_order_of_an_older_cycle_that_is_open_there_alarms_too(loop: Loop) -> None:
    with_open_pair(loop)
    with loop.engine.begin() as connection:
        connection.execute(
            text("UPDATE cycles SET phase = 'abandoned', planned_at = planned_at - interval '2 d'")
        )

    assert verdicts(loop) == [Verdict.RISEN] * 2


def test_an_order_that_was_called_absent_and_is_there_alarms(loop: Loop) -> None:
    with_lost_pair(loop, "answer_lost_after")
    with loop.engine.begin() as connection:
        connection.execute(text("UPDATE orders SET state = 'absent'"))
        connection.execute(text("UPDATE cycles SET phase = 'absent'"))

    appeared = only(loop, Verdict.APPEARED)

    assert appeared.needs_human


def test_a_finished_order_that_executed_more_than_was_told_alarms(loop: Loop) -> None:
    loop.start()
    loop.until("completed")
    with loop.engine.begin() as connection:
        connection.execute(text("DELETE FROM fills WHERE side = 'SELL'"))

    assert only(loop, Verdict.AHEAD).needs_human


def test_an_order_that_someone_placed_by_hand_is_shown_as_not_ours(loop: Loop) -> None:
    with_open_pair(loop)
    headers = loop.exchange.add_user("ann")
    body = plain_body("BUY", "0.21000000", "50", payment("0.21000000", "50"))
    assert loop.exchange.post(PLACE, headers, body)["success"]

    foreign = only(loop, Verdict.NOT_OURS)

    assert foreign.row is not None
    assert not foreign.needs_human


def test_what_a_turn_places_meanwhile_is_not_taken_for_someone_elses(loop: Loop) -> None:
    loop.exchange.set_book(AITECH, **FAR_BOOK)
    loop.start()
    real = loop.exchanges.of(loop.user_id)

    def placed_first() -> Any:  # noqa: ANN401
        loop.exchanges.port = None
        loop.turn()
        return real.open_orders()

    loop.exchanges.port = Altered(real, open_orders=placed_first)

    assert verdicts(loop) == []
    assert len(loop.exchange.orders()) == 2


def test_tokens_of_unfinished_cycles_are_set_against_the_wallet(loop: Loop) -> None:
    with_parked_tokens(loop)
    held = loop.cycles()[0].exposure

    parked = token(loop)
    loop.exchange.control("accounts/ann", {"tokens": {"ALPHA_373": str(held + 7)}})
    more = token(loop)
    loop.exchange.control("accounts/ann", {"tokens": {"ALPHA_373": "3"}})
    less = token(loop)

    assert (parked.held, parked.wallet) == (held, held)
    assert not parked.rest
    assert not parked.short
    assert (more.rest, more.short) == (Decimal(7), False)
    assert less.short
    assert compared(loop).needs_human


def test_orders_of_a_parked_cycle_of_long_ago_need_no_long_history(loop: Loop) -> None:
    with_parked_tokens(loop)
    loop.wish(Wish.STOP)
    loop.until("stopped")
    real = loop.exchanges.of(loop.user_id)
    loop.clock.time += timedelta(days=365)
    windows = []

    def noted(asset: Any, start_at: Any, end_at: Any) -> Any:  # noqa: ANN401
        windows.append(end_at - start_at)
        return real.closed_orders(asset, start_at, end_at)

    loop.exchanges.port = Altered(real, closed_orders=noted)

    found = compared(loop)

    assert all(window.days <= 1 for window in windows)
    assert not found.needs_human
    assert all(leg.state is not LegState.LIVE for leg in loop.cycles()[0].legs)
