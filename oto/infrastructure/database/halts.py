"""Halts in the database: the fence that a *sending* does not cross."""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models import HaltRow


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
