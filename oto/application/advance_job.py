"""One turn of a job: look, decide, store the intent, send once, store the outcome, say when next.

A turn sends as many requests as its decisions ask for, one after the other, and never waits for a
fill: it ends with the time at which the job is due again.
"""

from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Protocol

import structlog

from oto.application.decision_log import recorded
from oto.application.ports import (
    Clock,
    Dispatcher,
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
from oto.application.recovering import recover
from oto.application.steps import Steps
from oto.domain import placing
from oto.domain.decisions import End, Sleep
from oto.domain.errors import ExchangeError
from oto.domain.job import NEEDS_HUMAN, JobEvent, Reason
from oto.domain.leg import LegState

MOST_ACTIONS = 12
"""How many decisions one turn carries out; more of them wait for the next turn."""

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
        self._steps = Steps(turn, house.exchanges, house.clock, self._open, self._measure_post)

    def run(self) -> None:
        for _ in range(MOST_ACTIONS):
            if not self._act():
                return
        with self._open() as work:
            self._sleep(work, Sleep(work.now))

    def fail(self, error: Exception) -> None:
        """Take the job out of the loop because of a fault of our own."""
        with suppress(Exception):  # it may be the same fault again; what counts is the next line
            self._take_back_buy()
        with suppress(FencedError, LedgerUnavailableError), self._open() as work:
            work.end(JobEvent.NEED_HUMAN, Reason.FAULT, type(error).__name__)

    def _act(self) -> bool:
        """Carry out one decision; return False if it ended the turn."""
        try:
            return self._decide_and_do()
        except NoCredentialsError:
            self._meet(Trouble(Reason.NO_CREDENTIALS, "", 0))
        except ExchangeError as error:
            self._meet(trouble(error))
        return False

    def _decide_and_do(self) -> bool:
        leg = None
        with self._open() as work:
            if not self._recovered:
                recover(work)
            decision = recorded(work)
            if isinstance(decision, Sleep):
                self._sleep(work, decision)
            elif isinstance(decision, End):
                work.end(decision.event, decision.reason, decision.detail)
            else:
                leg = self._steps.intend(work, decision)
        self._recovered = True
        if isinstance(decision, Sleep):
            self._wake_at((decision.until - self._house.clock.now()).total_seconds())
        if isinstance(decision, Sleep | End):
            return False
        return self._steps.carry_out(decision, leg)

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
            self._steps.cancel(cycle.working)

    def _sleep(self, work: Work, decision: Sleep) -> None:
        work.sleep(decision.until, decision.reason, decision.detail)

    def _wake_at(self, delay_s: float) -> None:
        if delay_s <= LONGEST_COUNTDOWN_S:
            wake = Wake(self._turn.job_id, self._turn.epoch)
            self._house.dispatcher.wake(wake, max(delay_s, 0))

    def _measure_post(self) -> None:
        """Record how long the newest cause of this POST waited for it: the tick or the wake-up."""
        seconds = self._house.clock.now().timestamp() - max(self._tick_at, self._due_at)
        self._house.meter.record("tick_to_post", seconds * 1000)

    def _open(self) -> AbstractContextManager[Work]:
        tick = self._house.market.read(self._turn.symbol)
        self._tick_at = tick.received_at.timestamp() if tick is not None else 0.0
        return self._house.ledger.work(self._turn, self._house.clock.now(), tick)
