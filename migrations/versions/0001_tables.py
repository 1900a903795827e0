"""All tables of the trading loop."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tokens",
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("alpha_id", sa.Text(), nullable=False),
        sa.Column("quote_asset", sa.Text(), nullable=False),
        sa.Column("ticker", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("contract_address", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("multiplier", sa.Integer(), nullable=True),
        sa.Column("listed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("offline", sa.Boolean(), nullable=False),
        sa.Column("sell_closed", sa.Boolean(), nullable=False),
        sa.Column("halted", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("price_precision", sa.Integer(), nullable=False),
        sa.Column("quantity_precision", sa.Integer(), nullable=False),
        sa.Column("base_precision", sa.Integer(), nullable=False),
        sa.Column("quote_precision", sa.Integer(), nullable=False),
        sa.Column("tick_size", sa.Numeric(), nullable=False),
        sa.Column("min_price", sa.Numeric(), nullable=False),
        sa.Column("max_price", sa.Numeric(), nullable=False),
        sa.Column("lot_step", sa.Numeric(), nullable=False),
        sa.Column("min_quantity", sa.Numeric(), nullable=False),
        sa.Column("max_quantity", sa.Numeric(), nullable=False),
        sa.Column("min_notional", sa.Numeric(), nullable=False),
        sa.Column("max_notional", sa.Numeric(), nullable=True),
        sa.Column("max_orders", sa.Integer(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('DELISTED', 'INIT', 'TRADING', 'UNKNOWN')", name=op.f("ck_tokens_status")
        ),
        sa.CheckConstraint("tick_size > 0 AND lot_step > 0", name=op.f("ck_tokens_grid")),
        sa.PrimaryKeyConstraint("symbol", name=op.f("pk_tokens")),
    )
    op.create_index(op.f("ix_tokens_alpha_id"), "tokens", ["alpha_id"], unique=False)
    op.create_index(op.f("ix_tokens_ticker"), "tokens", ["ticker"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("terms_accepted", sa.Boolean(), nullable=True),
        sa.CheckConstraint(
            "name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'", name=op.f("ck_users_name")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "balances",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("wallet", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("free", sa.Numeric(), nullable=False),
        sa.Column("held", sa.Numeric(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "wallet IN ('alpha', 'earn', 'funding', 'spot')", name=op.f("ck_balances_wallet")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_balances_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "wallet", "asset", name=op.f("pk_balances")),
    )
    op.create_table(
        "credentials",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column(
            "sealed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_credentials_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_credentials")),
    )
    op.create_table(
        "halts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("symbol", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column(
            "halted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("user_id IS NULL OR symbol IS NULL", name=op.f("ck_halts_scope")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_halts_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_halts")),
    )
    op.create_index(
        "uq_halts_scope",
        "halts",
        [sa.literal_column("coalesce(user_id, 0)"), sa.literal_column("coalesce(symbol, '')")],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("target_kind", sa.Text(), nullable=False),
        sa.Column("target_value", sa.Numeric(), nullable=False),
        sa.Column("target_baseline", sa.Numeric(), nullable=False),
        sa.Column("target_day", sa.Date(), nullable=True),
        sa.Column("order_size", sa.Numeric(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("most_slip_bps", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("wish", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("waits_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "reason IS NULL OR reason IN ('ACCOUNT_BUSY', 'AMBIGUOUS', 'CROSSED_BOOK', "
            "'FAULT', 'FIREWALLED', 'HALTED', 'IMPOSSIBLE_ORDER', 'LOW_BALANCE', "
            "'NOT_ACKNOWLEDGED', 'NOT_TRADING', 'NO_CREDENTIALS', 'NO_FINGERPRINT', "
            "'PARKED', 'RATE_LIMITED', 'REFUSED', 'RESTRICTED', 'RULES_UNKNOWN', "
            "'SESSION_OVER', 'STALE_PRICE', 'SYMBOL_HELD', 'TERMS', 'UNAVAILABLE', "
            "'UNKNOWN_ANSWER', 'UNRESOLVED', 'VERIFICATION', 'WIDE_SPREAD', 'ZOMBIE_BOOK')",
            name=op.f("ck_jobs_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('completed', 'draft', 'failed', 'needs_human', 'paused', 'running', "
            "'stopped', 'waiting')",
            name=op.f("ck_jobs_state"),
        ),
        sa.CheckConstraint(
            "target_kind <> 'points' OR target_day IS NOT NULL", name=op.f("ck_jobs_points_day")
        ),
        sa.CheckConstraint(
            "target_kind IN ('counted', 'points', 'volume')", name=op.f("ck_jobs_target_kind")
        ),
        sa.CheckConstraint("wish IN ('pause', 'run', 'stop')", name=op.f("ck_jobs_wish")),
        sa.CheckConstraint("target_value > 0 AND order_size > 0", name=op.f("ck_jobs_sizes")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_jobs_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(
        "ix_jobs_due",
        "jobs",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('running', 'waiting')"),
    )
    op.create_index(op.f("ix_jobs_user_id"), "jobs", ["user_id"], unique=False)
    op.create_index(
        "uq_jobs_active",
        "jobs",
        ["user_id", "symbol"],
        unique=True,
        postgresql_where=sa.text("state IN ('running', 'waiting')"),
    )
    op.create_table(
        "reports",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_reports_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", "event_id", name=op.f("pk_reports")),
    )
    op.create_index(
        "ix_reports_waiting",
        "reports",
        ["user_id", "symbol", "order_id"],
        unique=False,
        postgresql_where=sa.text("applied_at IS NULL"),
    )
    op.create_table(
        "cycles",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("phase_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("multiplier", sa.Integer(), nullable=False),
        sa.Column("rung", sa.Integer(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "lost_reason IS NULL OR lost_reason IN ('ACCOUNT_BUSY', 'AMBIGUOUS', "
            "'CROSSED_BOOK', 'FAULT', 'FIREWALLED', 'HALTED', 'IMPOSSIBLE_ORDER', "
            "'LOW_BALANCE', 'NOT_ACKNOWLEDGED', 'NOT_TRADING', 'NO_CREDENTIALS', "
            "'NO_FINGERPRINT', 'PARKED', 'RATE_LIMITED', 'REFUSED', 'RESTRICTED', "
            "'RULES_UNKNOWN', 'SESSION_OVER', 'STALE_PRICE', 'SYMBOL_HELD', 'TERMS', "
            "'UNAVAILABLE', 'UNKNOWN_ANSWER', 'UNRESOLVED', 'VERIFICATION', 'WIDE_SPREAD', "
            "'ZOMBIE_BOOK')",
            name=op.f("ck_cycles_lost"),
        ),
        sa.CheckConstraint(
            "phase IN ('abandoned', 'absent', 'bought', 'cancelling', 'cancelling_sell', "
            "'exiting', 'open', 'parked', 'planned', 'refused', 'sending', 'settled', "
            "'unknown')",
            name=op.f("ck_cycles_phase"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_cycles_job_id_jobs")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_cycles_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cycles")),
        sa.UniqueConstraint("job_id", "number", name=op.f("uq_cycles_job_id_number")),
    )
    op.create_index(
        "uq_cycles_unfinished",
        "cycles",
        ["user_id", "symbol"],
        unique=True,
        postgresql_where=sa.text("phase NOT IN ('abandoned', 'absent', 'refused', 'settled')"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("cycle_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["cycle_id"], ["cycles.id"], name=op.f("fk_events_cycle_id_cycles")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_events_job_id_jobs")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_events_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_job", "events", ["job_id", "id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("cycle_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("executed", sa.Numeric(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("order_list_id", sa.Text(), nullable=True),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clean_reads", sa.Integer(), nullable=False),
        sa.CheckConstraint("kind IN ('exit', 'pending', 'working')", name=op.f("ck_orders_kind")),
        sa.CheckConstraint(
            "state IN ('absent', 'cancelling', 'discarded', 'ended', 'filled', 'inactive', "
            "'live', 'planned', 'refused', 'sending', 'unknown')",
            name=op.f("ck_orders_state"),
        ),
        sa.CheckConstraint(
            "executed >= 0 AND quantity >= 0 AND price > 0", name=op.f("ck_orders_figures")
        ),
        sa.ForeignKeyConstraint(
            ["cycle_id"], ["cycles.id"], name=op.f("fk_orders_cycle_id_cycles")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_orders_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint(
            "user_id", "symbol", "order_id", name=op.f("uq_orders_user_id_symbol_order_id")
        ),
    )
    op.create_index(op.f("ix_orders_cycle_id"), "orders", ["cycle_id"], unique=False)
    op.create_index(
        "ix_orders_fingerprint", "orders", ["user_id", "symbol", "planned_at"], unique=False
    )
    op.create_index(
        "uq_orders_kind",
        "orders",
        ["cycle_id", "kind"],
        unique=True,
        postgresql_where=sa.text("kind <> 'exit'"),
    )
    op.create_table(
        "fills",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_row_id", sa.BigInteger(), nullable=False),
        sa.Column("cycle_id", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("page_id", sa.Text(), nullable=True),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("quote", sa.Numeric(), nullable=False),
        sa.Column("fee", sa.Numeric(), nullable=False),
        sa.Column("fee_asset", sa.Text(), nullable=False),
        sa.Column("filled_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "event_id IS NOT NULL OR page_id IS NOT NULL", name=op.f("ck_fills_told")
        ),
        sa.CheckConstraint(
            "quantity > 0 AND quote >= 0 AND fee >= 0", name=op.f("ck_fills_figures")
        ),
        sa.ForeignKeyConstraint(["cycle_id"], ["cycles.id"], name=op.f("fk_fills_cycle_id_cycles")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_fills_job_id_jobs")),
        sa.ForeignKeyConstraint(
            ["order_row_id"], ["orders.id"], name=op.f("fk_fills_order_row_id_orders")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fills")),
        sa.UniqueConstraint(
            "order_row_id", "event_id", name=op.f("uq_fills_order_row_id_event_id")
        ),
        sa.UniqueConstraint("order_row_id", "page_id", name=op.f("uq_fills_order_row_id_page_id")),
    )
    op.create_index(op.f("ix_fills_cycle_id"), "fills", ["cycle_id"], unique=False)
    op.create_index(op.f("ix_fills_job_id"), "fills", ["job_id"], unique=False)
    op.create_index(op.f("ix_fills_order_row_id"), "fills", ["order_row_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_fills_order_row_id"), table_name="fills")
    op.drop_index(op.f("ix_fills_job_id"), table_name="fills")
    op.drop_index(op.f("ix_fills_cycle_id"), table_name="fills")
    op.drop_table("fills")
    op.drop_index("uq_orders_kind", table_name="orders", postgresql_where=sa.text("kind <> 'exit'"))
    op.drop_index("ix_orders_fingerprint", table_name="orders")
    op.drop_index(op.f("ix_orders_cycle_id"), table_name="orders")
    op.drop_table("orders")
    op.drop_index("ix_events_job", table_name="events")
    op.drop_table("events")
    op.drop_index(
        "uq_cycles_unfinished",
        table_name="cycles",
        postgresql_where=sa.text("phase NOT IN ('abandoned', 'absent', 'refused', 'settled')"),
    )
    op.drop_table("cycles")
    op.drop_index(
        "ix_reports_waiting", table_name="reports", postgresql_where=sa.text("applied_at IS NULL")
    )
    op.drop_table("reports")
    op.drop_index(
        "uq_jobs_active",
        table_name="jobs",
        postgresql_where=sa.text("state IN ('running', 'waiting')"),
    )
    op.drop_index(op.f("ix_jobs_user_id"), table_name="jobs")
    op.drop_index(
        "ix_jobs_due",
        table_name="jobs",
        postgresql_where=sa.text("state IN ('running', 'waiting')"),
    )
    op.drop_table("jobs")
    op.drop_index(
        "uq_halts_scope", table_name="halts", postgresql_where=sa.text("lifted_at IS NULL")
    )
    op.drop_table("halts")
    op.drop_table("credentials")
    op.drop_table("balances")
    op.drop_table("users")
    op.drop_index(op.f("ix_tokens_ticker"), table_name="tokens")
    op.drop_index(op.f("ix_tokens_alpha_id"), table_name="tokens")
    op.drop_table("tokens")
