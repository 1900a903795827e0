"""The ledger in PostgreSQL: claims, turns, reports (TRADING §5)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, Engine, delete, func, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from models import CycleRow, JobRow, OrderRow, ReportRow, TokenRow, UserRow
from oto.application.ports import FencedError, LedgerUnavailableError, Turn, Wake
from oto.domain.cycle import CyclePhase
from oto.domain.events import EventKind
from oto.domain.job import JobEvent, JobId, Reason, UserId
from oto.domain.leg import StrangeStatusError
from oto.domain.market import Symbol
from oto.domain.orders import ExecutionReport
from oto.domain.reports import applied
from oto.domain.tick import Tick
from oto.infrastructure.database import cycles, event_log, mapping
from oto.infrastructure.database.cycles import FINISHED_PHASES, CycleStore
from oto.infrastructure.database.leases import Leases
from oto.infrastructure.database.states import ACTIVE_STATES
from oto.infrastructure.database.work import JobWork

_REPORTS_KEPT = timedelta(days=3)
_EARLY = text("interval '50 milliseconds'")
"""How early a wake-up may be: clocks of two hosts, and of a host and its database, differ."""

_FREE = or_(JobRow.lease_until.is_(None), JobRow.lease_until < func.now())
"""No process has a turn of the job."""

# In these phases nothing is to be decided before a deadline or the next report.
_NOTHING_TO_DECIDE = frozenset({CyclePhase.OPEN, CyclePhase.BOUGHT})

_log = structlog.get_logger(__name__)


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
            if not _is_new(session, user_id, report, received_at):
                return None
            job = _job_of(session, user_id, report)
            return None if job is None else _apply(session, job, report, received_at)

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


def _is_new(
    session: Session, user_id: UserId, report: ExecutionReport, received_at: datetime
) -> bool:
    stored = session.execute(
        insert(ReportRow)
        .values(
            user_id=user_id,
            event_id=report.event_id,
            symbol=report.symbol,
            order_id=report.order_id,
            report=report,
            received_at=received_at,
        )
        .on_conflict_do_nothing()
        .returning(ReportRow.event_id)
    )
    return stored.first() is not None


def _job_of(session: Session, user_id: UserId, report: ExecutionReport) -> JobRow | None:
    """Lock the job that the report concerns.

    It is that of its order, else of the symbol's unfinished cycle, else of an order like it that
    was called absent.
    """
    of_order = select(CycleRow.job_id).join(OrderRow, OrderRow.cycle_id == CycleRow.id)
    of_order = of_order.where(
        OrderRow.user_id == user_id,
        OrderRow.symbol == report.symbol,
        OrderRow.order_id == report.order_id,
    )
    of_symbol = select(CycleRow.job_id).where(
        CycleRow.user_id == user_id,
        CycleRow.symbol == report.symbol,
        CycleRow.phase.not_in(FINISHED_PHASES),
    )
    job_id = (
        session.scalar(of_order)
        or session.scalar(of_symbol)
        or cycles.job_of_absent(session, user_id, report)
    )
    if job_id is None:
        return None
    return session.scalar(select(JobRow).where(JobRow.id == job_id).with_for_update())


def _apply(session: Session, job: JobRow, report: ExecutionReport, now: datetime) -> Wake | None:
    # Only now, under the lock: the turn that placed the order may just have told us its id.
    store = cycles.of_order(session, job.user_id, report) or cycles.unfinished(session, job.id)
    if store is None or store.cycle.leg_of(report.order_id) is None:
        if cycles.job_of_absent(session, job.user_id, report) is not None:
            _call_human(session, job, report, "was called absent, and it is there", now)
        return None
    was = store.cycle
    token = session.get(TokenRow, job.symbol)
    rules = None if token is None else mapping.rules_of(token)
    try:
        cycle = store.save(applied(was, report), rules, now)
        cycles.mark_applied(session, job.user_id, report.event_id, now)
        _note(session, job, store, was.phase, report, now)
    except StrangeStatusError:
        # It stays unapplied; the turn that reads the exchange now meets the same and says so.
        _log.warning("strange_status", order_id=report.order_id)
        cycle = was
    if was.finished and cycle.exposure != was.exposure:
        _call_human(session, job, report, "executed more after its cycle was over", now)
    if cycle.phase in _NOTHING_TO_DECIDE and cycle.fills_complete:
        return None
    session.execute(
        update(JobRow)
        .where(JobRow.id == job.id)
        .values(due_at=func.least(JobRow.due_at, func.now()))
    )
    return Wake(JobId(job.id), job.epoch)


def _note(  # noqa: PLR0917 - what was, and what has come
    session: Session,
    job: JobRow,
    store: CycleStore,
    before: CyclePhase,
    report: ExecutionReport,
    now: datetime,
) -> None:
    """Write to the job's log what a report has told and what that changed."""
    cycle_id, cycle = store.row.id, store.cycle
    told = event_log.told(report)
    event_log.append(session, job, EventKind.REPORT_APPLIED, told, at=now, cycle_id=cycle_id)
    if cycle.phase is not before:
        changed = event_log.changed(before, cycle)
        event_log.append(session, job, EventKind.CYCLE_CHANGED, changed, at=now, cycle_id=cycle_id)


def _call_human(
    session: Session, job: JobRow, report: ExecutionReport, what: str, now: datetime
) -> None:
    """Nothing more is placed until a human has looked at an order that did what it cannot do."""
    _log.error("order_contradicts", job=job.id, order_id=report.order_id, what=what)
    if job.state in ACTIVE_STATES:
        work = JobWork(session, job, now, None, live=False)
        work.end(JobEvent.NEED_HUMAN, Reason.AMBIGUOUS, f"order {report.order_id} {what}")
