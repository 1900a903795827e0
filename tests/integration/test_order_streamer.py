"""Reports of the private stream in the ledger: early, late, doubled, of strangers."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import fakeredis
import pytest
from sqlalchemy import text

from oto.application.ports import Ledger, Wake
from oto.domain.cycle import CyclePhase
from oto.domain.job import JobState, Reason, UserId
from oto.domain.money import amount, quantity
from oto.domain.orders import ExecutionType, ReportedFill
from oto.infrastructure.redis_store.beats import Beats
from oto.infrastructure.redis_store.latency import Latencies
from tests.integration.test_trading_loop import new_report
from tests.loop import Loop, running_loop
from tests.simulated import AITECH, PLACE_OTO, Exchange, oto_body, payment
from workers.order_streamer import OrderStreamer

pytestmark = pytest.mark.integration


@pytest.fixture
def loop(database_url: str, exchange: Exchange) -> Iterator[Loop]:
    with running_loop(database_url, exchange) as made:
        yield made


SUBSCRIBED = threading.Event()


class Noticing:
    """The ledger, and a sign that the stream is subscribed: it reconciles then."""

    def __init__(self, loop: Loop) -> None:
        SUBSCRIBED.clear()
        self.take_report = loop.ledger.take_report
        self._wake_after_gap = loop.ledger.wake_after_gap

    def wake_after_gap(self, user_id: UserId) -> Sequence[Wake]:
        SUBSCRIBED.set()
        return self._wake_after_gap(user_id)


@pytest.fixture
def streamer(loop: Loop) -> Iterator[OrderStreamer]:
    """An order-streamer that runs from the first job on."""
    redis = fakeredis.FakeRedis(decode_responses=True)
    made = OrderStreamer(
        loop.exchange.ws,
        alpha_of=lambda _: loop.exchanges.alpha,
        trading=loop.users.trading,
        ledger=cast("Ledger", Noticing(loop)),
        dispatcher=loop.wakes,
        latencies=Latencies(redis),
        beats=Beats(redis),
    )
    made.start()
    yield made
    made.stop()
    redis.close()


def eventually(holds: Callable[[], bool], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def listens(loop: Loop) -> bool:
    health = loop.exchange.http.get("/sim/health").json()
    return bool(health["sockets"]) and SUBSCRIBED.is_set()


def started(loop: Loop) -> None:
    """Start a job and wait until its user's stream is subscribed."""
    loop.start()
    eventually(lambda: listens(loop))


@pytest.mark.usefixtures("streamer")
def test_reports_alone_settle_a_cycle_and_wake_the_job(loop: Loop) -> None:
    started(loop)
    loop.turn()
    epoch = loop.view().epoch
    loop.wakes.sent.clear()

    def settled() -> bool:
        loop.exchange.step(50)
        return loop.cycles()[0].phase is CyclePhase.SETTLED

    eventually(settled)

    assert (loop.job_id, epoch) in {(wake.job_id, wake.epoch) for wake in loop.wakes.sent}
    assert loop.audit().differences == ()


@pytest.mark.usefixtures("streamer")
@pytest.mark.parametrize("kind", ["report_duplicated", "report_reordered", "report_dropped"])
def test_reports_that_come_twice_or_late_or_never_change_nothing_in_the_end(
    loop: Loop, kind: str
) -> None:
    loop.exchange.fault(
        kind, per_mille=500, **({} if kind == "report_dropped" else {"delay_ms": 900})
    )
    loop.start(volume="60")
    eventually(lambda: listens(loop))

    loop.until("completed")

    found = loop.audit()
    assert (found.differences, found.duplicates, found.orphans) == ((), 0, 0)


@pytest.mark.usefixtures("streamer")
def test_a_strangers_order_changes_nothing(loop: Loop) -> None:
    started(loop)
    headers = loop.exchange.add_user("ann", funding="1000")
    body = oto_body("0.2", "100", "0.3", payment("0.2", "100"))
    assert loop.exchange.post(PLACE_OTO, headers, body)["success"]

    loop.until("completed")

    assert len(loop.cycles()) == 1


def test_a_report_of_an_order_that_was_called_absent_calls_for_a_human(loop: Loop) -> None:
    loop.exchange.fault("answer_lost_after", endpoint="place_oto", count=1)
    loop.start()
    loop.turn()
    with loop.engine.begin() as connection:
        connection.execute(text("UPDATE orders SET state = 'absent', planned_at = now()"))
        connection.execute(text("UPDATE cycles SET phase = 'absent'"))

    report = new_report(loop.exchange.orders()[0], loop)
    loop.ledger.take_report(loop.user_id, report, loop.clock.now())

    assert loop.view().job.state is JobState.NEEDS_HUMAN
    assert loop.view().job.reason is Reason.AMBIGUOUS


def test_a_fill_after_its_cycle_was_over_calls_for_a_human(loop: Loop) -> None:
    loop.exchange.set_book(AITECH, bids=[["0.20000000", "10"]], asks=[["0.30000000", "10"]])
    loop.start()
    loop.turns(8)
    over = loop.cycles()[0]
    assert over.phase is CyclePhase.ABANDONED

    (buy,) = [one for one in loop.exchange.orders() if one["order_id"] == over.working.order_id]
    ten = quantity("10")
    fill = ReportedFill("7", over.working.price, ten, amount("2.27"), quantity("0"), "ALPHA_373")
    told = replace(
        new_report(buy, loop),
        execution=ExecutionType.TRADE,
        cumulative_quantity=ten,
        fill=fill,
    )
    for event_id in (7, 7, 8):  # doubled, and once more without a fill
        again = replace(told, event_id=event_id, fill=fill if event_id == 7 else None)
        loop.ledger.take_report(loop.user_id, again, loop.clock.now())

    view = loop.view()
    assert (view.job.state, view.job.reason) == (JobState.NEEDS_HUMAN, Reason.AMBIGUOUS)
    assert loop.cycles()[0].exposure == ten


def test_two_threads_that_race_for_one_wake_up_take_one_turn(loop: Loop) -> None:
    loop.start()
    outcomes: list[object] = []

    def take() -> None:
        outcomes.append(loop.ledger.claim(Wake(loop.job_id, 0)))

    racers = [threading.Thread(target=take) for _ in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert sum(outcome is not None for outcome in outcomes) == 1
