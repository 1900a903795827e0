"""What is seen of an order: late, doubled, out of order, in two tellings."""

from dataclasses import replace
from decimal import Decimal
from itertools import permutations

import pytest

from oto.domain import money
from oto.domain.leg import (
    FINAL,
    Leg,
    LegFill,
    LegKind,
    LegState,
    SeenOrder,
    StrangeStatusError,
    seen,
    with_fill,
)
from oto.domain.orders import OrderStatus, Side
from tests.builders import BUY_ID, LIST_ID, fill, leg

pytestmark = pytest.mark.unit


def order(status: OrderStatus, executed: str = "0", quantity: str = "88.11") -> SeenOrder:
    return SeenOrder(BUY_ID, LIST_ID, status, money.quantity(quantity), money.quantity(executed))


LIVE = leg(state=LegState.LIVE)
CANCELLING = leg(state=LegState.CANCELLING)
INACTIVE = leg(LegKind.PENDING, LegState.INACTIVE, quantity="0")


@pytest.mark.parametrize(
    ("before", "status", "after"),
    [
        (LIVE, OrderStatus.NEW, LegState.LIVE),
        (LIVE, OrderStatus.PENDING, LegState.LIVE),
        (LIVE, OrderStatus.PARTIALLY_FILLED, LegState.LIVE),
        (LIVE, OrderStatus.FILLED, LegState.FILLED),
        (LIVE, OrderStatus.CANCELED, LegState.ENDED),
        (LIVE, OrderStatus.EXPIRED, LegState.ENDED),
        (LIVE, OrderStatus.REJECTED, LegState.ENDED),
        (CANCELLING, OrderStatus.NEW, LegState.CANCELLING),
        (CANCELLING, OrderStatus.FILLED, LegState.FILLED),
        (CANCELLING, OrderStatus.CANCELED, LegState.ENDED),
        (INACTIVE, OrderStatus.PENDING, LegState.INACTIVE),
        (INACTIVE, OrderStatus.NEW, LegState.LIVE),
        (INACTIVE, OrderStatus.PARTIALLY_FILLED, LegState.LIVE),
        (INACTIVE, OrderStatus.FILLED, LegState.FILLED),
        (INACTIVE, OrderStatus.CANCELED, LegState.ENDED),
    ],
)
def test_an_open_order_follows_its_status(
    before: Leg, status: OrderStatus, after: LegState
) -> None:
    assert seen(before, order(status)).state is after


@pytest.mark.parametrize("state", [state for state in LegState if state in FINAL])
@pytest.mark.parametrize("status", [one for one in OrderStatus if one is not OrderStatus.UNKNOWN])
def test_a_final_state_stays_whatever_comes_late(state: LegState, status: OrderStatus) -> None:
    assert seen(leg(state=state), order(status)).state is state


@pytest.mark.parametrize("state", [LegState.PLANNED, LegState.SENDING, LegState.UNKNOWN])
def test_an_order_that_nobody_has_accepted_or_adopted_keeps_its_state(state: LegState) -> None:
    assert seen(leg(state=state), order(OrderStatus.FILLED, "88.11")).state is state


@pytest.mark.parametrize("state", LegState)
def test_a_status_that_nobody_documented_raises(state: LegState) -> None:
    with pytest.raises(StrangeStatusError, match="order 101 stands in a status"):
        seen(leg(state=state), order(OrderStatus.UNKNOWN))


def test_the_executed_quantity_never_shrinks() -> None:
    ahead = seen(LIVE, order(OrderStatus.PARTIALLY_FILLED, "50"))

    assert seen(ahead, order(OrderStatus.PARTIALLY_FILLED, "20")).executed == 50
    assert seen(ahead, order(OrderStatus.NEW)) == ahead


def test_what_a_filled_order_executed_can_still_become_known() -> None:
    ended = seen(CANCELLING, order(OrderStatus.CANCELED, "0"))

    assert seen(ended, order(OrderStatus.CANCELED, "12.5")).executed == Decimal("12.5")


def test_a_repetition_changes_nothing() -> None:
    once = seen(LIVE, order(OrderStatus.FILLED, "88.11"))

    assert seen(once, order(OrderStatus.FILLED, "88.11")) == once


def test_any_order_of_the_same_reports_gives_the_same_leg() -> None:
    reports = [
        order(OrderStatus.NEW),
        order(OrderStatus.PARTIALLY_FILLED, "40"),
        order(OrderStatus.PARTIALLY_FILLED, "60"),
        order(OrderStatus.FILLED, "88.11"),
    ]

    for shuffled in permutations(reports):
        found = LIVE
        for report in shuffled:
            found = seen(found, report)
        assert (found.state, found.executed) == (LegState.FILLED, Decimal("88.11"))


def test_only_a_pending_leg_takes_its_quantity_from_the_exchange() -> None:
    assert seen(INACTIVE, order(OrderStatus.NEW, quantity="88.10")).quantity == Decimal("88.10")
    assert seen(LIVE, order(OrderStatus.NEW, quantity="90")).quantity == LIVE.quantity


def test_a_pending_leg_keeps_its_quantity_when_older_news_come() -> None:
    active = seen(INACTIVE, order(OrderStatus.NEW, quantity="88.10"))

    assert seen(active, order(OrderStatus.PENDING, quantity="0")) == active


def test_an_order_keeps_the_list_id_that_it_was_first_seen_with() -> None:
    first = seen(LIVE, order(OrderStatus.NEW))

    assert seen(first, replace(order(OrderStatus.NEW), list_id=None)).list_id == LIST_ID


def test_a_report_and_a_row_of_one_fill_are_one_fill() -> None:
    reported = fill("50", event_id=7)
    listed = fill("50", page_id="p7")

    for tellings in permutations([reported, listed]):
        told = LIVE
        for telling in tellings:
            told = with_fill(told, telling)
        assert told.fills == (replace(reported, page_id="p7"),)


def test_the_same_telling_twice_is_told_once() -> None:
    for telling in (fill("50", event_id=7), fill("50", page_id="p7")):
        once = with_fill(LIVE, telling)
        assert with_fill(once, telling) == once


def test_two_reports_are_two_fills_even_if_all_their_figures_are_equal() -> None:
    both = with_fill(with_fill(LIVE, fill("20", event_id=7)), fill("20", event_id=8))

    assert both.filled_quantity == 40


def test_equal_sub_fills_pair_one_to_one_in_any_order_of_tellings() -> None:
    tellings = [
        fill("20", event_id=7),
        fill("20", event_id=8),
        fill("20", page_id="p7"),
        fill("20", page_id="p8"),
        fill("20", event_id=7),
        fill("20", page_id="p8"),
    ]

    for shuffled in permutations(tellings):
        told = LIVE
        for telling in shuffled:
            told = with_fill(told, telling)
        assert told.filled_quantity == 40
        assert {one.event_id for one in told.fills} == {7, 8}
        assert {one.page_id for one in told.fills} == {"p7", "p8"}


@pytest.mark.parametrize(
    "other",
    [
        fill("30", page_id="p7"),
        fill("20", price="0.2271", page_id="p7"),
        fill("20", fee="0.01", page_id="p7"),
        fill("20", trade_id="2", page_id="p7"),
    ],
)
def test_tellings_that_differ_in_a_figure_are_two_fills(other: LegFill) -> None:
    told = with_fill(with_fill(LIVE, fill("20", event_id=7)), other)

    assert len(told.fills) == 2


def test_sums_are_over_the_fills() -> None:
    told = leg(
        state=LegState.LIVE,
        executed="50",
        fills=[fill("20", fee="0.002", event_id=1), fill("30", fee="0.003", event_id=2)],
    )

    assert (told.filled_quantity, told.filled_quote, told.fees) == (
        Decimal(50),
        Decimal("11.35"),
        Decimal("0.005"),
    )
    assert told.fills_complete
    assert not replace(told, executed=money.quantity("60")).fills_complete


def test_more_fills_than_a_final_leg_executed_is_overfilled() -> None:
    ended = leg(state=LegState.ENDED, executed="30", fills=[fill("30", event_id=1)])

    assert with_fill(ended, fill("0.01", event_id=2)).overfilled
    assert not ended.overfilled
    assert not replace(ended, state=LegState.LIVE, executed=money.quantity("20")).overfilled


def test_a_working_leg_buys_and_the_others_sell() -> None:
    assert [kind.side for kind in LegKind] == [Side.BUY, Side.SELL, Side.SELL]
