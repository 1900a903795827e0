"""Cycles, their orders and their fills: what was concluded of what the exchange said."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Figure, Id, Moment, Word, one_of, quoted
from oto.domain.cycle import FINISHED, CyclePhase
from oto.domain.job import Reason
from oto.domain.leg import LegKind, LegState

REASON_WORDS = quoted(reason.name for reason in Reason)
FINISHED_WORDS = quoted(phase.value for phase in FINISHED)


class CycleRow(Base):
    """One OTO pair; at most one per user and symbol is unfinished."""

    __tablename__ = "cycles"
    __table_args__ = (
        one_of("phase", CyclePhase),
        CheckConstraint(f"lost_reason IS NULL OR lost_reason IN ({REASON_WORDS})", name="lost"),
        UniqueConstraint("job_id", "number"),
        Index(
            "uq_cycles_unfinished",
            "user_id",
            "symbol",
            unique=True,
            postgresql_where=text(f"phase NOT IN ({FINISHED_WORDS})"),
        ),
    )

    id: Mapped[Id]
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    symbol: Mapped[Word]
    number: Mapped[int]
    phase: Mapped[Word]
    phase_since: Mapped[Moment]
    multiplier: Mapped[int]
    rung: Mapped[int]
    planned_at: Mapped[Moment]
    looked_at: Mapped[Moment | None]
    lost_reason: Mapped[Word | None]


class OrderRow(Base):
    """One leg; (price, quantity) is its fingerprint until the exchange's id is known."""

    __tablename__ = "orders"
    __table_args__ = (
        one_of("kind", LegKind),
        one_of("state", LegState),
        UniqueConstraint("user_id", "symbol", "order_id"),
        CheckConstraint("executed >= 0 AND quantity >= 0 AND price > 0", name="figures"),
        # Within a cycle one BUY and one pending SELL.
        Index(
            "uq_orders_kind",
            "cycle_id",
            "kind",
            unique=True,
            postgresql_where=text("kind <> 'exit'"),
        ),
        Index("ix_orders_fingerprint", "user_id", "symbol", "planned_at"),
    )

    id: Mapped[Id]
    cycle_id: Mapped[int] = mapped_column(ForeignKey("cycles.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    symbol: Mapped[Word]
    kind: Mapped[Word]
    state: Mapped[Word]
    price: Mapped[Figure]
    quantity: Mapped[Figure]
    executed: Mapped[Figure]
    order_id: Mapped[Word | None]
    order_list_id: Mapped[Word | None]
    planned_at: Mapped[Moment]
    sent_at: Mapped[Moment | None]
    cancel_sent_at: Mapped[Moment | None]
    clean_reads: Mapped[int]


class FillRow(Base):
    """One execution, told by a report, by a row of REST, or by both; unique by either."""

    __tablename__ = "fills"
    __table_args__ = (
        UniqueConstraint("order_row_id", "event_id"),
        UniqueConstraint("order_row_id", "page_id"),
        CheckConstraint("event_id IS NOT NULL OR page_id IS NOT NULL", name="told"),
        CheckConstraint("quantity > 0 AND quote >= 0 AND fee >= 0", name="figures"),
    )

    id: Mapped[Id]
    order_row_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    cycle_id: Mapped[int] = mapped_column(ForeignKey("cycles.id"), index=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    side: Mapped[Word]
    trade_id: Mapped[Word]
    event_id: Mapped[int | None] = mapped_column(BigInteger)
    page_id: Mapped[Word | None]
    price: Mapped[Figure]
    quantity: Mapped[Figure]
    quote: Mapped[Figure]
    fee: Mapped[Figure]
    fee_asset: Mapped[Word]
    filled_at: Mapped[Moment]
