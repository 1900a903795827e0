"""What a job does with what it holds: sell it down the ladder, or keep it for a better price."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import pytest

from oto.domain import money, placing
from oto.domain.cycle import Cycle, CycleEvent, CyclePhase
from oto.domain.cycle import after as cycle_after
from oto.domain.decide import decide
from oto.domain.decisions import Cancel, Decision, End, Exit, Look, Park, Sleep, Unpark
from oto.domain.job import JobEvent, Reason, Wish
from oto.domain.leg import LegState
from oto.domain.market import SymbolStatus
from oto.domain.orders import LimitOrder, OrderId, OrderStatus, Side
from oto.domain.planning import Fingerprint
from oto.domain.pricing.profiles import CROSS
from oto.domain.risk.verdict import Situation
from tests import builders
from tests.builders import (
    AT,
    BUY_ID,
    EXIT_ID,
    SELL_ID,
    after_s,
    exiting_cycle,
    job,
    open_cycle,
    rules,
    seen,
    situation,
    tick,
    token,
    traded,
    view,
    with_conclusions,
    with_exit,
)

pytestmark = pytest.mark.unit

GOOD = situation()
HALTED = situation(permission=replace(builders.ALLOWED, halted="halted by ann"))
STALE = replace(GOOD, tick=tick(connected=False))
LOW = situation(bid="0.22018", ask="0.22020")
"""Just below 3 % under the buy at 0.227."""


def decided(
    cycle: Cycle,
    around: Situation = GOOD,
    *,
    wish: Wish = Wish.RUN,
    taken: Iterable[Fingerprint] = (),
) -> Decision:
    return decide(view(cycle, job=job(wish=wish), situation=around, taken=taken))


def sold(decision: Decision) -> LimitOrder:
    assert isinstance(decision, Exit), decision
    return decision.approved.order


def parked_cycle() -> Cycle:
    return cycle_after(exiting_cycle(), CycleEvent.PARK, AT)


def later(seconds: float, around: Situation = GOOD) -> Situation:
    """Return the same market so many seconds after AT, as fresh as it was."""
    prices = None if around.tick is None else replace(around.tick, received_at=after_s(seconds))
    return replace(around, now=after_s(seconds), tick=prices)


def cancelled_partly(sell: OrderStatus) -> Cycle:
    """Return a cycle of which 40 were bought when its BUY was cancelled."""
    cycle = traded(
        open_cycle(), BUY_ID, "40", status=OrderStatus.PARTIALLY_FILLED, fee="0.004", event_id=1
    )
    live = sell is OrderStatus.NEW
    cycle = seen(cycle, SELL_ID, sell, quantity="39.99" if live else "0")
    cycle = with_conclusions(placing.cancelling(cycle, cycle.working, AT))
    return seen(cycle, BUY_ID, OrderStatus.CANCELED, executed="40")


def test_the_first_exit_sells_everything_at_the_first_rung() -> None:
    order = sold(decided(exiting_cycle()))

    assert (order.side, order.price, order.quantity) == (
        Side.SELL,
        Decimal("0.22678"),
        Decimal("88.10"),
    )


def test_each_rung_sells_what_is_left_at_a_lower_price() -> None:
    prices = [
        sold(decided(replace(exiting_cycle(sold="60"), rung=rung)))
        for rung in range(len(CROSS.exit_rungs_bps))
    ]

    assert [order.quantity for order in prices] == [Decimal("28.10")] * 5
    assert [order.price for order in prices] == [
        Decimal(text) for text in ("0.22678", "0.22667", "0.22644", "0.22576", "0.22463")
    ]


def test_a_ladder_has_an_end() -> None:
    cycle = replace(exiting_cycle(), rung=len(CROSS.exit_rungs_bps))

    assert decided(cycle) == Park(Reason.PARKED, "5 exit orders found no buyer")


def test_a_rung_below_the_stated_loss_is_raised_to_it() -> None:
    edge = situation(bid="0.22019", ask="0.22030")

    assert sold(decided(replace(exiting_cycle(), rung=4), edge)).price == Decimal("0.22019")


def test_a_bid_below_the_stated_loss_parks() -> None:
    assert decided(exiting_cycle(), LOW) == Park(
        Reason.PARKED, "the bid 0.22018 is below the lowest price 0.22019"
    )


def test_what_the_exchange_does_not_take_at_this_price_is_parked() -> None:
    dear = replace(GOOD, rules=rules(least_notional="19.99"))

    assert decided(exiting_cycle(), dear) == Park(
        Reason.PARKED, "it is less than the exchange takes at this price"
    )


def test_an_exit_differs_from_those_of_the_last_day() -> None:
    first = sold(decided(exiting_cycle()))

    second = sold(decided(exiting_cycle(), taken=[(first.price, first.quantity)]))

    assert second.price == first.price - rules().tick_size


def test_when_no_exit_can_be_told_apart_the_job_waits() -> None:
    taken = [
        (money.Price(Decimal("0.22678") + ticks * Decimal("0.00001")), money.quantity("88.10"))
        for ticks in range(-10, 11)
    ]

    assert decided(exiting_cycle(), taken=taken) == Sleep(after_s(1), Reason.NO_FINGERPRINT)


@pytest.mark.parametrize(
    ("around", "reason"), [(HALTED, Reason.HALTED), (STALE, Reason.STALE_PRICE)]
)
def test_a_market_that_cannot_be_sold_into_is_waited_for(around: Situation, reason: Reason) -> None:
    decision = decided(exiting_cycle(), around)

    assert isinstance(decision, Sleep)
    assert (decision.until, decision.reason) == (after_s(1), reason)


@pytest.mark.parametrize(
    ("around", "reason"),
    [
        (replace(GOOD, rules=None), Reason.RULES_UNKNOWN),
        (replace(GOOD, token=None), Reason.RULES_UNKNOWN),
        (replace(GOOD, rules=rules(status=SymbolStatus.DELISTED)), Reason.NOT_TRADING),
        (replace(GOOD, token=token(sell_closed=True)), Reason.NOT_TRADING),
    ],
)
def test_a_token_that_cannot_be_sold_is_parked(around: Situation, reason: Reason) -> None:
    decision = decided(exiting_cycle(), around)

    assert isinstance(decision, Park)
    assert decision.reason is reason


@pytest.mark.parametrize("wish", Wish)
def test_what_is_held_is_sold_whatever_is_wished(wish: Wish) -> None:
    assert sold(decided(exiting_cycle(), wish=wish)).quantity == Decimal("88.10")


def test_an_exit_rests_for_its_time_and_makes_room_for_the_next() -> None:
    cycle = replace(with_exit(exiting_cycle(), sent_at=after_s(10)), looked_at=after_s(11.5))

    assert decided(cycle, later(11.8)) == Sleep(after_s(12))
    assert decided(cycle, later(12)) == Cancel(cycle.exits[0])

    ended = seen(
        placing.cancelling(cycle, cycle.exits[0], after_s(12)),
        EXIT_ID,
        OrderStatus.CANCELED,
        quantity="88.10",
    )
    assert sold(decided(ended, later(12.1))).price == Decimal("0.22667")


def test_no_exit_is_priced_before_all_fills_are_told() -> None:
    cycle = seen(exiting_cycle(), SELL_ID, OrderStatus.CANCELED, quantity="88.10", executed="30")

    assert decided(cycle) == Look()
    looked = replace(cycle, looked_at=after_s(0.1))
    assert decided(looked, later(0.2)) == Sleep(after_s(1.1))
    assert decided(looked, later(1.1)) == Look()


def test_a_sell_that_is_never_triggered_is_cancelled_before_its_part_is_sold() -> None:
    """The policy `pending_on_full_fill`: the SELL stays there, not active."""
    cycle = cancelled_partly(OrderStatus.PENDING)
    assert cycle.phase is CyclePhase.EXITING
    assert decided(cycle) == Cancel(cycle.pending)

    cancelled = placing.cancelling(cycle, cycle.pending, AT)
    assert decided(cancelled) == Look()

    ended = seen(cancelled, SELL_ID, OrderStatus.CANCELED, quantity="0")
    assert_flat_after_one_exit(ended)


def test_a_sell_of_the_part_that_was_bought_gets_its_time() -> None:
    """The policy `pending_on_partial`: the SELL is live for what was bought."""
    cycle = replace(cancelled_partly(OrderStatus.NEW), looked_at=after_s(1.5))
    assert decided(cycle, later(1.9)) == Sleep(after_s(2))
    assert decided(cycle, later(2)) == Cancel(cycle.pending)

    ended = seen(cycle, SELL_ID, OrderStatus.CANCELED, quantity="39.99")
    assert_flat_after_one_exit(ended)


def test_a_sell_of_the_part_that_was_bought_can_settle_the_cycle() -> None:
    cycle = cancelled_partly(OrderStatus.NEW)

    flat = traded(cycle, SELL_ID, "39.99", quantity="39.99", event_id=2)

    assert flat.phase is CyclePhase.SETTLED


def test_a_part_whose_sell_ended_with_the_buy_is_sold_at_once() -> None:
    """The policy `void_on_cancel`: both legs end together."""
    assert_flat_after_one_exit(cancelled_partly(OrderStatus.CANCELED))


def assert_flat_after_one_exit(cycle: Cycle) -> None:
    assert sold(decided(cycle)).quantity == Decimal("39.99")
    exiting = with_exit(cycle, quantity="39.99")
    flat = traded(exiting, EXIT_ID, "39.99", quantity="39.99", event_id=3)
    assert flat.phase is CyclePhase.SETTLED
    assert flat.exposure == Decimal("0.006")


def test_parked_inventory_rests_and_is_taken_up_when_the_price_allows() -> None:
    assert decided(parked_cycle(), later(4.5)) == Sleep(after_s(5.5), Reason.PARKED)
    assert decided(parked_cycle(), later(3)) == Sleep(after_s(5), Reason.PARKED)
    assert decided(parked_cycle(), later(5)) == Unpark()


def test_parked_inventory_stays_while_the_price_is_below_the_stated_loss() -> None:
    assert decided(parked_cycle(), later(60, LOW)) == Sleep(
        after_s(65), Reason.PARKED, "the bid 0.22018 is below the lowest price 0.22019"
    )


@pytest.mark.parametrize(
    ("around", "detail"),
    [
        (HALTED, "trading is halted"),
        (STALE, "no fresh price"),
        (
            replace(GOOD, rules=None),
            "the exchange's list does not have this symbol now",
        ),
    ],
)
def test_parked_inventory_stays_while_nothing_can_be_sold(around: Situation, detail: str) -> None:
    assert decided(parked_cycle(), later(60, around)) == Sleep(after_s(61), Reason.PARKED, detail)


@pytest.mark.parametrize(
    ("wish", "event"), [(Wish.PAUSE, JobEvent.PAUSE), (Wish.STOP, JobEvent.STOP)]
)
def test_a_job_may_leave_with_parked_inventory_and_says_so(wish: Wish, event: JobEvent) -> None:
    assert decided(parked_cycle(), wish=wish) == End(event, Reason.PARKED)


def test_inventory_that_is_taken_up_again_has_the_whole_ladder_before_it() -> None:
    given_up = replace(exiting_cycle(), rung=5)
    again = cycle_after(cycle_after(given_up, CycleEvent.PARK, AT), CycleEvent.UNPARK, after_s(5))

    assert sold(decided(again)).price == Decimal("0.22678")


def test_an_exit_that_was_refused_is_followed_by_the_next() -> None:
    refused = with_exit(exiting_cycle(), LegState.REFUSED)

    assert sold(decided(refused)).price == Decimal("0.22667")


def refused_at(*seconds: float) -> Cycle:
    cycle = exiting_cycle()
    for one in seconds:
        cycle = with_exit(cycle, LegState.REFUSED, sent_at=after_s(one))
    return cycle


def test_exits_that_are_refused_again_and_again_are_for_a_human() -> None:
    sold(decided(refused_at(1, 2), later(3)))
    assert decided(refused_at(1, 2, 3), later(4)) == End(
        JobEvent.NEED_HUMAN, Reason.AMBIGUOUS, "exits are refused: is it in the wallet?"
    )


def test_refusals_of_long_ago_do_not_count() -> None:
    sold(decided(refused_at(0, 2, 3), later(120)))
    assert isinstance(decided(refused_at(0, 2, 3), later(119)), End)


def test_refusals_before_an_exit_that_was_taken_do_not_count() -> None:
    cycle = refused_at(1, 2, 3)
    taken = replace(cycle.exits[1], order_id=OrderId("77"), state=LegState.ENDED)

    sold(decided(cycle.with_leg(taken), later(4)))
