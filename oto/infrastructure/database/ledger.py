"""The ledger in PostgreSQL: claims, turns, reports (TRADING §5)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, delete, func, or_, select, text, true, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from models import CycleRow, JobRow, ReportRow, TokenRow, UserRow
from oto.application.ports import FencedError, LedgerUnavailableError, Turn, Wake
from oto.domain.job import JobId, UserId
from oto.domain.market import Symbol
from oto.domain.orders import ExecutionReport
from oto.domain.tick import Tick
from oto.infrastructure.database import event_log, reports
from oto.infrastructure.database.cycles import FINISHED_PHASES
from oto.infrastructure.database.leases import Leases
from oto.infrastructure.database.states import ACTIVE_STATES
from oto.infrastructure.database.work import JobWork

_REPORTS_KEPT = timedelta(days=3)
_EARLY = text("interval '50 milliseconds'")
"""How early a wake-up may be: clocks of two hosts, and of a host and its database, differ."""

_FREE = or_(JobRow.lease_until.is_(None), JobRow.lease_until < func.now())
"""No process has a turn of the job."""


class SqlLedger:
    """The truth, shared by every process. `live` says that orders cost real money."""

    def __init__(self, engine: Engine, leases: Leases, *, live: bool) -> None:
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._leases = leases
        self._live = live

    def claim(self, wake: Wake) -> Turn | None:
        return self._take(
            JobRow.id == wake.job_id,
            JobRow.epoch == wake.epoch,
            JobRow.state.in_(ACTIVE_STATES),
            JobRow.due_at <= func.now() + _EARLY,
            _FREE,
        )

    def seize(self, job_id: JobId, *, from_others: bool) -> Turn | None:
        """Take the next turn of a job in any state, if asked even from a process that has one."""
        return self._take(JobRow.id == job_id, true() if from_others else _FREE)

    def give_back(self, turn: Turn) -> None:
        """End a seized turn; an active job is due at once."""
        self.let_go(turn)
        with self._transaction() as session:
            session.execute(
                update(JobRow)
                .where(JobRow.id == turn.job_id, JobRow.epoch == turn.epoch)
                .values(
                    lease_owner=None,
                    lease_until=None,
                    due_at=func.least(JobRow.due_at, func.now()),
                )
            )

    def _take(self, *which: ColumnElement[bool]) -> Turn | None:
        with self._transaction() as session:
            row = session.execute(
                update(JobRow)
                .where(*which)
                .values(
                    epoch=JobRow.epoch + 1,
                    lease_owner=self._leases.owner,
                    lease_until=func.now() + self._leases.length,
                )
                .returning(JobRow.id, JobRow.epoch, JobRow.user_id, JobRow.symbol)
            ).one_or_none()
        if row is None:
            return None
        turn = Turn(JobId(row.id), row.epoch, UserId(row.user_id), Symbol(row.symbol))
        self._leases.keep(turn.job_id, turn.epoch)
        return turn

    def let_go(self, turn: Turn) -> None:
        self._leases.drop(turn.job_id, turn.epoch)

    @contextmanager
    def work(self, turn: Turn, now: datetime, tick: Tick | None) -> Iterator[JobWork]:
        with self._transaction() as session:
            # The user and the token come along for the session to have.
            rows = session.execute(
                select(JobRow, UserRow, TokenRow)
                .join(UserRow, UserRow.id == JobRow.user_id)
                .outerjoin(TokenRow, TokenRow.symbol == JobRow.symbol)
                .where(
                    JobRow.id == turn.job_id,
                    JobRow.epoch == turn.epoch,
                    JobRow.lease_owner == self._leases.owner,
                )
                .with_for_update(of=JobRow)
            ).one_or_none()
            if rows is None:
                raise FencedError
            yield JobWork(session, rows[0], now, tick, live=self._live)

    def take_report(
        self, user_id: UserId, report: ExecutionReport, received_at: datetime
    ) -> Wake | None:
        with self._transaction() as session:
            return reports.take(session, user_id, report, received_at)

    def wake_after_gap(self, user_id: UserId) -> Sequence[Wake]:
        with self._transaction() as session:
            with_cycle = select(CycleRow.job_id).where(
                CycleRow.user_id == user_id, CycleRow.phase.not_in(FINISHED_PHASES)
            )
            # Jobs before cycles, as a turn locks them.
            session.execute(
                select(JobRow.id)
                .where(JobRow.id.in_(with_cycle))
                .order_by(JobRow.id)
                .with_for_update()
            )
            session.execute(
                update(CycleRow)
                .where(CycleRow.user_id == user_id, CycleRow.phase.not_in(FINISHED_PHASES))
                .values(looked_at=None)
            )
            rows = session.execute(
                update(JobRow)
                .where(JobRow.id.in_(with_cycle), JobRow.state.in_(ACTIVE_STATES))
                .values(due_at=func.least(JobRow.due_at, func.now()))
                .returning(JobRow.id, JobRow.epoch)
            )
            return [Wake(JobId(job_id), epoch) for job_id, epoch in rows]

    def prune(self) -> int:
        with self._transaction() as session:
            dropped = session.execute(
                delete(ReportRow)
                .where(ReportRow.applied_at < func.now() - _REPORTS_KEPT)
                .returning(ReportRow.event_id)
            )
            return len(dropped.all()) + event_log.drop_old(session)

    def due(self, most: int) -> Sequence[Wake]:
        with self._transaction() as session:
            rows = session.execute(
                select(JobRow.id, JobRow.epoch)
                .where(
                    JobRow.state.in_(ACTIVE_STATES),
                    JobRow.due_at <= func.now(),
                    _FREE,
                )
                .order_by(JobRow.due_at)
                .limit(most)
            )
            return [Wake(JobId(job_id), epoch) for job_id, epoch in rows]

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with reachable(), self._sessions.begin() as session:
            yield session


@contextmanager
def reachable() -> Iterator[None]:
    """Turn a lost or refused connection into one error, which holds no statement and no figures.

    Raises:
        LedgerUnavailableError: the database cannot be reached or broke off.
    """
    try:
        yield
    except (OperationalError, PoolTimeoutError) as error:
        raise LedgerUnavailableError(_first_line(error)) from None
    except DBAPIError as error:
        if error.connection_invalidated:
            raise LedgerUnavailableError(_first_line(error)) from None
        raise


def _first_line(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return f"the database cannot be reached: {str(cause).strip().splitlines()[0]}"
