"""A cycle can end because what it held is gone from the wallet."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_PHASES = (
    "'abandoned', 'absent', 'bought', 'cancelling', 'cancelling_sell', 'exiting', 'open', "
    "'parked', 'planned', 'refused', 'sending', 'settled', 'unknown'"
)
_FINISHED = "'abandoned', 'absent', 'refused', 'settled'"
_NEW = ", 'written_off'"


def upgrade() -> None:
    _guard(_PHASES + _NEW, _FINISHED + _NEW)


def downgrade() -> None:
    _guard(_PHASES, _FINISHED)


def _guard(phases: str, finished: str) -> None:
    op.drop_constraint(op.f("ck_cycles_phase"), "cycles")
    op.create_check_constraint(op.f("ck_cycles_phase"), "cycles", f"phase IN ({phases})")
    op.drop_index("uq_cycles_unfinished", "cycles")
    op.create_index(
        "uq_cycles_unfinished",
        "cycles",
        ["user_id", "symbol"],
        unique=True,
        postgresql_where=sa.text(f"phase NOT IN ({finished})"),
    )
