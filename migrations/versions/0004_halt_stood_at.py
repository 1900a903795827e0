"""A halt tells since when no order can reach the exchange."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("halts", sa.Column("stood_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("halts", "stood_at")
