"""Alpha tokens with the rules of their USDT pair, as the exchange listed them last."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Figure, Moment, Word, one_of
from oto.domain.market import SymbolStatus


class TokenRow(Base):
    """One token; the rules are those of its USDT pair."""

    __tablename__ = "tokens"
    __table_args__ = (
        one_of("status", SymbolStatus),
        CheckConstraint("tick_size > 0 AND lot_step > 0", name="grid"),
    )

    symbol: Mapped[Word] = mapped_column(primary_key=True)
    alpha_id: Mapped[Word] = mapped_column(index=True)
    quote_asset: Mapped[Word]
    ticker: Mapped[Word] = mapped_column(index=True)
    name: Mapped[Word]
    chain_id: Mapped[Word]
    contract_address: Mapped[Word]
    price: Mapped[Figure]
    multiplier: Mapped[int | None]
    listed_at: Mapped[Moment | None]
    offline: Mapped[bool]
    sell_closed: Mapped[bool]
    halted: Mapped[bool]
    status: Mapped[Word]
    price_precision: Mapped[int]
    quantity_precision: Mapped[int]
    base_precision: Mapped[int]
    quote_precision: Mapped[int]
    tick_size: Mapped[Figure]
    min_price: Mapped[Figure]
    max_price: Mapped[Figure]
    lot_step: Mapped[Figure]
    min_quantity: Mapped[Figure]
    max_quantity: Mapped[Figure]
    min_notional: Mapped[Figure]
    max_notional: Mapped[Figure | None]
    max_orders: Mapped[int | None]
    read_at: Mapped[Moment]
