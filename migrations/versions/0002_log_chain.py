"""Entries of a job's log are numbered and chained; older ones stay as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("number", sa.BigInteger(), nullable=True))
    op.add_column("events", sa.Column("hash", sa.LargeBinary(), nullable=True))
    op.create_unique_constraint(op.f("uq_events_job_id_number"), "events", ["job_id", "number"])
    op.add_column(
        "jobs", sa.Column("log_length", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "jobs", sa.Column("log_hash", sa.LargeBinary(), server_default="", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("jobs", "log_hash")
    op.drop_column("jobs", "log_length")
    op.drop_constraint(op.f("uq_events_job_id_number"), "events")
    op.drop_column("events", "hash")
    op.drop_column("events", "number")
