"""What a user's wallets held when they were last read."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models import BalanceRow
from oto.domain.account import AssetWallets, Holding


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
