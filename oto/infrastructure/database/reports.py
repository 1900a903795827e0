"""Reports of the user stream on their way into the ledger: each once, to the cycle it is about."""

from datetime import datetime

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import CycleRow, JobRow, OrderRow, ReportRow, TokenRow
from oto.application.ports import Wake
from oto.domain.cycle import CyclePhase
from oto.domain.events import EventKind
from oto.domain.job import JobEvent, JobId, Reason, UserId
from oto.domain.leg import StrangeStatusError
from oto.domain.orders import ExecutionReport
from oto.domain.reports import applied
from oto.infrastructure.database import cycles, event_log, mapping
from oto.infrastructure.database.cycles import FINISHED_PHASES, CycleStore
from oto.infrastructure.database.states import ACTIVE_STATES
from oto.infrastructure.database.work import JobWork

# In these phases nothing is to be decided before a deadline or the next report.
_NOTHING_TO_DECIDE = frozenset({CyclePhase.OPEN, CyclePhase.BOUGHT})

_log = structlog.get_logger(__name__)


def take(
    session: Session, user_id: UserId, report: ExecutionReport, received_at: datetime
) -> Wake | None:
    """Store and apply a report, once; return a wake-up if its job has something to do now."""
    if not _is_new(session, user_id, report, received_at):
        return None
    job = _job_of(session, user_id, report)
    return None if job is None else _apply(session, job, report, received_at)


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
