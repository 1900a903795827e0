"""Fences: while one covers an order, its *sending* does not commit (TRADING §6)."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Moment, Word


class HaltRow(Base):
    """One halt: of everything, or of one user, or of one symbol.

    No *sending* is committed after `halted_at`; no order reaches the exchange after `stood_at`.
    """

    __tablename__ = "halts"
    __table_args__ = (
        CheckConstraint("user_id IS NULL OR symbol IS NULL", name="scope"),
        Index(
            "uq_halts_scope",
            text("coalesce(user_id, 0)"),
            text("coalesce(symbol, '')"),
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    symbol: Mapped[Word | None]
    why: Mapped[Word]
    halted_at: Mapped[Moment] = mapped_column(server_default=text("now()"))
    stood_at: Mapped[Moment | None]
    lifted_at: Mapped[Moment | None]
