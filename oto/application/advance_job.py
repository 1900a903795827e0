"""One turn of a job: look, decide, store the intent, send once, store the outcome, say when next.

A turn sends as many requests as its decisions ask for, one after the other, and never waits for a
fill: it ends with the time at which the job is due again.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Protocol

import structlog

from oto.application.looking import look
from oto.application.ports import (
    Clock,
    Dispatcher,
    Exchange,
    Exchanges,
    FencedError,
    Ledger,
    LedgerUnavailableError,
    MarketData,
    NoCredentialsError,
    Turn,
    Wake,
    Work,
)
from oto.application.reasons import Trouble, trouble
from oto.domain import placing, points
from oto.domain.cycle import CycleEvent
from oto.domain.cycle import after as cycle_after
from oto.domain.decide import decide
from oto.domain.decisions import (
    Cancel,
    Decision,
    End,
    Exit,
    Look,
    Park,
    Place,
    ReadAccount,
    Sleep,
    Unpark,
)
from oto.domain.errors import ExchangeError, OutcomeUnknownError, RefusedError
from oto.domain.events import EventKind
from oto.domain.job import NEEDS_HUMAN, JobEvent, Reason
from oto.domain.leg import Leg, LegEvent, LegKind, LegState
from oto.domain.orders import LimitOrder, OrderId, OtoOrder
from oto.domain.risk.verdict import Approved

MOST_ACTIONS = 12
"""How many decisions one turn carries out; more of them wait for the next turn."""

SEND_WITHIN_S = 2.0
"""How long after *sending* was committed the POST may begin: a process that was held up longer
may have lost its turn meanwhile, so it does not send."""

LONGEST_COUNTDOWN_S = 5.0
"""Later times are left to the sweeper: the broker is not trusted to remember."""

_CANCEL_BEFORE_HUMAN = frozenset({Reason.UNKNOWN_ANSWER, Reason.AMBIGUOUS})

_log = structlog.get_logger(__name__)


class Outcome(Enum):
    """What a wake-up led to."""

    STALE = "stale"
    ADVANCED = "advanced"
    FENCED = "fenced"


class Meter(Protocol):
    def record(self, name: str, milliseconds: float) -> None:
        """Note one duration."""


@dataclass(frozen=True, slots=True)
class Advance:
    """Advances jobs; made once per process."""

    ledger: Ledger
    market: MarketData
    exchanges: Exchanges
    dispatcher: Dispatcher
    clock: Clock
    meter: Meter

    def __call__(self, wake: Wake, due_at: float | None = None) -> Outcome:
        """Take one turn, if the wake-up is still worth one.

        `due_at` is when the wake-up was due, in Unix seconds, for the meter.
        """
        began = self.clock.monotonic()
        turn = self.ledger.claim(wake)
        if turn is None:
            self.meter.record("stale", (self.clock.monotonic() - began) * 1000)
            return Outcome.STALE
        run = _Turn(self, turn, due_at or self.clock.now().timestamp())
        try:
            run.run()
        except FencedError:
            return Outcome.FENCED
        except LedgerUnavailableError:
            # Nothing more can be written: the lease ends, and the next turn finds what there is.
            raise
        except Exception as error:
            run.fail(error)
            raise
        finally:
            self.ledger.let_go(turn)
        self.meter.record("step", (self.clock.monotonic() - began) * 1000)
        return Outcome.ADVANCED


class _Turn:
    def __init__(self, house: Advance, turn: Turn, due_at: float) -> None:
        self._house = house
        self._turn = turn
        self._due_at = due_at
        self._tick_at = 0.0
        self._recovered = False
        self._log = _log.bind(user=turn.user_id, job=turn.job_id, epoch=turn.epoch)

    def run(self) -> None:
        for _ in range(MOST_ACTIONS):
            if not self._act():
                return
        with self._open() as work:
            self._sleep(work, Sleep(work.now))

    def fail(self, error: Exception) -> None:
        """Take the job out of the loop because of a fault of our own."""
        with suppress(FencedError, LedgerUnavailableError), self._open() as work:
            work.end(JobEvent.NEED_HUMAN, Reason.FAULT, type(error).__name__)

    def _act(self) -> bool:
        """Carry out one decision; return False if it ended the turn."""
        try:
            return self._carry_out()
        except NoCredentialsError:
            self._meet(Trouble(Reason.NO_CREDENTIALS, "", 0))
        except ExchangeError as error:
            self._meet(trouble(error))
        return False

    def _carry_out(self) -> bool:
        with self._open() as work:
            if not self._recovered:
                self._recover(work)
            decision = decide(work.view())
            leg = self._within(work, decision)
        self._recovered = True
        match decision:
            case Sleep(until=until):
                self._wake_at((until - self._house.clock.now()).total_seconds())
                return False
            case End():
                return False
            case Place(approved) if leg is not None:
                return self._send(leg, approved)
            case Exit(approved) if leg is not None:
                return self._send(leg, approved)
            case Cancel(leg=cancelled):
                self._cancel(cancelled)
            case Look():
                return self._look()
            case ReadAccount():
                self._read_account()
            case _:
                pass
        return True

    def _within(self, work: Work, decision: Decision) -> Leg | None:
        """Do what belongs into the transaction of the decision; return a leg to send."""
        cycle = work.cycle
        match decision:
            case Place(approved):
                return work.plan(approved.order).working
            case Exit(approved):
                return work.plan_exit(approved.order)
            case Cancel(leg) if cycle is not None:
                work.save(placing.cancelling(cycle, leg, work.now))
                work.note(EventKind.CANCEL_SENT, order_id=leg.order_id, leg=leg.kind)
            case Park(reason, detail) if cycle is not None:
                work.save(cycle_after(cycle, CycleEvent.PARK, work.now))
                work.note(EventKind.CYCLE_CHANGED, phase="parked", why=reason, detail=detail)
            case Unpark() if cycle is not None:
                work.save(cycle_after(cycle, CycleEvent.UNPARK, work.now))
                work.note(EventKind.CYCLE_CHANGED, phase="exiting")
            case Sleep():
                self._sleep(work, decision)
            case End(event, reason, detail):
                work.end(event, reason, detail)
            case _:
                pass
        return None

    def _recover(self, work: Work) -> None:
        cycle, job = work.cycle, work.job
        if cycle is not None and (found := placing.recovered(cycle, work.now)) != cycle:
            work.save(found)
            work.note(
                EventKind.LOST, why="an earlier turn ended between its intent and its outcome"
            )
        today = points.day_of(work.now)
        if job.target.day is not None and job.target.day < today:
            work.roll_day(today)

    def _send(self, leg: Leg, approved: Approved[OtoOrder] | Approved[LimitOrder]) -> bool:
        """Send a stored intent, once; return whether the turn goes on."""
        # Counted from before the commit: a process can be held up within it too.
        send_before = self._house.clock.monotonic() + SEND_WITHIN_S
        if not self._mark_sending(leg):
            return True
        try:
            exchange = self._exchange()
            self._measure_post()
            order_ids = _post(
                exchange, approved, lambda: self._house.clock.monotonic() < send_before
            )
        except OutcomeUnknownError as error:
            return self._lost(leg, error)
        except ExchangeError as error:
            self._refused(leg, error)
            raise
        except NoCredentialsError:
            self._not_sent(leg, "no credentials")
            raise
        self._placed(leg, order_ids)
        return True

    def _mark_sending(self, leg: Leg) -> bool:
        """Commit that the POST is about to leave, unless a halt stands before it."""
        with self._open() as work:
            cycle = work.cycle
            if cycle is None:
                raise FencedError
            if (halted := work.halted()) is not None:
                work.save(placing.recovered(cycle, work.now))
                work.note(EventKind.HELD_BACK, why=halted)
                return False
            work.save(placing.sending(cycle, leg, work.now))
            work.note(EventKind.SENDING, price=leg.price, quantity=leg.quantity, leg=leg.kind)
        return True

    def _placed(self, leg: Leg, order_ids: tuple[OrderId, ...]) -> None:
        with self._open() as work:
            if (cycle := work.cycle) is not None:
                work.save(placing.accepted(cycle, _current(cycle.legs, leg), order_ids))
                work.note(EventKind.PLACED, order_ids=order_ids)
                work.apply_waiting_reports()

    def _lost(self, leg: Leg, error: OutcomeUnknownError) -> bool:
        met = trouble(error)
        self._log.warning("placement_outcome_unknown", reason=met.reason.name)
        with self._open() as work:
            if (cycle := work.cycle) is not None:
                lost = placing.all_legs(cycle, _current(cycle.legs, leg), LegEvent.LOSE)
                work.save(replace(lost, lost_reason=met.reason))
                work.note(EventKind.LOST, why=met.reason, detail=met.detail)
        return True

    def _refused(self, leg: Leg, error: ExchangeError) -> None:
        with self._open() as work:
            if (cycle := work.cycle) is not None:
                current = _current(cycle.legs, leg)
                # An exit that was only turned away for now says nothing against the next.
                refused = isinstance(error, RefusedError) or leg.kind is not LegKind.EXIT
                event = LegEvent.REFUSE if refused else LegEvent.DISCARD
                work.save(placing.all_legs(cycle, current, event))
                work.note(EventKind.REFUSED, why=trouble(error).reason, detail=str(error))
            work.forget_account()

    def _not_sent(self, leg: Leg, why: str) -> bool:
        with self._open() as work:
            if (cycle := work.cycle) is not None:
                current = _current(cycle.legs, leg)
                work.save(placing.all_legs(cycle, current, LegEvent.REFUSE))
                work.note(EventKind.HELD_BACK, why=why)
        return True

    def _cancel(self, leg: Leg) -> None:
        if leg.order_id is None:
            return
        answer = "accepted"
        try:
            self._exchange().cancel(self._turn.symbol, leg.order_id)
        except ExchangeError as error:
            met = trouble(error)
            answer = met.detail
            # A refused or lost cancel is no trouble: what is read next tells what became of it.
            if met.reason in NEEDS_HUMAN - {Reason.UNKNOWN_ANSWER}:
                raise
        with self._open() as work:
            work.note(EventKind.CANCEL_ANSWERED, order_id=leg.order_id, answer=answer)

    def _look(self) -> bool:
        with self._open() as work:
            cycle, rules = work.cycle, work.rules
        if cycle is None:
            return True
        base_asset = None if rules is None else rules.base_asset
        now = self._house.clock.now
        seen = look(self._exchange(), cycle, self._turn.symbol, base_asset, now)
        with self._open() as work:
            return seen.apply(work)

    def _read_account(self) -> None:
        exchange, read_at = self._exchange(), self._house.clock.now()
        wallets, terms = exchange.usdt_wallets(), exchange.terms_accepted()
        with self._open() as work:
            work.save_account(wallets, read_at, terms=terms)

    def _meet(self, met: Trouble) -> None:
        """End the turn because of the exchange: wait, or call for a human."""
        self._log.info("turn_met_trouble", reason=met.reason.name)
        if met.reason in _CANCEL_BEFORE_HUMAN:
            self._take_back_buy()
        with self._open() as work:
            if met.reason in NEEDS_HUMAN:
                work.end(JobEvent.NEED_HUMAN, met.reason, met.detail)
                return
            until = work.now + timedelta(seconds=met.pause_s)
            self._sleep(work, Sleep(until, met.reason, met.detail))
        self._wake_at(met.pause_s)

    def _take_back_buy(self) -> None:
        """Cancel a BUY that nobody would watch any more; whether that works is for the human."""
        with self._open() as work:
            cycle = work.cycle
            if cycle is None or cycle.working.state is not LegState.LIVE:
                return
            work.save(placing.cancelling(cycle, cycle.working, work.now))
        with suppress(ExchangeError):
            self._cancel(cycle.working)

    def _sleep(self, work: Work, decision: Sleep) -> None:
        work.sleep(decision.until, decision.reason, decision.detail)

    def _wake_at(self, delay_s: float) -> None:
        if delay_s <= LONGEST_COUNTDOWN_S:
            wake = Wake(self._turn.job_id, self._turn.epoch)
            self._house.dispatcher.wake(wake, max(delay_s, 0))

    def _exchange(self) -> Exchange:
        return self._house.exchanges.of(self._turn.user_id)

    def _measure_post(self) -> None:
        """Record how long the newest cause of this POST waited for it: the tick or the wake-up."""
        seconds = self._house.clock.now().timestamp() - max(self._tick_at, self._due_at)
        self._house.meter.record("tick_to_post", seconds * 1000)

    def _open(self) -> AbstractContextManager[Work]:
        tick = self._house.market.read(self._turn.symbol)
        self._tick_at = tick.received_at.timestamp() if tick is not None else 0.0
        return self._house.ledger.work(self._turn, self._house.clock.now(), tick)


def _post(
    exchange: Exchange,
    approved: Approved[OtoOrder] | Approved[LimitOrder],
    may_send: Callable[[], bool],
) -> tuple[OrderId, ...]:
    if isinstance(approved.order, OtoOrder):
        placed = exchange.place_oto(Approved(approved.order), may_send)
        return placed.working_order_id, placed.pending_order_id
    return (exchange.place_exit(Approved(approved.order), may_send),)


def _current(legs: tuple[Leg, ...], leg: Leg) -> Leg:
    return next(one for one in legs if one.leg_id == leg.leg_id)
