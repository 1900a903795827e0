"""What a job's fills and cycles come to, summed in the database or loaded from it."""

from decimal import Decimal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models import CycleRow, FillRow, JobRow, OrderRow
from oto.domain import points
from oto.domain.cycle import Cycle
from oto.domain.job import Progress, TargetKind
from oto.domain.money import Amount, Quantity
from oto.domain.orders import Side
from oto.domain.wear import Wear
from oto.infrastructure.database import mapping
from oto.infrastructure.database.cycles import FINISHED_PHASES


def wear_of(session: Session, job_id: int) -> Wear:
    """Sum a job's fills as `oto.domain.wear` does for each cycle, which is linear in them."""
    buy, sell = FillRow.side == Side.BUY.value, FillRow.side == Side.SELL.value
    sums = session.execute(
        select(
            func.coalesce(func.sum(FillRow.quote).filter(buy), 0),
            func.coalesce(func.sum(FillRow.quote - FillRow.fee).filter(sell), 0),
            func.coalesce(func.sum(FillRow.quantity - FillRow.fee).filter(buy), 0)
            - func.coalesce(func.sum(FillRow.quantity).filter(sell), 0),
        ).where(FillRow.job_id == job_id)
    ).one()
    spent, received, left = map(Decimal, sums)
    return Wear(Amount(spent), Amount(received), Quantity(left))


def finished_cycles(session: Session, job_id: int) -> int:
    counted = session.scalar(
        select(func.count(FillRow.cycle_id.distinct()))
        .join(CycleRow, CycleRow.id == FillRow.cycle_id)
        .where(FillRow.job_id == job_id, CycleRow.phase.in_(FINISHED_PHASES))
    )
    return counted or 0


def cycles(session: Session, *which: ColumnElement[bool], newest: int | None = None) -> list[Cycle]:
    """Load cycles, newest first."""
    rows = session.scalars(
        select(CycleRow).where(*which).order_by(CycleRow.number.desc()).limit(newest)
    ).all()
    ids = [row.id for row in rows]
    orders = session.scalars(select(OrderRow).where(OrderRow.cycle_id.in_(ids))).all()
    fills = session.scalars(select(FillRow).where(FillRow.cycle_id.in_(ids))).all()
    return [
        mapping.cycle_of(
            row,
            [order for order in orders if order.cycle_id == row.id],
            [fill for fill in fills if fill.cycle_id == row.id],
        )
        for row in rows
    ]


def progress_of(session: Session, row: JobRow) -> Progress:
    """Sum what a job has bought from its fills; for a target in points, of its UTC day."""
    of_job = [FillRow.job_id == row.id, FillRow.side == Side.BUY.value]
    if row.target_kind == TargetKind.POINTS.value and row.target_day is not None:
        # The exchange counts by account: what other jobs bought since the baseline counts too.
        since = max(points.day_began_at(row.target_day), row.created_at)
        of_job = [
            CycleRow.user_id == row.user_id,
            FillRow.side == Side.BUY.value,
            FillRow.filled_at >= since,
        ]
    bought, counted, number = session.execute(
        select(
            func.coalesce(func.sum(FillRow.quote), 0),
            func.coalesce(func.sum(FillRow.quote * CycleRow.multiplier), 0),
            func.count(FillRow.cycle_id.distinct()),
        )
        .join(CycleRow, CycleRow.id == FillRow.cycle_id)
        .where(*of_job)
    ).one()
    return Progress(Amount(Decimal(bought)), Amount(Decimal(counted)), number)
