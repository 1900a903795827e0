"""A job's log: append-only, each entry chained to the one before it by a hash."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import EventRow, JobRow
from oto.application.job_log import link
from oto.domain.events import EventKind
from oto.domain.orders import ExecutionReport


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


def told(report: ExecutionReport) -> dict[str, object]:
    """Return what a log keeps of a report; the report itself is stored apart."""
    return {
        "event_id": report.event_id,
        "order_id": report.order_id,
        "status": report.status,
        "executed": report.cumulative_quantity,
        "fill": report.fill,
    }
