"""Our side of a reconciliation: what the ledger has of one user, read at one moment."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

import msgspec
from sqlalchemy import Engine, func, or_, select
from sqlalchemy.orm import Session

from models import CycleRow, FillRow, JobRow, OrderRow, ReportRow, TokenRow
from oto.application.reconcile import OurSide
from oto.domain.comparing import OrderKey, OwnCycle
from oto.domain.job import UserId
from oto.domain.market import AlphaId, Symbol
from oto.domain.money import Quantity
from oto.domain.orders import ExecutionReport, OrderId, Side
from oto.domain.orders import OrderRow as ListedOrder
from oto.domain.reports import as_row
from oto.infrastructure.database import job_figures, mapping
from oto.infrastructure.database.cycles import FINISHED_PHASES


class Sides:
    """Reads of the ledger; nothing is ever written."""

    def __init__(self, engine: Engine) -> None:
        # What is compared was true together.
        self._engine = engine.execution_options(isolation_level="REPEATABLE READ")

    def of(self, user_id: UserId, since: datetime) -> OurSide:
        with Session(self._engine) as session:
            return OurSide(
                cycles=_cycles(session, user_id, since),
                reported=_reported(session, user_id),
                dust=_dust(session, user_id),
                base_assets=_base_assets(session, user_id),
            )

    def owned(self, user_id: UserId, keys: Collection[OrderKey]) -> Collection[OrderKey]:
        with Session(self._engine) as session:
            found = session.execute(
                select(OrderRow.symbol, OrderRow.order_id).where(
                    OrderRow.user_id == user_id,
                    OrderRow.order_id.in_([order_id for _, order_id in keys]),
                )
            )
            return {(Symbol(of), OrderId(order_id)) for of, order_id in found if order_id}


def _cycles(session: Session, user_id: UserId, since: datetime) -> list[OwnCycle]:
    recent = or_(CycleRow.phase.not_in(FINISHED_PHASES), CycleRow.planned_at >= since)
    rows = session.scalars(
        select(JobRow).where(
            JobRow.id.in_(select(CycleRow.job_id).where(CycleRow.user_id == user_id, recent))
        )
    )
    return [
        OwnCycle(mapping.job_of(row), cycle)
        for row in rows
        for cycle in reversed(job_figures.cycles(session, CycleRow.job_id == row.id, recent))
    ]


def _reported(session: Session, user_id: UserId) -> list[ListedOrder]:
    waiting = session.scalars(
        select(ReportRow)
        .where(ReportRow.user_id == user_id, ReportRow.applied_at.is_(None))
        .order_by(ReportRow.event_id)
    )
    return [as_row(msgspec.convert(row.report, ExecutionReport)) for row in waiting]


def _dust(session: Session, user_id: UserId) -> dict[Symbol, Quantity]:
    """Sum what the fills of finished cycles left, as `Cycle.exposure` does for one."""
    buy = FillRow.side == Side.BUY.value
    left = func.coalesce(func.sum(FillRow.quantity - FillRow.fee).filter(buy), 0) - func.coalesce(
        func.sum(FillRow.quantity).filter(~buy), 0
    )
    found = session.execute(
        select(CycleRow.symbol, left)
        .join(CycleRow, CycleRow.id == FillRow.cycle_id)
        .where(CycleRow.user_id == user_id, CycleRow.phase.in_(FINISHED_PHASES))
        .group_by(CycleRow.symbol)
    )
    return {Symbol(symbol): Quantity(Decimal(dust)) for symbol, dust in found}


def _base_assets(session: Session, user_id: UserId) -> dict[Symbol, AlphaId]:
    found = session.execute(
        select(TokenRow.symbol, TokenRow.alpha_id).where(
            TokenRow.symbol.in_(select(JobRow.symbol).where(JobRow.user_id == user_id))
        )
    )
    return {Symbol(symbol): AlphaId(alpha_id) for symbol, alpha_id in found}
