"""Orders inside the simulated exchange, and what executes between them."""

from dataclasses import dataclass, field
from decimal import Decimal

from oto.domain import money
from oto.domain.market import Symbol
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import LegRole, OrderStatus, Side
from oto.simulator.accounts import Account
from oto.simulator.listings import Listing

_NOTHING = Decimal(0)
_NO_BASE = Quantity(_NOTHING)
_NO_QUOTE = Amount(_NOTHING)

LIVE = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})


@dataclass(slots=True, eq=False)
class Order:
    """One order; `quantity` is zero for a pending leg until it is activated."""

    listing: Listing
    account: Account
    order_id: int
    client_id: str
    side: Side
    price: Price
    quantity: Quantity
    status: OrderStatus
    created_ms: int
    updated_ms: int
    locked: Decimal = _NOTHING
    executed: Quantity = _NO_BASE
    quote: Amount = _NO_QUOTE
    # Fees in base that BUY fills cost so far: what the pending leg does not get.
    base_fee: Quantity = _NO_BASE
    list_id: int | None = None
    role: LegRole | None = None
    partner: "Order | None" = None
    working_ms: int = 0
    # External quantity that came first at this price and must trade before this order does.
    ahead: Quantity = _NO_BASE
    visible_from_ms: int = 0
    fills: "list[FillRow]" = field(default_factory=list)

    @property
    def symbol(self) -> Symbol:
        return self.listing.rules.symbol

    @property
    def remaining(self) -> Quantity:
        return Quantity(self.quantity - self.executed)

    @property
    def live(self) -> bool:
        return self.status in LIVE

    @property
    def open(self) -> bool:
        return self.live or self.status is OrderStatus.PENDING

    def accepts(self, price: Price) -> bool:
        return price <= self.price if self.side is Side.BUY else price >= self.price

    @property
    def average_price(self) -> Price:
        decimals = self.listing.rules.price_precision
        return money.average_price_half_up(self.quote, self.executed, decimals)


@dataclass(frozen=True, slots=True)
class FillRow:
    """One fill of one user's order; `page_id` is unique, a trade id need not be."""

    page_id: int
    trade_id: int
    price: Price
    quantity: Quantity
    quote: Amount
    fee: Decimal
    fee_asset: str
    buyer_is_maker: bool
    at_ms: int
    last: bool


@dataclass(frozen=True, slots=True)
class Execution:
    """One match between two orders; None stands for the rest of the world.

    `on_tape` says that the tape prints the trade itself.
    """

    trade_id: int
    price: Price
    quantity: Quantity
    taker_side: Side
    taker: Order | None
    maker: Order | None
    on_tape: bool = False

    @property
    def buyer_is_maker(self) -> bool:
        return self.taker_side is Side.SELL
