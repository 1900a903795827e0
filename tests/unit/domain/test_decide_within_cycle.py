"""What a job does with an unfinished pair: wait, look, cancel, or call for help."""

from dataclasses import replace

import pytest

from oto.domain import placing
from oto.domain.cycle import Cycle, CyclePhase
from oto.domain.decide import decide
from oto.domain.decisions import Cancel, Decision, End, Look, Sleep
from oto.domain.job import JobEvent, Reason, Wish
from oto.domain.leg import LegEvent, LegState, with_fill
from oto.domain.orders import OrderStatus
from tests import builders
from tests.builders import (
    AT,
    BUY_ID,
    SELL_ID,
    after_s,
    bought_cycle,
    exiting_cycle,
    fill,
    job,
    open_cycle,
    planned_cycle,
    seen,
    sent_cycle,
    situation,
    view,
    with_conclusions,
    with_exit,
)

pytestmark = pytest.mark.unit

HALTED = replace(builders.ALLOWED, halted="halted by ann")


def decided(cycle: Cycle, at_s: float = 0, *, looked_s: float | None = None) -> Decision:
    """Decide so many seconds after the phase began; the last look was so many after it."""
    looked_at = None if looked_s is None else after_s(looked_s)
    return decide(view(replace(cycle, looked_at=looked_at), at_s=at_s))


def wished(cycle: Cycle, wish: Wish) -> Decision:
    return decide(view(cycle, job=job(wish=wish)))


def halted(cycle: Cycle) -> Decision:
    return decide(view(cycle, situation=situation(permission=HALTED)))


def cancelling_buy(at_s: float) -> Cycle:
    cycle = open_cycle()
    return with_conclusions(placing.cancelling(cycle, cycle.working, after_s(at_s)))


def lost(cycle: Cycle) -> Cycle:
    return with_conclusions(placing.all_legs(cycle, cycle.legs[-1], LegEvent.LOSE))


def test_a_live_buy_is_slept_on_until_the_next_look() -> None:
    assert decided(open_cycle()) == Sleep(after_s(1))
    assert decided(open_cycle(), 1) == Look()
    assert decided(open_cycle(), 1.2, looked_s=1) == Sleep(after_s(2))
    assert decided(open_cycle(), 2, looked_s=1) == Look()


def test_a_sleep_ends_at_the_deadline_if_that_is_earlier() -> None:
    assert decided(open_cycle(), 3.6, looked_s=3.5) == Sleep(after_s(4))


def test_a_buy_that_rests_too_long_is_cancelled() -> None:
    assert decided(open_cycle(), 3.999, looked_s=3.9) == Sleep(after_s(4))
    assert decided(open_cycle(), 4, looked_s=3.9) == Cancel(open_cycle().working)


@pytest.mark.parametrize("wish", [Wish.PAUSE, Wish.STOP])
def test_a_buy_that_is_not_wanted_any_more_is_cancelled_at_once(wish: Wish) -> None:
    assert wished(open_cycle(), wish) == Cancel(open_cycle().working)


def test_a_buy_under_a_halt_is_cancelled_at_once() -> None:
    assert halted(open_cycle()) == Cancel(open_cycle().working)


def test_after_a_cancel_the_order_is_read_and_cancelled_again_if_it_lives_on() -> None:
    cycle = cancelling_buy(4)

    assert decided(cycle, 4.1, looked_s=3.9) == Look()
    assert decided(cycle, 4.1) == Look()
    assert decided(cycle, 4.2, looked_s=4) == Sleep(after_s(5))
    assert decided(cycle, 5, looked_s=4) == Look()
    assert decided(cycle, 6.999, looked_s=6.5) == Sleep(after_s(7.5))
    assert decided(cycle, 7, looked_s=6.5) == Cancel(cycle.working)


def test_a_clock_that_was_set_back_makes_nobody_read_without_a_pause() -> None:
    told_late = seen(
        bought_cycle(), SELL_ID, OrderStatus.FILLED, quantity="88.10", executed="88.10"
    )

    assert decided(cancelling_buy(0), -5, looked_s=-5.1) == Sleep(after_s(1))
    assert decided(told_late, -5, looked_s=-5.1) == Sleep(after_s(1))


def test_no_wish_and_no_halt_hurries_a_cancel_that_is_on_its_way() -> None:
    cycle = replace(cancelling_buy(0), looked_at=AT)

    assert wished(cycle, Wish.STOP) == halted(cycle) == Sleep(after_s(1))


def test_a_pair_that_ended_empty_is_read_before_its_sell_is_cancelled() -> None:
    dying = seen(cancelling_buy(0), BUY_ID, OrderStatus.CANCELED)

    assert decided(dying, 0.5) == Look()
    assert decided(dying, 0.5, looked_s=0.4) == Cancel(dying.pending)

    cancelled = placing.cancelling(dying, dying.pending, after_s(0.5))
    assert decided(cancelled, 0.6, looked_s=0.4) == Look()
    assert decided(cancelled, 0.7, looked_s=0.6) == Sleep(after_s(1.6))
    assert decided(cancelled, 3.5, looked_s=3) == Cancel(cancelled.pending)


def test_a_live_sell_is_slept_on_and_cancelled_at_its_own_deadline() -> None:
    cycle = bought_cycle()

    assert decided(cycle) == Sleep(after_s(1))
    assert decided(cycle, 5.5, looked_s=5.4) == Sleep(after_s(6))
    assert decided(cycle, 6, looked_s=5.4) == Cancel(cycle.pending)


def test_a_sell_that_was_never_triggered_is_cancelled_at_the_same_deadline() -> None:
    cycle = bought_cycle(sell=OrderStatus.PENDING)

    assert decided(cycle, 6, looked_s=5.4) == Cancel(cycle.pending)


@pytest.mark.parametrize("wish", [Wish.PAUSE, Wish.STOP])
def test_a_sell_is_let_finish_whatever_is_wished(wish: Wish) -> None:
    assert wished(bought_cycle(), wish) == Sleep(after_s(1))
    assert halted(bought_cycle()) == Sleep(after_s(1))


def test_a_cancelled_sell_is_read_and_cancelled_again() -> None:
    cycle = bought_cycle()
    cycle = with_conclusions(placing.cancelling(cycle, cycle.pending, after_s(6)))

    assert cycle.phase is CyclePhase.CANCELLING_SELL
    assert decided(cycle, 6.1, looked_s=5) == Look()
    assert decided(cycle, 9, looked_s=8.5) == Cancel(cycle.pending)


def test_fills_that_are_not_told_yet_are_read_at_once_and_then_each_second() -> None:
    filled = OrderStatus.FILLED
    cycle = seen(bought_cycle(), SELL_ID, filled, quantity="88.10", executed="88.10")

    assert decided(cycle) == Look()
    assert decided(cycle, 0.2, looked_s=0.1) == Sleep(after_s(1.1))
    assert decided(cycle, 1.1, looked_s=0.1) == Look()


@pytest.mark.parametrize("wish", Wish)
def test_a_lost_pair_is_only_looked_for(wish: Wish) -> None:
    cycle = lost(sent_cycle())

    assert cycle.phase is CyclePhase.UNKNOWN
    assert wished(cycle, wish) == halted(cycle) == Sleep(after_s(1), Reason.UNRESOLVED)
    assert decided(cycle, 60, looked_s=59.5) == Sleep(after_s(60.5), Reason.UNRESOLVED)
    assert decided(cycle, 60, looked_s=59) == Look()


def test_a_lost_exit_is_only_looked_for() -> None:
    cycle = lost(with_exit(exiting_cycle(), LegState.SENDING))

    assert decided(cycle) == Sleep(after_s(1), Reason.UNRESOLVED)
    assert decided(cycle, 60, looked_s=59) == Look()


def test_a_pair_that_another_turn_left_sending_is_looked_for_too() -> None:
    assert decided(sent_cycle(), 60) == Look()


def test_a_planned_pair_that_nobody_recovered_is_a_fault_of_ours() -> None:
    assert decided(planned_cycle()) == End(JobEvent.FAIL, Reason.FAULT, "a cycle was left planned")


def test_more_fills_than_the_order_are_for_a_human() -> None:
    cycle = bought_cycle()
    doubled = cycle.with_leg(with_fill(cycle.working, fill("0.01", event_id=99)))

    assert decided(doubled) == End(
        JobEvent.NEED_HUMAN, Reason.AMBIGUOUS, "fills exceed their order"
    )


def test_more_fills_than_a_part_that_was_sold_are_for_a_human_too() -> None:
    cycle = exiting_cycle(sold="30")
    unpaired = fill("30", fee="0.01", page_id="p1")
    doubled = cycle.with_leg(with_fill(cycle.pending, unpaired))

    assert decided(doubled, 60, looked_s=59) == End(
        JobEvent.NEED_HUMAN, Reason.AMBIGUOUS, "fills exceed their order"
    )


def test_more_fills_than_is_known_of_a_live_sell_wait_for_its_quantity() -> None:
    cycle = bought_cycle(sell=OrderStatus.PENDING)
    early = cycle.with_leg(with_fill(cycle.pending, fill("10", event_id=99)))

    assert decided(early) == Sleep(after_s(1))
