"""What a user's wallets held when they were last read."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import BalanceRow, CycleRow, JobRow, OrderRow
from oto.domain.account import AssetWallets, Holding
from oto.domain.leg import LegKind
from oto.domain.money import Amount
from oto.domain.risk.verdict import Balance
from oto.infrastructure.database.cycles import FINISHED_PHASES


def save_wallets(session: Session, user_id: int, wallets: AssetWallets, read_at: datetime) -> None:
    """Store what a user's three wallets hold of one asset."""
    for wallet in ("funding", "spot", "earn"):
        save_holding(session, user_id, wallet, wallets.asset, getattr(wallets, wallet), read_at)


def save_holding(  # noqa: PLR0917 - a row's key and its figures
    session: Session, user_id: int, wallet: str, asset: str, holding: Holding, read_at: datetime
) -> None:
    """Store what one wallet holds of one asset."""
    figures = {"free": holding.free, "held": holding.total - holding.free, "read_at": read_at}
    session.execute(
        insert(BalanceRow)
        .values(user_id=user_id, wallet=wallet, asset=asset, **figures)
        .on_conflict_do_update(index_elements=["user_id", "wallet", "asset"], set_=figures)
    )


def balance_of(session: Session, job: JobRow) -> Balance | None:
    """Return the USDT that a job can pay with; None if the wallet was not read."""
    row = session.get(BalanceRow, (job.user_id, "funding", "USDT"))
    if row is None:
        return None
    # Other jobs of this user may have paid from it since it was read.
    spent = session.scalar(
        select(func.coalesce(func.sum(OrderRow.price * OrderRow.quantity), 0))
        .join(CycleRow, CycleRow.id == OrderRow.cycle_id)
        .where(
            CycleRow.user_id == job.user_id,
            CycleRow.job_id != job.id,
            CycleRow.phase.not_in(FINISHED_PHASES),
            CycleRow.planned_at > row.read_at,
            OrderRow.kind == LegKind.WORKING.value,
        )
    )
    return Balance(Amount(row.free - (spent or Decimal(0))), row.read_at)
