"""What the legs of a cycle say about the cycle."""

from dataclasses import replace
from decimal import Decimal

import pytest

from oto.domain import cycle as cycles
from oto.domain import money, placing
from oto.domain.cycle import Cycle, CycleEvent, CyclePhase, event_of
from oto.domain.leg import LegEvent, LegKind, LegState, with_fill
from oto.domain.orders import OrderStatus
from tests import builders
from tests.builders import (
    AT,
    BUY_ID,
    EXIT_ID,
    SELL_ID,
    bought_cycle,
    exiting_cycle,
    fill,
    open_cycle,
    rules,
    seen,
    sent_cycle,
    traded,
    with_conclusions,
    with_exit,
)

pytestmark = pytest.mark.unit


def cancelling_buy() -> Cycle:
    cycle = open_cycle()
    return with_conclusions(placing.cancelling(cycle, cycle.working, AT))


def cancelling_sell() -> Cycle:
    cycle = bought_cycle()
    return with_conclusions(placing.cancelling(cycle, cycle.pending, AT))


def sent_and(event: LegEvent) -> Cycle:
    cycle = sent_cycle()
    return with_conclusions(placing.all_legs(cycle, cycle.working, event))


def test_an_answer_opens_the_cycle_and_holds_its_pending_leg() -> None:
    cycle = open_cycle()

    assert cycle.phase is CyclePhase.OPEN
    assert [leg.state for leg in cycle.legs] == [LegState.LIVE, LegState.INACTIVE]
    assert [leg.order_id for leg in cycle.legs] == [BUY_ID, SELL_ID]


@pytest.mark.parametrize(
    ("event", "phase"),
    [(LegEvent.REFUSE, CyclePhase.REFUSED), (LegEvent.LOSE, CyclePhase.UNKNOWN)],
)
def test_what_became_of_the_post_becomes_of_the_cycle(event: LegEvent, phase: CyclePhase) -> None:
    assert sent_and(event).phase is phase


def test_a_lost_pair_is_absent_once_proven() -> None:
    lost = sent_and(LegEvent.LOSE)

    absent = with_conclusions(placing.all_legs(lost, lost.working, LegEvent.PROVE_ABSENT))

    assert absent.phase is CyclePhase.ABSENT
    assert absent.finished


def test_a_lost_pair_can_be_found_bought_and_sold() -> None:
    lost = sent_and(LegEvent.LOSE)
    found = placing.accepted(lost, lost.working, (BUY_ID, SELL_ID))
    bought = traded(found, BUY_ID, "88.11", fee="0.008811", event_id=1)

    sold = traded(bought, SELL_ID, "88.10", quantity="88.10", event_id=2)

    assert (found.phase, bought.phase, sold.phase) == (
        CyclePhase.UNKNOWN,
        CyclePhase.BOUGHT,
        CyclePhase.SETTLED,
    )


def test_a_cancel_of_the_buy_and_of_the_sell_have_phases_of_their_own() -> None:
    assert cancelling_buy().phase is CyclePhase.CANCELLING
    assert cancelling_sell().phase is CyclePhase.CANCELLING_SELL


@pytest.mark.parametrize("before", [open_cycle(), cancelling_buy()], ids=["alone", "cancelled"])
def test_a_buy_that_ends_empty_is_abandoned_once_its_sell_has_ended_too(before: Cycle) -> None:
    half = seen(before, BUY_ID, OrderStatus.CANCELED)

    whole = seen(half, SELL_ID, OrderStatus.CANCELED, quantity="0")

    assert (half.phase, whole.phase) == (before.phase, CyclePhase.ABANDONED)


@pytest.mark.parametrize("before", [open_cycle(), cancelling_buy()], ids=["alone", "cancelled"])
def test_a_buy_that_ends_partly_filled_is_sold_by_exits(before: Cycle) -> None:
    partly = traded(before, BUY_ID, "40", status=OrderStatus.PARTIALLY_FILLED, event_id=1)

    ended = seen(partly, BUY_ID, OrderStatus.CANCELED, executed="40")

    assert (partly.phase, ended.phase) == (before.phase, CyclePhase.EXITING)


def test_a_fill_that_was_faster_than_the_cancel_is_a_fill() -> None:
    assert traded(cancelling_buy(), BUY_ID, "88.11", event_id=1).phase is CyclePhase.BOUGHT
    sold = traded(cancelling_sell(), SELL_ID, "88.10", quantity="88.10", event_id=2)
    assert sold.phase is CyclePhase.SETTLED


def test_a_sell_that_ends_leaves_its_rest_to_the_exits() -> None:
    assert exiting_cycle().phase is CyclePhase.EXITING
    assert exiting_cycle(sold="60").exposure == Decimal("28.101189")


def test_a_sell_of_less_than_was_bought_is_followed_by_exits() -> None:
    cycle = bought_cycle(sell=OrderStatus.PENDING)

    sold = traded(cycle, SELL_ID, "50", quantity="50", event_id=2)

    assert sold.phase is CyclePhase.EXITING


def test_a_sell_is_not_believed_sold_before_all_its_fills_are_told() -> None:
    filled = seen(bought_cycle(), SELL_ID, OrderStatus.FILLED, quantity="88.10", executed="88.10")

    told = with_conclusions(filled.with_leg(with_fill(filled.pending, fill("88.10", event_id=2))))

    assert (filled.phase, told.phase) == (CyclePhase.BOUGHT, CyclePhase.SETTLED)


def test_a_cycle_is_flat_once_its_exit_has_sold_all_but_dust() -> None:
    cycle = with_exit(exiting_cycle())

    flat = traded(cycle, EXIT_ID, "88.10", quantity="88.10", event_id=3)

    assert flat.phase is CyclePhase.SETTLED
    assert flat.exposure == Decimal("0.001189")


@pytest.mark.parametrize(
    "state", [LegState.PLANNED, LegState.SENDING, LegState.UNKNOWN, LegState.LIVE]
)
def test_a_cycle_is_not_flat_while_an_order_of_it_is_or_may_be_open(state: LegState) -> None:
    nothing_left = traded(
        with_exit(exiting_cycle()),
        EXIT_ID,
        "88.10",
        quantity="88.10",
        status=OrderStatus.PARTIALLY_FILLED,
        event_id=3,
    )

    assert nothing_left.phase is CyclePhase.EXITING
    assert event_of(with_exit(nothing_left, state), rules()) is None


def test_a_cycle_is_not_flat_before_all_its_fills_are_told() -> None:
    cycle = with_exit(exiting_cycle())
    cycle = seen(cycle, EXIT_ID, OrderStatus.FILLED, quantity="88.10", executed="88.10")

    dust_left = with_conclusions(cycle.with_leg(with_fill(cycle.exits[0], fill("88", event_id=3))))
    all_told = with_conclusions(
        dust_left.with_leg(with_fill(dust_left.exits[0], fill("0.10", event_id=4)))
    )

    assert (dust_left.phase, all_told.phase) == (CyclePhase.EXITING, CyclePhase.SETTLED)


def test_a_parked_cycle_is_settled_if_what_it_holds_is_only_dust() -> None:
    cycle = traded(with_exit(exiting_cycle()), EXIT_ID, "88.10", quantity="88.10", event_id=3)

    parked = replace(cycle, phase=CyclePhase.PARKED)

    assert event_of(parked, rules()) is CycleEvent.FLAT


@pytest.mark.parametrize(
    "phase", [CyclePhase.PLANNED, *(phase for phase in CyclePhase if phase in cycles.FINISHED)]
)
def test_nothing_is_concluded_of_a_planned_or_a_finished_cycle(phase: CyclePhase) -> None:
    assert event_of(replace(bought_cycle(), phase=phase), rules()) is None


def test_exposure_is_bought_less_fee_less_sold() -> None:
    cycle = bought_cycle(fee="0.008811")
    partly = OrderStatus.PARTIALLY_FILLED

    sold = traded(cycle, SELL_ID, "30", quantity="88.10", status=partly, event_id=2)

    assert cycle.exposure == Decimal("88.101189")
    assert sold.exposure == Decimal("58.101189")
    assert sold.bought == Decimal("20.00097")


@pytest.mark.parametrize(
    ("held", "sellable"),
    [("0.01", "0"), ("0.44", "0"), ("0.45", "0.45"), ("0.4599", "0.45"), ("88.109", "88.10")],
)
def test_what_is_off_the_step_or_below_the_least_notional_is_dust(held: str, sellable: str) -> None:
    bought = builders.leg(state=LegState.FILLED, fills=[fill(held, event_id=1)])
    cycle = replace(open_cycle(), legs=(bought, open_cycle().pending))

    assert cycles.sellable_floor(cycle, rules(), money.price("0.22689")) == Decimal(sellable)


def test_a_cycle_that_seems_to_have_sold_more_than_it_bought_can_sell_nothing() -> None:
    late = with_exit(open_cycle(), LegState.FILLED)
    cycle = late.with_leg(with_fill(late.exits[0], fill("10", event_id=1)))

    assert cycle.exposure == -10
    assert cycles.sellable_floor(cycle, rules(), money.price("0.227")) == 0


def test_legs_are_found_by_order_id_and_by_their_place() -> None:
    cycle = with_exit(exiting_cycle())

    assert [leg.kind for leg in cycle.legs] == [LegKind.WORKING, LegKind.PENDING, LegKind.EXIT]
    assert cycle.leg_of(EXIT_ID) == cycle.exits[0] == cycle.sells[1]
    assert cycle.leg_of("999") is None


def test_the_average_buy_price_is_zero_before_the_first_fill() -> None:
    assert open_cycle().average_buy_price_floor == 0
    assert bought_cycle().average_buy_price_floor == Decimal("0.227")
