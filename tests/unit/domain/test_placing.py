"""Each step of the placement protocol."""

from dataclasses import replace

import pytest

from oto.domain import placing
from oto.domain.cycle import Cycle, CyclePhase
from oto.domain.job import Reason
from oto.domain.leg import ImpossibleTransitionError, LegEvent, LegState, SeenOrder
from oto.domain.orders import OrderId, OrderStatus
from tests.builders import (
    AT,
    BUY_ID,
    LIST_ID,
    SELL_ID,
    after_s,
    bought_cycle,
    exiting_cycle,
    open_cycle,
    planned_cycle,
    sent_cycle,
    with_conclusions,
    with_exit,
)

pytestmark = pytest.mark.unit


def states(cycle: Cycle) -> list[LegState]:
    return [leg.state for leg in cycle.legs]


def test_a_pair_goes_with_one_post_and_an_exit_with_its_own() -> None:
    cycle = with_exit(exiting_cycle(), LegState.PLANNED)

    assert placing.batch(cycle, cycle.working) == (cycle.working, cycle.pending)
    assert placing.batch(cycle, cycle.pending) == (cycle.working, cycle.pending)
    assert placing.batch(cycle, cycle.exits[0]) == (cycle.exits[0],)


def test_a_pair_that_is_sent_notes_when() -> None:
    cycle = placing.sending(planned_cycle(), planned_cycle().working, after_s(2))

    assert (cycle.phase, cycle.phase_since) == (CyclePhase.SENDING, after_s(2))
    assert states(cycle) == [LegState.SENDING, LegState.SENDING]
    assert [leg.sent_at for leg in cycle.legs] == [after_s(2), after_s(2)]


def test_an_exit_that_is_sent_leaves_the_cycle_exiting() -> None:
    cycle = with_exit(exiting_cycle(), LegState.PLANNED)

    sent = placing.sending(cycle, cycle.exits[0], after_s(2))

    assert (sent.phase, sent.phase_since) == (CyclePhase.EXITING, AT)
    assert sent.exits[0].state is LegState.SENDING


def test_an_order_is_sent_once() -> None:
    cycle = sent_cycle()

    with pytest.raises(ImpossibleTransitionError):
        placing.sending(cycle, cycle.working, AT)


def test_an_accepted_exit_is_live_under_its_id() -> None:
    cycle = with_exit(exiting_cycle(), LegState.SENDING)

    accepted = placing.accepted(cycle, cycle.exits[0], (OrderId("7"),))

    assert (accepted.exits[0].state, accepted.exits[0].order_id) == (LegState.LIVE, "7")


@pytest.mark.parametrize("ids", [(BUY_ID,), (BUY_ID, SELL_ID, OrderId("103"))])
def test_a_pair_is_not_accepted_with_one_id_or_three(ids: tuple[OrderId, ...]) -> None:
    cycle = sent_cycle()

    with pytest.raises(ValueError, match="argument"):
        placing.accepted(cycle, cycle.working, ids)


@pytest.mark.parametrize(
    ("event", "state"), [(LegEvent.REFUSE, LegState.REFUSED), (LegEvent.LOSE, LegState.UNKNOWN)]
)
def test_what_happens_to_a_post_happens_to_the_whole_pair(event: LegEvent, state: LegState) -> None:
    cycle = sent_cycle()

    assert states(placing.all_legs(cycle, cycle.working, event)) == [state, state]


def test_what_happens_to_an_exit_happens_to_it_alone() -> None:
    cycle = with_exit(exiting_cycle(), LegState.SENDING)

    lost = placing.all_legs(cycle, cycle.exits[0], LegEvent.LOSE)

    assert states(lost) == [LegState.FILLED, LegState.ENDED, LegState.UNKNOWN]


def test_a_cancel_can_be_sent_again_and_notes_the_last_time() -> None:
    cycle = open_cycle()
    first = placing.cancelling(cycle, cycle.working, after_s(4))

    again = placing.cancelling(first, first.working, after_s(8))

    assert first.working.state is again.working.state is LegState.CANCELLING
    assert again.working.cancel_sent_at == after_s(8)


def test_what_is_over_cannot_be_cancelled() -> None:
    cycle = exiting_cycle()

    with pytest.raises(ImpossibleTransitionError):
        placing.cancelling(cycle, cycle.pending, AT)


def test_what_is_seen_of_a_leg_is_taken_into_its_cycle() -> None:
    cycle = open_cycle()
    order = SeenOrder(
        BUY_ID, LIST_ID, OrderStatus.FILLED, cycle.working.quantity, cycle.working.quantity
    )

    assert placing.seen(cycle, cycle.working, order).working.state is LegState.FILLED


def test_an_intent_that_was_never_sent_is_discarded() -> None:
    found = placing.recovered(planned_cycle(), after_s(60))

    assert (found.phase, found.phase_since) == (CyclePhase.ABANDONED, after_s(60))
    assert states(found) == [LegState.DISCARDED, LegState.DISCARDED]


def test_a_pair_whose_sender_died_may_have_been_sent() -> None:
    found = with_conclusions(placing.recovered(sent_cycle(), after_s(60)))

    assert found.phase is CyclePhase.UNKNOWN
    assert states(found) == [LegState.UNKNOWN, LegState.UNKNOWN]


@pytest.mark.parametrize(
    ("left", "found"),
    [(LegState.PLANNED, LegState.DISCARDED), (LegState.SENDING, LegState.UNKNOWN)],
)
def test_an_exit_is_recovered_alone(left: LegState, found: LegState) -> None:
    cycle = placing.recovered(with_exit(exiting_cycle(), left), after_s(60))

    assert cycle.phase is CyclePhase.EXITING
    assert states(cycle) == [LegState.FILLED, LegState.ENDED, found]


def test_why_an_earlier_answer_was_lost_is_not_why_a_sender_died() -> None:
    firewalled = replace(
        with_exit(exiting_cycle(), LegState.SENDING), lost_reason=Reason.FIREWALLED
    )

    assert placing.recovered(firewalled, after_s(60)).lost_reason is None


@pytest.mark.parametrize(
    "cycle",
    [
        open_cycle(),
        bought_cycle(),
        with_exit(exiting_cycle()),
        replace(exiting_cycle(), phase=CyclePhase.PARKED),
    ],
    ids=lambda cycle: cycle.phase.value,
)
def test_what_nobody_left_half_done_is_found_as_it_was(cycle: Cycle) -> None:
    assert placing.recovered(cycle, after_s(60)) == cycle


def test_recovering_twice_is_recovering_once() -> None:
    once = with_conclusions(placing.recovered(sent_cycle(), AT))

    assert placing.recovered(once, after_s(1)) == once
