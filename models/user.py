"""Users, their sealed credentials, and what their wallets held when last read."""

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Figure, Id, Moment, Word


class UserRow(Base):
    """One exchange account of ours; `acknowledged_at` is about live trading."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'", name="name"),)

    id: Mapped[Id]
    name: Mapped[Word] = mapped_column(unique=True)
    created_at: Mapped[Moment] = mapped_column(server_default=text("now()"))
    acknowledged_at: Mapped[Moment | None]
    terms_accepted: Mapped[bool | None]


class CredentialRow(Base):
    """A user's headers and cookies, sealed by the vault."""

    __tablename__ = "credentials"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[Moment] = mapped_column(server_default=text("now()"))


class BalanceRow(Base):
    """What a wallet held of an asset: `wallet` is funding, spot, earn or alpha."""

    __tablename__ = "balances"
    __table_args__ = (
        CheckConstraint("wallet IN ('alpha', 'earn', 'funding', 'spot')", name="wallet"),
    )

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    wallet: Mapped[Word] = mapped_column(primary_key=True)
    asset: Mapped[Word] = mapped_column(primary_key=True)
    free: Mapped[Figure]
    held: Mapped[Figure]
    read_at: Mapped[Moment]
