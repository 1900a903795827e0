"""What was seen and what was decided, append-only."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Moment, Word


class ReportRow(Base):
    """One report of a user stream, whole; applied once its order is known to be ours."""

    __tablename__ = "reports"
    __table_args__ = (
        Index(
            "ix_reports_waiting",
            "user_id",
            "symbol",
            "order_id",
            postgresql_where=text("applied_at IS NULL"),
        ),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    event_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    symbol: Mapped[Word]
    order_id: Mapped[Word]
    report: Mapped[dict[str, Any]] = mapped_column(JSONB)
    received_at: Mapped[Moment]
    applied_at: Mapped[Moment | None]


class EventRow(Base):
    """One entry of a job's log; `kind` is a word of `oto.domain.events`.

    Entries of a job are numbered without a gap and chained by `hash`. Those from before there was
    a chain have neither.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_job", "job_id", "id"),
        UniqueConstraint("job_id", "number"),
    )

    id: Mapped[Id]
    at: Mapped[Moment]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    cycle_id: Mapped[int | None] = mapped_column(ForeignKey("cycles.id"))
    number: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[Word]
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    hash: Mapped[bytes | None] = mapped_column(LargeBinary)
