"""Whether a lost order was placed, from what the exchange shows."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from oto.domain.leg import Leg, LegKind, LegState
from oto.domain.market import Symbol
from oto.domain.matching import (
    CLEAN_READS,
    SETTLING,
    SKEW,
    Absent,
    Adopted,
    Ambiguous,
    Outcome,
    StillUnknown,
    match,
)
from oto.domain.orders import LegRole, OrderId, OrderRow, Side
from tests.builders import AT, SYMBOL, after_s, leg, row

pytestmark = pytest.mark.unit

WORKING = replace(leg(state=LegState.UNKNOWN), sent_at=AT)
EXIT = replace(leg(LegKind.EXIT, LegState.UNKNOWN, price="0.2267"), sent_at=AT)
BUY = row("101")
SELL = row("102", role=LegRole.PENDING, price="0.22671", quantity="0")
A_MOMENT = timedelta(milliseconds=1)
SOON, SETTLED = after_s(1), AT + SETTLING


def matched(
    rows: Sequence[OrderRow],
    lost: Leg = WORKING,
    *,
    owned: Iterable[str] = (),
    read_at: datetime = SOON,
) -> Outcome:
    return match(lost, SYMBOL, rows, {OrderId(one) for one in owned}, read_at)


def test_a_pair_that_is_there_is_adopted_with_both_rows() -> None:
    others = [row("90", price="0.2"), row("91", role=LegRole.PENDING, list_id="8")]

    assert matched([*others, SELL, BUY]) == Adopted(BUY, SELL)


def test_a_row_that_two_reads_show_is_one_order() -> None:
    assert matched([BUY, SELL, BUY]) == Adopted(BUY, SELL)


def test_a_pair_without_its_pending_row_waits_for_it_and_then_asks_a_human() -> None:
    other_symbol = replace(SELL, symbol=Symbol("ALPHA_971USDT"))
    last_read = replace(WORKING, clean_reads=CLEAN_READS - 1)

    assert matched([BUY, other_symbol]) == StillUnknown(replace(WORKING, clean_reads=1))
    assert isinstance(matched([BUY], last_read), StillUnknown)
    assert matched([BUY], last_read, read_at=SETTLED) == Ambiguous((BUY.order_id,))


def test_an_exit_that_is_there_is_adopted_alone() -> None:
    plain = row("103", role=None, price="0.2267")

    assert matched([plain], EXIT) == Adopted(plain, None)


def test_an_exit_is_not_taken_for_a_pending_leg() -> None:
    pending = row("102", role=LegRole.PENDING, price="0.2267")

    assert isinstance(matched([pending], EXIT), StillUnknown)


@pytest.mark.parametrize(
    "other",
    [
        replace(BUY, symbol=Symbol("ALPHA_971USDT")),
        replace(BUY, side=Side.SELL),
        replace(BUY, oto=None),
        row("101", price="0.22718"),
        row("101", quantity="88.10"),
    ],
    ids=["symbol", "side", "no oto", "price", "quantity"],
)
def test_an_order_that_differs_in_one_thing_is_another(other: OrderRow) -> None:
    assert isinstance(matched([other, SELL]), StillUnknown)


@pytest.mark.parametrize(
    ("created_at", "found"),
    [
        (AT - SKEW, True),
        (AT - SKEW - A_MOMENT, False),
        (SOON + SKEW, True),
        (SOON + SKEW + A_MOMENT, False),
        (None, True),
    ],
)
def test_an_order_was_placed_between_the_sending_and_the_read(
    created_at: datetime | None,
    found: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    outcome = matched([replace(BUY, created_at=created_at), SELL])

    assert isinstance(outcome, Adopted) is found


def test_an_order_that_is_ours_already_is_not_taken_again() -> None:
    twin = row("201", list_id="10")
    partner = row("202", role=LegRole.PENDING, list_id="10", price="0.22671", quantity="0")

    assert matched([BUY, SELL, twin, partner], owned=["101"]) == Adopted(twin, partner)
    assert isinstance(matched([BUY, SELL], owned=["101"]), StillUnknown)


def test_two_orders_that_fit_are_for_a_human() -> None:
    twin = row("201", list_id="10")

    assert matched([BUY, SELL, twin]) == Ambiguous((BUY.order_id, twin.order_id))


def test_each_read_without_the_order_is_counted() -> None:
    first = matched([])
    assert isinstance(first, StillUnknown)

    second = matched([], first.leg)

    assert isinstance(second, StillUnknown)
    assert (first.leg.clean_reads, second.leg.clean_reads) == (1, 2)


@pytest.mark.parametrize(
    ("reads_before", "read_at", "absent"),
    [
        (CLEAN_READS - 1, SETTLED, True),
        (CLEAN_READS - 2, SETTLED, False),
        (CLEAN_READS - 1, SETTLED - A_MOMENT, False),
        (CLEAN_READS + 50, SOON, False),
    ],
)
def test_an_order_is_absent_after_the_settling_window_and_enough_reads(
    reads_before: int,
    read_at: datetime,
    absent: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    lost = replace(WORKING, clean_reads=reads_before)

    assert isinstance(matched([], lost, read_at=read_at), Absent) is absent


def test_an_order_that_shows_late_is_adopted_however_many_reads_missed_it() -> None:
    lost = replace(WORKING, clean_reads=CLEAN_READS + 1)

    assert matched([BUY, SELL], lost, read_at=after_s(60)) == Adopted(BUY, SELL)


def test_an_order_whose_sending_time_was_lost_is_never_called_absent() -> None:
    lost = replace(WORKING, sent_at=None, clean_reads=99)

    assert isinstance(matched([], lost, read_at=after_s(3600)), StillUnknown)
