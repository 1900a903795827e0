"""What a job's fills and cycles come to, summed in the database or loaded from it."""

from decimal import Decimal

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from models import CycleRow, FillRow, OrderRow
from oto.domain.cycle import Cycle
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
