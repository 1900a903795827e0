"""The shapes of orders and fills on the wire (PROTOCOL §1.5)."""

from decimal import Decimal

from oto.infrastructure.alpha.schemas import Id, Milliseconds, Wire, Word


class Order(Wire, frozen=True, rename="camel"):
    """PROTOCOL §1.5; 2025 rows end before `cum_quote`, one reader names the status otherwise."""

    order_id: Id
    symbol: Word
    side: str
    price: Decimal
    orig_qty: Decimal
    executed_qty: Decimal
    base_asset: Word
    quote_asset: Word
    status: str | None = None
    order_status: str | None = None
    avg_price: Decimal | None = None
    cum_quote: Decimal | None = None
    order_list_id: str | int | None = None
    contingency_order_position: str | None = None
    time: Milliseconds | None = None
    update_time: Milliseconds | None = None
    working_time: Milliseconds | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.status is None and self.order_status is None:
            raise ValueError("Object missing required field `status`")


class Trade(Wire, frozen=True, rename="camel"):
    symbol: Word
    order_id: Id
    trade_id: Id
    page_id: Id
    side: str
    price: Decimal
    qty: Decimal
    quote_qty: Decimal
    commission: Decimal
    commission_asset: Word
    quote_asset: Word
    time: Milliseconds
    last_trade: bool


class OtoIds(Wire, frozen=True, rename="camel"):
    working_order_id: Id
    pending_order_id: Id


class OneId(Wire, frozen=True, array_like=True):
    """A bare id, string or number, put into brackets by its reader."""

    order_id: Id
