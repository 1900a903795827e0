"""A job's unfinished cycle in the database: load it, save it, give it its reports."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from models import CycleRow, FillRow, OrderRow, ReportRow
from oto.domain.cycle import FINISHED, Cycle, concluded
from oto.domain.leg import (
    Leg,
    LegFill,
    LegKind,
    LegState,
    StrangeStatusError,
)
from oto.domain.market import SymbolRules
from oto.domain.orders import ExecutionReport, Side
from oto.domain.orders import OrderRow as ListedOrder
from oto.domain.reports import applied, as_row
from oto.infrastructure.database import mapping

_A_DAY = timedelta(hours=24)
FINISHED_PHASES = tuple(phase.value for phase in FINISHED)


class CycleStore:
    """One cycle within one transaction, as rows and as the value that they stand for."""

    def __init__(self, session: Session, row: CycleRow, orders: Sequence[OrderRow]) -> None:
        self._session = session
        self.row = row
        self._orders = list(orders)
        # An order that the exchange has not named yet has no fills.
        named = any(order.order_id is not None for order in orders)
        fills = select(FillRow).where(FillRow.cycle_id == row.id)
        self._fills = list(session.scalars(fills)) if named else []
        self.cycle = mapping.cycle_of(row, self._orders, self._fills)

    def add_order(self, row: OrderRow) -> Leg:
        """Store the intent of one more order and return its leg."""
        self._session.add(row)
        self._session.flush()
        self._orders.append(row)
        self.cycle = mapping.cycle_of(self.row, self._orders, self._fills)
        return self.cycle.legs[-1]

    def save(self, cycle: Cycle, rules: SymbolRules | None, now: datetime) -> Cycle:
        """Store a cycle with all that can be concluded of it."""
        self.cycle = cycle if rules is None else concluded(cycle, rules, now)
        mapping.write_cycle(self.cycle, self.row, self._orders)
        for leg in self.cycle.legs:
            self._write_fills(leg)
        self._session.flush()
        return self.cycle

    def _write_fills(self, leg: Leg) -> None:
        rows = {
            (one.event_id, one.page_id): one
            for one in self._fills
            if one.order_row_id == leg.leg_id
        }
        for fill in leg.fills:
            row = (
                rows.get((fill.event_id, fill.page_id))
                or rows.get((fill.event_id, None))
                or rows.get((None, fill.page_id))
            )
            if row is None:
                self._fills.append(self._new_fill(leg, fill))
            else:
                row.event_id, row.page_id = fill.event_id, fill.page_id

    def _new_fill(self, leg: Leg, fill: LegFill) -> FillRow:
        row = FillRow(
            order_row_id=leg.leg_id,
            cycle_id=self.row.id,
            job_id=self.row.job_id,
            side=leg.side.value,
            trade_id=fill.trade_id,
            event_id=fill.event_id,
            page_id=fill.page_id,
            price=fill.price,
            quantity=fill.quantity,
            quote=fill.quote,
            fee=fill.fee,
            fee_asset=fill.fee_asset,
            filled_at=fill.filled_at,
        )
        self._session.add(row)
        return row

    def apply_waiting(self, rules: SymbolRules | None, now: datetime) -> list[ExecutionReport]:
        """Apply the reports that came before their order was known to be ours; return them."""
        ids = [leg.order_id for leg in self.cycle.legs if leg.order_id is not None]
        waiting = self._session.scalars(
            select(ReportRow)
            .where(
                ReportRow.user_id == self.row.user_id,
                ReportRow.symbol == self.row.symbol,
                ReportRow.order_id.in_(ids),
                ReportRow.applied_at.is_(None),
            )
            .order_by(ReportRow.event_id)
        )
        reports = []
        for row in waiting:
            reports.append(report := msgspec.convert(row.report, ExecutionReport))
            # A status that we do not know is no reason to forget whose order this is: the rows of
            # REST tell what became of it.
            with suppress(StrangeStatusError):
                self.cycle = applied(self.cycle, report)
            row.applied_at = now
        self.save(self.cycle, rules, now)
        return reports


def unfinished(session: Session, job_id: int) -> CycleStore | None:
    """Load the unfinished cycle of a job, whose row the caller has locked."""
    return _loaded(session, CycleRow.job_id == job_id, CycleRow.phase.not_in(FINISHED_PHASES))


def _loaded(session: Session, *which: ColumnElement[bool]) -> CycleStore | None:
    rows = session.execute(
        select(CycleRow, OrderRow).join(OrderRow, OrderRow.cycle_id == CycleRow.id).where(*which)
    ).all()
    return CycleStore(session, rows[0][0], [row[1] for row in rows]) if rows else None


def mark_applied(session: Session, user_id: int, event_id: int, now: datetime) -> None:
    session.execute(
        update(ReportRow)
        .where(ReportRow.user_id == user_id, ReportRow.event_id == event_id)
        .values(applied_at=now)
    )


def of_order(session: Session, user_id: int, report: ExecutionReport) -> CycleStore | None:
    """Load the cycle that a report's order belongs to, finished or not."""
    of_order = select(OrderRow.cycle_id).where(
        OrderRow.user_id == user_id,
        OrderRow.symbol == report.symbol,
        OrderRow.order_id == report.order_id,
    )
    return _loaded(session, CycleRow.id == of_order.scalar_subquery())


def waiting_rows(session: Session, user_id: int, symbol: str) -> list[ListedOrder]:
    """Return, as rows of REST, what unapplied reports say of orders that nobody has claimed."""
    waiting = session.scalars(
        select(ReportRow)
        .where(
            ReportRow.user_id == user_id,
            ReportRow.symbol == symbol,
            ReportRow.applied_at.is_(None),
        )
        .order_by(ReportRow.event_id)
    )
    reports = [msgspec.convert(row.report, ExecutionReport) for row in waiting]
    return [as_row(report) for report in reports]


def job_of_absent(session: Session, user_id: int, report: ExecutionReport) -> int | None:
    """Return the job whose order, like the one reported, we have called absent."""
    kind = LegKind.WORKING if report.side is Side.BUY else LegKind.EXIT
    return session.scalar(
        select(CycleRow.job_id)
        .join(OrderRow, OrderRow.cycle_id == CycleRow.id)
        .where(
            OrderRow.user_id == user_id,
            OrderRow.symbol == report.symbol,
            OrderRow.kind == kind.value,
            OrderRow.state == LegState.ABSENT.value,
            OrderRow.price == report.price,
            OrderRow.quantity == report.quantity,
            OrderRow.planned_at > func.now() - _A_DAY,
        )
        .limit(1)
    )
