"""A halt: its fence, the way out of the market, and what it tells; against the exchange's truth."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from oto.application.clearing import Means
from oto.application.halt import POST_WITHIN_S, Halt, Left
from oto.application.job_log import first_broken
from oto.application.replay import replay
from oto.domain.cycle import CyclePhase
from oto.domain.errors import OutcomeUnknownError
from oto.domain.halting import Scope
from oto.domain.job import JobState, Reason, UserId
from oto.domain.leg import LegState
from oto.domain.market import Symbol
from oto.domain.orders import OtoOrder, PlacedOto
from oto.domain.risk.verdict import Approved
from oto.infrastructure.database import halts
from oto.infrastructure.database.halts import Halts
from oto.infrastructure.vault import VaultError
from tests.loop import Altered, Loop, running_loop
from tests.simulated import AITECH, Exchange

pytestmark = pytest.mark.integration

EVERYTHING = Scope()


@pytest.fixture
def loop(database_url: str, exchange: Exchange) -> Iterator[Loop]:
    with running_loop(database_url, exchange) as made:
        yield made
        for view in made.jobs.views():
            log = made.jobs.log(view.job.job_id)
            assert (first_broken(log), replay(log).differences) == (None, ())


@pytest.fixture
def halt(loop: Loop) -> Halt:
    means = Means(loop.ledger, loop.market, loop.exchanges, loop.clock, loop.pass_time)
    return Halt(Halts(loop.engine), means)


def halted(
    halt: Halt, scope: Scope = EVERYTHING, *, slip_bps: int | None = None, within_s: float = 60
) -> list[Left]:
    """Do what `oto halt` does."""
    fence = halt.raise_fence(scope, "a test")
    halt.wait_until_it_stands(scope, fence)
    return halt.clear(halt.halts.affected(scope), slip_bps, within_s)


def open_orders(loop: Loop) -> int:
    return sum(order["status"] in {"NEW", "PARTIALLY_FILLED"} for order in loop.exchange.orders())


def assert_nothing_amiss(loop: Loop) -> None:
    found = loop.audit()
    assert (found.differences, found.duplicates, found.orphans) == ((), 0, 0)


def test_an_unfilled_buy_is_cancelled_and_nothing_follows(loop: Loop, halt: Halt) -> None:
    sellers_are_gone(loop)
    loop.start()
    loop.turn()
    assert loop.cycles()[0].phase is CyclePhase.OPEN

    left = halted(halt)
    placed = len(loop.exchange.orders())
    loop.turns(5)

    assert [one.flat for one in left] == [True]
    assert loop.cycles()[0].phase is CyclePhase.ABANDONED
    assert loop.view().job.reason is Reason.HALTED
    assert (open_orders(loop), len(loop.exchange.orders())) == (0, placed)
    assert_nothing_amiss(loop)


def buyers_are_gone(loop: Loop) -> None:
    """Let nobody bid near the price that the streams tell."""
    loop.book("0.22400000", "0.22700000")
    loop.market.bid = "0.22690000"


def sellers_are_gone(loop: Loop) -> None:
    """Let nobody sell near the price that the streams tell."""
    loop.book("0.22690000", "0.30000000")
    loop.market.ask = "0.22700000"


def bought_and_unsold(loop: Loop) -> None:
    """Let the job's first cycle hold what it bought, its SELL above a market that fell."""
    buyers_are_gone(loop)
    loop.start()
    loop.turn()
    loop.book("0.22400000", "0.22410000")
    loop.pass_time(1)
    loop.turn()
    assert loop.cycles()[0].exposure > 0


def test_flattening_sells_what_is_held_within_the_slip(loop: Loop, halt: Halt) -> None:
    bought_and_unsold(loop)

    left = halted(halt, slip_bps=300)

    assert [one.flat for one in left] == [True]
    assert loop.cycles()[0].phase is CyclePhase.SETTLED
    assert open_orders(loop) == 0
    assert_nothing_amiss(loop)


def test_without_flattening_orders_are_cancelled_and_the_tokens_are_told(
    loop: Loop, halt: Halt
) -> None:
    bought_and_unsold(loop)

    (left,) = halted(halt)

    assert (left.open_orders, left.flat) == ((), False)
    assert left.exposure == loop.cycles()[0].exposure > 0
    assert open_orders(loop) == 0
    assert_nothing_amiss(loop)


def test_tokens_below_the_slip_are_kept_and_the_report_says_why(loop: Loop, halt: Halt) -> None:
    bought_and_unsold(loop)

    (left,) = halted(halt, slip_bps=10)

    assert left.exposure > 0
    assert "below the lowest price" in left.why
    assert open_orders(loop) == 0


def test_tokens_that_a_job_has_parked_are_sold_at_a_greater_slip(loop: Loop, halt: Halt) -> None:
    buyers_are_gone(loop)
    loop.start(most_slip_bps=10)
    loop.turn()
    loop.book("0.22400000", "0.22410000")
    for _ in range(30):
        loop.turn()
        loop.pass_time(1)
    assert loop.cycles()[0].phase is CyclePhase.PARKED

    (left,) = halted(halt, slip_bps=300)

    assert left.flat
    assert loop.cycles()[0].phase is CyclePhase.SETTLED
    assert_nothing_amiss(loop)


def test_a_job_that_stands_still_is_taken_out_of_the_market_too(loop: Loop, halt: Halt) -> None:
    bought_and_unsold(loop)
    with loop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET state = 'needs_human', reason = 'VERIFICATION'")

    (left,) = halted(halt, slip_bps=300)

    assert left.flat
    job = loop.view().job
    assert (job.state, job.reason) == (JobState.NEEDS_HUMAN, Reason.VERIFICATION)


def test_a_lost_order_is_resolved_and_cancelled_by_the_halt(loop: Loop, halt: Halt) -> None:
    sellers_are_gone(loop)
    loop.exchange.fault("answer_lost_after", endpoint="place_oto", count=1)
    loop.start()
    loop.turn()
    assert loop.cycles()[0].phase is CyclePhase.UNKNOWN

    (left,) = halted(halt)

    assert left.flat
    assert open_orders(loop) == 0
    assert_nothing_amiss(loop)


def test_an_exchange_that_cannot_be_read_is_told_and_the_fence_stands(
    loop: Loop, halt: Halt
) -> None:
    sellers_are_gone(loop)
    loop.start()
    loop.turn()
    loop.exchange.fault("server_error", endpoint="*", count=None)

    (left,) = halted(halt, within_s=10)

    assert left.open_orders
    assert Reason.UNAVAILABLE.words in left.why
    assert Halts(loop.engine).standing()[0].why == "a test"


def test_lifted_the_job_goes_on(loop: Loop, halt: Halt) -> None:
    loop.start()
    halted(halt)
    loop.turns(2)
    assert loop.view().job.reason is Reason.HALTED

    assert Halts(loop.engine).lift(EVERYTHING) == 1

    assert loop.until("completed").job.state is JobState.COMPLETED


@pytest.mark.parametrize(
    ("covers", "other"),
    [(lambda loop: loop.user_id, UserId(99)), (lambda _: AITECH, Symbol("ALPHA_1USDT"))],
    ids=["user", "symbol"],
)
def test_a_halt_of_one_user_or_token_leaves_the_others(
    loop: Loop, covers: Callable[[Loop], UserId | Symbol], other: UserId | Symbol
) -> None:
    def scope(of: UserId | Symbol) -> Scope:
        return Scope(symbol=of) if isinstance(of, str) else Scope(user_id=of)

    store = Halts(loop.engine)
    with loop.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO users (id, name) VALUES (99, 'bob')")
    store.raise_fence(scope(other), "not this one")
    loop.start()
    loop.turn()
    assert loop.exchange.orders()
    loop.until("completed")

    placed = len(loop.exchange.orders())
    store.raise_fence(scope(covers(loop)), "this one")
    loop.start()
    loop.turns(2)

    assert len(loop.exchange.orders()) == placed
    assert [one.why for one in store.standing()] == ["not this one", "this one"]


def test_a_fence_that_is_there_already_is_kept(loop: Loop) -> None:
    store = Halts(loop.engine)

    first, second = store.raise_fence(EVERYTHING, "first"), store.raise_fence(EVERYTHING, "second")

    assert first == second
    assert [one.why for one in store.standing()] == ["first"]


@contextmanager
def in_a_thread(act: Callable[[], object]) -> Iterator[threading.Event]:
    """Run something beside the block; the event tells that it is over."""
    over = threading.Event()

    def run() -> None:
        act()
        over.set()

    thread = threading.Thread(target=run)
    thread.start()
    yield over
    thread.join(20)
    assert over.is_set()


def test_a_fence_waits_for_the_sending_that_has_not_seen_it(loop: Loop) -> None:
    store = Halts(loop.engine)
    with Session(loop.engine) as session:
        with session.begin():
            assert halts.at_the_fence(session, loop.user_id, AITECH) is None
            raising = in_a_thread(lambda: store.raise_fence(EVERYTHING, "a test"))
            raised = raising.__enter__()
            wait_until_blocked(loop)
            assert not raised.is_set()
            assert store.standing() == []
        raising.__exit__(None, None, None)
        with session.begin():
            assert halts.at_the_fence(session, loop.user_id, AITECH) == "a test"


def wait_until_blocked(loop: Loop) -> None:
    blocked = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    waited = threading.Event()
    for _ in range(500):
        with loop.engine.connect() as connection:
            if connection.scalar(blocked):
                return
        waited.wait(0.02)
    raise AssertionError("nobody waits for the fence")


class SlowExchange:
    """Holds a placement back between *sending* and the POST until it is let go."""

    def __init__(self, loop: Loop) -> None:
        self._real = loop.exchanges.of(loop.user_id)
        self.at_the_door = threading.Event()
        self.let_go = threading.Event()

    def place_oto(self, approved: object, may_send: Callable[[], bool]) -> PlacedOto:
        self.at_the_door.set()
        assert self.let_go.wait(20)
        placed: PlacedOto = self._real.place_oto(approved, may_send)
        return placed

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def test_a_halt_stands_only_when_an_order_under_way_has_arrived_and_then_cancels_it(
    loop: Loop, halt: Halt
) -> None:
    sellers_are_gone(loop)
    loop.exchanges.port = slow = SlowExchange(loop)
    loop.start()
    waited: list[float] = []

    def pause(seconds: float) -> None:
        # Time does not pass: the order is under way for as long as the test wants.
        waited.append(seconds)
        if len(waited) > 3:
            slow.let_go.set()
        threading.Event().wait(0.02)

    patient = Halt(halt.halts, replace(halt.means, pause=pause))
    with in_a_thread(loop.turn):
        assert slow.at_the_door.wait(20)
        fence = patient.raise_fence(EVERYTHING, "a test")
        assert loop.cycles()[0].working.state is LegState.SENDING
        stood_at = patient.wait_until_it_stands(EVERYTHING, fence)
        posted = len(loop.exchange.orders())

    assert len(waited) > 3
    assert stood_at >= fence.raised_at
    assert posted == 2
    # The turn that was late sees the halt itself; what it leaves is the halt's.
    assert all(one.flat for one in halt.clear(halt.halts.affected(EVERYTHING), None, 60))
    assert (open_orders(loop), len(loop.exchange.orders())) == (0, posted)


class Killed(BaseException):
    """The process is gone."""


class KillingExchange(SlowExchange):
    """Is where the process dies, between *sending* and the POST."""

    def place_oto(self, approved: object, may_send: Callable[[], bool]) -> PlacedOto:
        raise Killed(approved, may_send)


def test_an_order_that_is_under_way_in_a_dead_process_delays_the_halt_by_seconds_only(
    loop: Loop, halt: Halt
) -> None:
    loop.start()
    loop.exchanges.port = KillingExchange(loop)
    with pytest.raises(Killed):
        loop.turn()
    assert loop.cycles()[0].working.state is LegState.SENDING
    loop.exchanges.port = None
    began = loop.clock.now()

    left = halted(halt)

    assert loop.clock.now() - began < timedelta(seconds=13 + 25)  # then it is called absent
    assert [one.flat for one in left] == [True]
    assert loop.cycles()[0].phase is CyclePhase.ABSENT


def test_an_order_of_a_sender_that_was_overtaken_delays_the_halt_too(
    loop: Loop, halt: Halt
) -> None:
    loop.start()
    loop.exchanges.port = KillingExchange(loop)
    with pytest.raises(Killed):
        loop.turn()
    loop.exchanges.port = None
    with loop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET lease_until = now() - interval '1 second'")
    sent_at = loop.clock.now()
    loop.pass_time(3)
    loop.turn()
    assert loop.cycles()[0].working.state is LegState.UNKNOWN

    halt.wait_until_it_stands(EVERYTHING, halt.raise_fence(EVERYTHING, "a test"))

    assert loop.clock.now() >= sent_at + timedelta(seconds=POST_WITHIN_S)


class StuckMarket:
    """Prices that come after any deadline."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def read(self, symbol: Symbol) -> None:
        del symbol
        self._loop.pass_time(90)


def test_no_cancel_waits_for_a_price(loop: Loop, halt: Halt) -> None:
    sellers_are_gone(loop)
    loop.start()
    loop.turn()

    means = replace(halt.means, market=StuckMarket(loop))

    (left,) = halted(replace(halt, means=means), slip_bps=300)

    assert left.flat
    assert open_orders(loop) == 0


@pytest.mark.parametrize(
    ("error", "why"),
    [(RuntimeError("of ours"), Reason.FAULT.words), (VaultError("No key."), "No key.")],
    ids=["fault", "vault"],
)
def test_a_job_that_cannot_be_cleared_hides_no_other(
    loop: Loop, halt: Halt, error: Exception, why: str
) -> None:
    def fail() -> None:
        raise error

    loop.exchange.set_book(AITECH, bids=[["0.20000000", "10"]], asks=[["0.30000000", "10"]])
    loop.start()
    loop.turn()
    loop.exchanges.port = Altered(loop.exchanges.of(loop.user_id), cancel=lambda *_: fail())

    (left,) = halted(halt)

    assert (left.why, left.flat) == (why, False)


def test_who_freezes_within_a_transaction_does_not_hold_up_a_halt(loop: Loop) -> None:
    def seconds(setting: str) -> float:
        asked = text("SELECT extract(epoch FROM current_setting(:name)::interval)")
        with loop.engine.connect() as connection:
            return float(connection.execute(asked, {"name": setting}).scalar_one())

    assert 0 < seconds("idle_in_transaction_session_timeout") < seconds("lock_timeout")


def test_a_lost_order_that_calls_for_a_human_is_cleared_to_the_end(loop: Loop, halt: Halt) -> None:
    loop.exchange.fault("unknown_code", endpoint="place_oto", count=1)
    loop.start()
    loop.turn()
    assert loop.cycles()[0].phase is CyclePhase.UNKNOWN

    (left,) = halted(halt)

    assert left.flat
    assert loop.cycles()[0].phase is CyclePhase.ABSENT
    assert loop.view().job.reason is Reason.UNKNOWN_ANSWER


def test_two_orders_that_fit_a_lost_one_are_what_the_halt_leaves(loop: Loop, halt: Halt) -> None:
    loop.book("0.22690000", "0.30000000")
    loop.market.ask = "0.22700000"
    real = loop.exchanges.of(loop.user_id)

    def place_twice(approved: Approved[OtoOrder], may_send: Callable[[], bool]) -> None:
        for _ in range(2):
            real.place_oto(approved, may_send)
        raise OutcomeUnknownError("lost")

    loop.exchanges.port = Altered(real, place_oto=place_twice)
    loop.start()
    loop.turn()

    (left,) = halted(halt)

    assert left.why == Reason.AMBIGUOUS.words
    assert loop.view().job.state is JobState.NEEDS_HUMAN
