"""Halts in the database: the fence that a *sending* does not cross (TRADING §6)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, and_, func, or_, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import CycleRow, HaltRow, JobRow, OrderRow, UserRow
from oto.application.halt import Affected, Fence
from oto.domain.halting import Scope
from oto.domain.job import JobId, UserId
from oto.domain.leg import LegState
from oto.domain.market import Symbol
from oto.domain.orders import OrderId
from oto.infrastructure.database.cycles import FINISHED_PHASES

# Any number that no one else takes: a *sending* shares it, a halt has it alone.
_FENCE = 0x07_0F_E9_CE


@dataclass(frozen=True, slots=True)
class Standing:
    """One halt that stands; `user` and `symbol` are None where it covers all of them."""

    user: str | None
    symbol: str | None
    why: str
    halted_at: datetime


def covering(session: Session, user_id: int, symbol: str) -> str | None:
    """Return why trading this user and symbol is halted, or None."""
    halt = session.scalar(
        select(HaltRow)
        .where(
            HaltRow.lifted_at.is_(None),
            or_(HaltRow.user_id.is_(None), HaltRow.user_id == user_id),
            or_(HaltRow.symbol.is_(None), HaltRow.symbol == symbol),
        )
        .limit(1)
    )
    return None if halt is None else halt.why


def at_the_fence(session: Session, user_id: int, symbol: str) -> str | None:
    """Return the same, and keep halts from being raised until this transaction has ended.

    So a halt either is seen here, or begins after this *sending* was committed and waits for it.
    """
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:fence)"), {"fence": _FENCE})
    return covering(session, user_id, symbol)


class Halts:
    """The halts of this installation."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def raise_fence(self, scope: Scope, why: str) -> Fence:
        """Forbid every *sending* from now on; the fence that is there already is kept."""
        with Session(self._engine) as session, session.begin():
            _keep_senders_out(session)
            session.execute(
                insert(HaltRow)
                .values(user_id=scope.user_id, symbol=scope.symbol, why=why)
                .on_conflict_do_nothing()
            )
            row = session.scalars(select(HaltRow).where(_stands(scope))).one()
            return Fence(row.id, row.halted_at)

    def under_way(self, scope: Scope, since: datetime) -> int:
        # A turn that took over has called it unknown, and nobody has said why: it may still come.
        overtaken = and_(
            OrderRow.state == LegState.UNKNOWN.value,
            CycleRow.lost_reason.is_(None),
            OrderRow.sent_at >= since,
        )
        with Session(self._engine) as session:
            counted = (
                select(func.count(OrderRow.id))
                .join(CycleRow, CycleRow.id == OrderRow.cycle_id)
                .where(
                    or_(OrderRow.state == LegState.SENDING.value, overtaken),
                    _within(scope, OrderRow),
                )
            )
            return session.scalar(counted) or 0

    def stand(self, fence: Fence) -> datetime:
        """Store that from now on no order can leave, and return since when that is so."""
        with Session(self._engine) as session, session.begin():
            row = session.get_one(HaltRow, fence.halt_id)
            if row.stood_at is None:
                row.stood_at = session.scalars(select(func.now())).one()
            return row.stood_at

    def affected(self, scope: Scope) -> Sequence[Affected]:
        """Return the jobs of unfinished cycles, in whatever state they are."""
        with Session(self._engine) as session:
            rows = session.execute(
                select(JobRow.id, JobRow.user_id, JobRow.symbol)
                .join(CycleRow, CycleRow.job_id == JobRow.id)
                .where(
                    CycleRow.phase.not_in(FINISHED_PHASES),
                    _within(scope, CycleRow),
                )
                .order_by(JobRow.id)
            )
            return [
                Affected(JobId(job_id), UserId(user_id), Symbol(symbol))
                for job_id, user_id, symbol in rows
            ]

    def known(self, user_id: UserId, order_ids: Collection[OrderId]) -> int:
        """Return how many of these orders are known to be ours."""
        counted = select(func.count(OrderRow.id)).where(
            OrderRow.user_id == user_id, OrderRow.order_id.in_(order_ids)
        )
        with Session(self._engine) as session:
            return session.scalar(counted) or 0

    def lift(self, scope: Scope | None) -> int:
        """Lift the halt of exactly this scope, or every one for None; return how many."""
        with Session(self._engine) as session, session.begin():
            _keep_senders_out(session)
            lifted = session.execute(
                update(HaltRow)
                .where(HaltRow.lifted_at.is_(None), true() if scope is None else _stands(scope))
                .values(lifted_at=func.now())
                .returning(HaltRow.id)
            )
            return len(lifted.all())

    def standing(self) -> list[Standing]:
        """Return the halts that are not lifted, the oldest first."""
        with Session(self._engine) as session:
            rows = session.execute(
                select(UserRow.name, HaltRow.symbol, HaltRow.why, HaltRow.halted_at)
                .select_from(HaltRow)
                .outerjoin(UserRow, UserRow.id == HaltRow.user_id)
                .where(HaltRow.lifted_at.is_(None))
                .order_by(HaltRow.id)
            )
            return [Standing(*row) for row in rows]


def _keep_senders_out(session: Session) -> None:
    """Wait for a *sending* that is about to commit, and let none begin before this one ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(:fence)"), {"fence": _FENCE})


def _stands(scope: Scope) -> ColumnElement[bool]:
    return and_(
        HaltRow.lifted_at.is_(None),
        HaltRow.user_id.is_not_distinct_from(scope.user_id),
        HaltRow.symbol.is_not_distinct_from(scope.symbol),
    )


def _within(scope: Scope, row: type[CycleRow | OrderRow]) -> ColumnElement[bool]:
    of_user = true() if scope.user_id is None else row.user_id == scope.user_id
    return and_(of_user, true() if scope.symbol is None else row.symbol == scope.symbol)
