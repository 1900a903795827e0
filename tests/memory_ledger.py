"""A ledger in memory: the port `Ledger` over values, one job, no database.

It keeps the order in which the database does things: claims ask for the epoch, the time and the
lease; a report is stored once; a report of an order that was called absent calls for a human.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from oto.application.ports import FencedError, Turn, Wake, Work
from oto.domain.cycle import Cycle, CyclePhase, concluded
from oto.domain.job import ACTIVE, JobEvent, Reason, UserId
from oto.domain.leg import LegKind, LegState
from oto.domain.orders import ExecutionReport, Side
from oto.domain.reports import applied
from oto.domain.tick import Tick
from oto.infrastructure.database.leases import LENGTH
from tests.builders import rules, token
from tests.memory_work import Listed, MemoryWork, State

__all__ = ["Killed", "Listed", "MemoryLedger", "MemoryWork", "State"]

_EARLY = timedelta(milliseconds=50)
_NOTHING_TO_DECIDE = frozenset({CyclePhase.OPEN, CyclePhase.BOUGHT})


class Killed(BaseException):
    """The process that takes the turn is gone, at this very place."""


class MemoryLedger:
    """Holds the state; without a clock of its own every time is due and no lease lasts.

    `opening`, `committing` and `committed` are called around each transaction of a turn: there a
    test kills the process, holds it up, or changes what the next transaction finds.
    """

    work_type: type[MemoryWork] = MemoryWork

    def __init__(
        self,
        state: State,
        listed: Listed | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.state = state
        self.listed = listed or Listed(rules(), token())
        self._clock = clock

    def opening(self) -> None: ...

    def committing(self, work: MemoryWork) -> None: ...

    def committed(self) -> None: ...

    def claim(self, wake: Wake) -> Turn | None:
        state = self.state
        if wake.epoch != state.epoch or state.job.state not in ACTIVE or not self._is_free():
            return None
        until = None if self._clock is None else self._clock() + LENGTH
        self.state = replace(state, epoch=wake.epoch + 1, leased_until=until)
        return Turn(state.job.job_id, self.state.epoch, state.job.user_id, state.job.symbol)

    def renew(self, turn: Turn) -> None:
        """Renew a turn's lease, as its process does each second while it lives."""
        if self._clock is not None and self.holds(turn):
            self.state = replace(self.state, leased_until=self._clock() + LENGTH)

    def let_go(self, turn: Turn) -> None:
        """Renew no more: nothing does so by itself."""

    @contextmanager
    def work(self, turn: Turn, now: datetime, tick: Tick | None) -> Iterator[Work]:
        self.opening()
        if not self.holds(turn):
            raise FencedError
        work = self.begin(now, tick)
        yield work
        self.committing(work)
        self.state = work.state
        self.committed()

    def holds(self, turn: Turn) -> bool:
        """Tell whether a turn is still the one that may write."""
        leased = self._clock is None or self.state.leased_until is not None
        return leased and turn.epoch == self.state.epoch

    def begin(self, now: datetime, tick: Tick | None) -> MemoryWork:
        database_now = now if self._clock is None else self._clock()
        return self.work_type(self.state, self.listed, now, tick, database_now)

    def take_report(
        self, user_id: UserId, report: ExecutionReport, received_at: datetime
    ) -> Wake | None:
        del user_id
        if report.event_id in self.state.told:
            return None
        self.state = replace(self.state, told=self.state.told | {report.event_id})
        for cycle in self.state.cycles:
            if cycle.leg_of(report.order_id) is not None:
                return self._take(cycle, report, received_at)
        self.state = replace(self.state, early=(*self.state.early, report))
        if self._was_called_absent(report):
            self.contradicts(report, "was called absent, and it is there")
        return None

    def applied(self, cycle: Cycle, report: ExecutionReport) -> Cycle:
        return applied(cycle, report)

    def contradicts(self, report: ExecutionReport, what: str) -> None:
        """Call for a human: an order did what it cannot do."""
        if self.state.job.state in ACTIVE:
            detail = f"order {report.order_id} {what}"
            self.state = self.state.with_end(JobEvent.NEED_HUMAN, Reason.AMBIGUOUS, detail)

    def wake(self) -> Wake:
        """Return a wake-up that is not stale."""
        return Wake(self.state.job.job_id, self.state.epoch)

    def wake_after_gap(self, user_id: UserId) -> Sequence[Wake]:
        del user_id
        cycle = self.state.unfinished
        if cycle is None:
            return []
        self.state = self.state.with_cycle(replace(cycle, looked_at=None))
        self.make_due()
        return [self.wake()]

    def make_due(self) -> None:
        if self._clock is not None:
            now = self._clock()
            self.state = replace(self.state, due_at=min(self.state.due_at or now, now))

    def prune(self) -> int:
        return 0

    def due(self, most: int) -> Sequence[Wake]:
        return [self.wake()][:most] if self.state.job.state in ACTIVE and self._is_free() else []

    def _is_free(self) -> bool:
        """Tell whether the job is due and no turn has it."""
        state = self.state
        if self._clock is None:
            return True
        now = self._clock()
        due = state.due_at is None or state.due_at <= now + _EARLY
        return due and (state.leased_until is None or state.leased_until < now)

    def _take(self, was: Cycle, report: ExecutionReport, now: datetime) -> Wake | None:
        found = concluded(self.applied(was, report), self.listed.rules, now)
        self.state = self.state.with_cycle(found)
        if was.finished and found.exposure != was.exposure:
            self.contradicts(report, "executed more after its cycle was over")
        if found.phase in _NOTHING_TO_DECIDE and found.fills_complete:
            return None
        self.make_due()
        return self.wake()

    def _was_called_absent(self, report: ExecutionReport) -> bool:
        kind = LegKind.WORKING if report.side is Side.BUY else LegKind.EXIT
        return any(
            leg.kind is kind
            and leg.state is LegState.ABSENT
            and (leg.price, leg.quantity) == (report.price, report.quantity)
            for leg in self.state.legs
        )
