"""Jobs: the row is the loop, messages are only wake-ups (TRADING §5.1)."""

from datetime import date

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Figure, Id, Moment, Word, one_of, quoted
from oto.domain.job import ACTIVE, JobState, Reason, TargetKind, Wish

ACTIVE_WORDS = quoted(state.value for state in ACTIVE)


class JobRow(Base):
    """One target. `epoch` counts turns: a wake-up or a write of an older one changes nothing.

    `log_length` and `log_hash` are those of its newest log entry.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        one_of("state", JobState),
        one_of("wish", Wish),
        one_of("target_kind", TargetKind),
        CheckConstraint(
            f"reason IS NULL OR reason IN ({quoted(reason.name for reason in Reason)})",
            name="reason",
        ),
        CheckConstraint("target_value > 0 AND order_size > 0", name="sizes"),
        CheckConstraint("target_kind <> 'points' OR target_day IS NOT NULL", name="points_day"),
        Index("ix_jobs_due", "due_at", postgresql_where=text(f"state IN ({ACTIVE_WORDS})")),
        # Two loops on one symbol of one user would wait for each other's orders.
        Index(
            "uq_jobs_active",
            "user_id",
            "symbol",
            unique=True,
            postgresql_where=text(f"state IN ({ACTIVE_WORDS})"),
        ),
    )

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    symbol: Mapped[Word]
    target_kind: Mapped[Word]
    target_value: Mapped[Figure]
    target_baseline: Mapped[Figure]
    target_day: Mapped[date | None]
    order_size: Mapped[Figure]
    profile: Mapped[Word]
    most_slip_bps: Mapped[int]
    state: Mapped[Word]
    wish: Mapped[Word]
    reason: Mapped[Word | None]
    detail: Mapped[Word] = mapped_column(server_default="")
    waits_until: Mapped[Moment | None]
    created_at: Mapped[Moment] = mapped_column(server_default=text("now()"))
    ended_at: Mapped[Moment | None]
    epoch: Mapped[int] = mapped_column(BigInteger, server_default="0")
    due_at: Mapped[Moment] = mapped_column(server_default=text("now()"))
    lease_owner: Mapped[Word | None]
    lease_until: Mapped[Moment | None]
    log_length: Mapped[int] = mapped_column(BigInteger, server_default="0", default=0)
    log_hash: Mapped[bytes] = mapped_column(LargeBinary, server_default="", default=b"")
