"""An unfinished cycle is brought up to date whatever state its job is in, as a turn would do it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from oto.application.advance_job import Outcome
from oto.application.catch_up import CatchUp, Caught
from oto.application.job_log import first_broken
from oto.application.ports import Wake
from oto.application.replay import replay
from oto.domain.cycle import CyclePhase
from oto.domain.job import ACTIVE, JobState, Reason
from oto.domain.leg import LegState
from oto.infrastructure.database.leases import Leases
from oto.infrastructure.database.ledger import SqlLedger
from tests.loop import Loop, running_loop
from tests.simulated import AITECH, PLACE_OTO, Exchange, oto_body, payment

pytestmark = pytest.mark.integration

OUT_OF_THE_LOOP = [JobState.PAUSED, JobState.NEEDS_HUMAN, JobState.STOPPED, JobState.FAILED]
ANY_STATE = pytest.mark.parametrize("state", [JobState.RUNNING, *OUT_OF_THE_LOOP])


@pytest.fixture
def loop(database_url: str, exchange: Exchange) -> Iterator[Loop]:
    with running_loop(database_url, exchange) as made:
        yield made
        log = made.jobs.log(made.job_id)
        assert first_broken(log) is None
        assert replay(log).differences == ()


def catch_up(loop: Loop) -> Caught:
    """Catch up as another process does, and see that nothing is placed or cancelled for it."""
    before = [(one["order_id"], one["status"]) for one in loop.exchange.orders()]
    ledger = SqlLedger(loop.engine, Leases(loop.engine), live=False)
    caught = CatchUp(ledger, loop.exchanges, loop.clock, loop.pass_time)(loop.job_id)
    assert [(one["order_id"], one["status"]) for one in loop.exchange.orders()] == before
    return caught


def lost(loop: Loop, kind: str, state: JobState) -> None:
    """Lose the answer to a BUY that rests, and leave the job in a state."""
    loop.exchange.set_book(AITECH, bids=[["0.20000000", "9"]], asks=[["0.30000000", "9"]])
    loop.exchange.fault(kind, endpoint="place_oto", count=1)
    loop.start()
    loop.turn()
    assert loop.cycles()[0].phase is CyclePhase.UNKNOWN
    with loop.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET state = :state"), {"state": state.value})


@ANY_STATE
def test_a_lost_order_that_is_there_is_adopted(loop: Loop, state: JobState) -> None:
    lost(loop, "answer_lost_after", state)

    assert catch_up(loop) is Caught.READ

    assert loop.cycles()[0].phase is CyclePhase.OPEN
    assert loop.view().job.state is state


@ANY_STATE
def test_a_lost_order_that_is_not_there_is_proven_absent_once_it_has_settled(
    loop: Loop, state: JobState
) -> None:
    lost(loop, "answer_lost_before", state)
    catch_up(loop)
    assert loop.cycles()[0].phase is CyclePhase.UNKNOWN
    loop.pass_time(20)

    catch_up(loop)

    assert loop.cycles()[0].phase is CyclePhase.ABSENT
    assert loop.view().job.state is state


@ANY_STATE
def test_several_orders_that_fit_call_for_a_human_and_leave_a_job_that_stands_still_as_it_is(
    loop: Loop, state: JobState
) -> None:
    lost(loop, "answer_lost_after", state)
    working = loop.cycles()[0].working
    price, size = f"{working.price:f}", f"{working.quantity:f}"
    body = oto_body(price, size, "0.22600000", payment(price, size))
    assert loop.exchange.post(PLACE_OTO, loop.exchange.add_user("ann"), body)["success"]

    catch_up(loop)

    job = loop.view().job
    assert loop.cycles()[0].phase is CyclePhase.UNKNOWN
    if state in ACTIVE:
        assert (job.state, job.reason) == (JobState.NEEDS_HUMAN, Reason.AMBIGUOUS)
    else:
        assert job.state is state


def test_what_a_dead_process_left_half_sent_is_found(loop: Loop) -> None:
    lost(loop, "answer_lost_after", JobState.PAUSED)
    with loop.engine.begin() as connection:
        connection.execute(text("UPDATE orders SET state = 'sending'"))
        connection.execute(text("UPDATE cycles SET phase = 'sending'"))

    catch_up(loop)

    assert loop.cycles()[0].working.state is LegState.LIVE


def test_fills_of_a_job_that_stands_still_are_taken(loop: Loop) -> None:
    loop.exchange.set_book(AITECH, bids=[["0.20000000", "9"]], asks=[["0.30000000", "9"]])
    loop.start()
    loop.turn()
    with loop.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET state = 'paused'"))
    loop.exchange.set_book(AITECH, bids=[["0.20000000", "9"]], asks=[["0.22700000", "30"]])
    loop.exchange.step(10)

    catch_up(loop)

    assert loop.cycles()[0].working.filled_quantity == 30


def test_a_turn_that_a_worker_has_is_not_taken_from_it(loop: Loop) -> None:
    lost(loop, "answer_lost_after", JobState.RUNNING)
    with loop.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET due_at = now()"))
    turn = loop.ledger.claim(Wake(loop.job_id, loop.view().epoch))
    assert turn is not None

    assert catch_up(loop) is Caught.IN_A_TURN

    with loop.ledger.work(turn, loop.clock.now(), None) as work:
        assert work.cycle is not None
        assert work.cycle.phase is CyclePhase.UNKNOWN


def test_an_active_job_goes_on_by_itself_afterwards(loop: Loop) -> None:
    lost(loop, "answer_lost_after", JobState.RUNNING)
    stale = Wake(loop.job_id, loop.view().epoch)
    catch_up(loop)

    (due,) = loop.ledger.due(5)

    assert loop.advance(stale) is Outcome.STALE
    assert loop.advance(due) is Outcome.ADVANCED
    loop.book("0.22690000", "0.22700000")
    loop.until("completed")
