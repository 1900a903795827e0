"""Orders, their reports and their fills, as the exchange tells them."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NewType

from oto.domain.market import AlphaId, RuleViolation, Symbol, SymbolRules
from oto.domain.money import Amount, Price, Quantity

OrderId = NewType("OrderId", str)
"""A counter per symbol: only (symbol, order id) names an order."""

OrderListId = NewType("OrderListId", str)
"""What the two legs of one OTO share."""


class Side(Enum):
    BUY = "BUY"
    SELL = "SELL"


class OrderStatus(Enum):
    """Status of an order; a word that we do not know is UNKNOWN and needs reconciliation."""

    PENDING = "PENDING"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


ENDED = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
)
"""Statuses that an order never leaves."""


class ExecutionType(Enum):
    """What a report tells; a word that we do not know is UNKNOWN and needs reconciliation."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


class LegRole(Enum):
    """Place of an order in its OTO."""

    WORKING = "OTO_WORKING"
    PENDING = "OTO_PENDING"


class OrderNotAllowedError(ValueError):
    """An order that the symbol's rules refuse was about to be made."""

    def __init__(self, symbol: str, violation: RuleViolation) -> None:
        super().__init__(symbol, violation)
        self.symbol = symbol
        self.violation = violation

    def __str__(self) -> str:
        return f"{self.symbol}: {self.violation.value}"


@dataclass(frozen=True, slots=True)
class LimitOrder:
    """A plain limit order on its symbol's grid.

    Raises:
        OrderNotAllowedError: price or quantity breaks a rule of the symbol.
    """

    rules: SymbolRules
    side: Side
    price: Price
    quantity: Quantity

    def __post_init__(self) -> None:
        if found := self.rules.violation(self.price, self.quantity):
            raise OrderNotAllowedError(self.rules.symbol, found)

    @property
    def payment(self) -> Amount | Quantity:
        """What is paid: quote, cut to its decimals, for a BUY; the base quantity for a SELL."""
        if self.side is Side.BUY:
            return self.rules.buy_amount_floor(self.price, self.quantity)
        return self.quantity


@dataclass(frozen=True, slots=True)
class OtoOrder:
    """A working BUY that triggers a pending SELL; the exchange sets the pending quantity.

    Raises:
        OrderNotAllowedError: a price or the quantity breaks a rule of the symbol.
    """

    rules: SymbolRules
    working_price: Price
    working_quantity: Quantity
    pending_price: Price

    def __post_init__(self) -> None:
        found = self.rules.violation(self.working_price, self.working_quantity)
        if found := found or self.rules.price_violation(self.pending_price):
            raise OrderNotAllowedError(self.rules.symbol, found)

    @property
    def payment(self) -> Amount:
        """What the working BUY pays at most, in quote, cut to its decimals."""
        return self.rules.buy_amount_floor(self.working_price, self.working_quantity)


@dataclass(frozen=True, slots=True)
class PlacedOto:
    working_order_id: OrderId
    pending_order_id: OrderId


@dataclass(frozen=True, slots=True)
class OtoMembership:
    """Which OTO an order belongs to, and as what."""

    order_list_id: OrderListId
    role: LegRole


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order as REST lists it, open or past.

    `cumulative_quote` and `oto` are None where an older row does not say; a pending leg that is
    not active yet has quantity zero.
    """

    symbol: Symbol
    order_id: OrderId
    side: Side
    status: OrderStatus
    price: Price
    average_price: Price
    quantity: Quantity
    executed_quantity: Quantity
    cumulative_quote: Amount | None
    base_asset: AlphaId
    quote_asset: str
    oto: OtoMembership | None
    created_at: datetime | None
    updated_at: datetime | None
    working_at: datetime | None

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill row of REST, unique by `page_id`; several rows can share a trade id."""

    symbol: Symbol
    order_id: OrderId
    trade_id: str
    page_id: str
    side: Side
    price: Price
    quantity: Quantity
    quote: Amount
    fee: Amount | Quantity
    fee_asset: str
    last_of_order: bool
    filled_at: datetime


@dataclass(frozen=True, slots=True)
class ReportedFill:
    """The fill that a report of type TRADE carries; its fee is in `fee_asset`."""

    trade_id: str
    price: Price
    quantity: Quantity
    quote: Amount
    fee: Amount | Quantity
    fee_asset: str


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """One report of the user stream, unique and ordered by `event_id`.

    `quantity` is zero for a pending leg that is not active yet; `fill` is there exactly when
    `execution` is TRADE.
    """

    event_id: int
    symbol: Symbol
    order_id: OrderId
    client_order_id: str
    side: Side
    execution: ExecutionType
    status: OrderStatus
    price: Price
    average_price: Price
    quantity: Quantity
    cumulative_quantity: Quantity
    cumulative_quote: Amount
    base_asset: AlphaId
    quote_asset: str
    oto: OtoMembership | None
    fill: ReportedFill | None
    created_at: datetime
    transacted_at: datetime
    emitted_at: datetime
