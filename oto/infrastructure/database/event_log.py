"""A job's log: append-only, each entry chained to the one before it by a hash."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from models import EventRow, JobRow
from oto.application.job_log import LOG_KEPT, link
from oto.domain import wear
from oto.domain.cycle import Cycle, CyclePhase
from oto.domain.events import EventKind
from oto.domain.orders import ExecutionReport

_LOGS_AT_A_TIME = 20
"""So that a turn waits for no long transaction; it comes again each hour."""


def append(
    session: Session,
    job: JobRow,
    kind: EventKind,
    body: Mapping[str, object],
    *,
    at: datetime | None = None,
    cycle_id: int | None = None,
) -> None:
    """Write one entry; the caller has locked the job's row, or has just made it.

    `at` is the writer's time, or else the database's.
    """
    moment = at or session.scalars(select(func.now())).one()
    number = job.log_length + 1
    linked = link(job.log_hash, number, moment, kind.value, cycle_id, body)
    session.add(
        EventRow(
            at=moment,
            user_id=job.user_id,
            job_id=job.id,
            cycle_id=cycle_id,
            number=number,
            kind=kind.value,
            body=dict(body),
            hash=linked,
        )
    )
    job.log_length, job.log_hash = number, linked


def drop_old(session: Session) -> int:
    """Drop the logs of jobs that ended long ago, a few whole ones at a time; return how many."""
    old = session.scalars(
        select(JobRow)
        .where(JobRow.ended_at < func.now() - LOG_KEPT, JobRow.log_length > 0)
        .limit(_LOGS_AT_A_TIME)
        .with_for_update(skip_locked=True)
    ).all()
    session.execute(delete(EventRow).where(EventRow.job_id.in_([job.id for job in old])))
    for job in old:
        job.log_length, job.log_hash = 0, b""
    return len(old)


def told(report: ExecutionReport) -> dict[str, object]:
    """Return what a log keeps of a report; the report itself is stored apart."""
    return {
        "event_id": report.event_id,
        "order_id": report.order_id,
        "status": report.status,
        "executed": report.cumulative_quantity,
        "fill": report.fill,
    }


def changed(before: CyclePhase, cycle: Cycle) -> dict[str, object]:
    """Return what a log keeps of a cycle's new phase: its sums too, once something was bought."""
    phases: dict[str, object] = {"before": before, "phase": cycle.phase}
    if not cycle.bought:
        return phases
    cost = wear.of_cycle(cycle)
    return phases | {
        "bought": cycle.working.filled_quantity,
        "spent": cost.spent,
        "sold": sum((leg.filled_quantity for leg in cycle.sells), Decimal(0)),
        "received": cost.received,
        "held": cost.base_left,
    }
