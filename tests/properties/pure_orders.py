"""An order of the pure exchange, as rows and reports tell it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from oto.domain.leg import LegFill
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import (
    ExecutionReport,
    ExecutionType,
    OrderId,
    OrderRow,
    OrderStatus,
    OtoMembership,
    ReportedFill,
    Side,
)
from tests.builders import SYMBOL, rules

_RULES = rules()
_NOTHING = Decimal(0)
_OPEN = frozenset({OrderStatus.PENDING, OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})


@dataclass(slots=True)
class Order:
    """One order; `partner` of a working leg is its pending one."""

    order_id: OrderId
    side: Side
    price: Price
    quantity: Quantity
    placed_at: datetime
    status: OrderStatus = OrderStatus.NEW
    oto: OtoMembership | None = None
    partner: "Order | None" = None
    fills: list[LegFill] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return self.status in _OPEN

    @property
    def live(self) -> bool:
        return self.open and self.status is not OrderStatus.PENDING

    @property
    def executed(self) -> Quantity:
        return Quantity(sum((fill.quantity for fill in self.fills), _NOTHING))

    @property
    def remaining(self) -> Quantity:
        return Quantity(self.quantity - self.executed)

    @property
    def sells(self) -> bool:
        return self.live and self.side is Side.SELL

    def row(self) -> OrderRow:
        return OrderRow(
            symbol=SYMBOL,
            order_id=self.order_id,
            side=self.side,
            status=self.status,
            price=self.price,
            average_price=self.price,
            quantity=self.quantity,
            executed_quantity=self.executed,
            cumulative_quote=None,
            base_asset=_RULES.base_asset,
            quote_asset="USDT",
            oto=self.oto,
            created_at=self.placed_at,
            updated_at=None,
            working_at=None,
        )

    def report(
        self, kind: ExecutionType, fill: LegFill | None, event_id: int, now: datetime
    ) -> ExecutionReport:
        """Return what the stream says of the order as it stands."""
        return ExecutionReport(
            event_id=event_id,
            symbol=SYMBOL,
            order_id=self.order_id,
            client_order_id="",
            side=self.side,
            execution=kind,
            status=self.status,
            price=self.price,
            average_price=self.price,
            quantity=self.quantity,
            cumulative_quantity=self.executed,
            cumulative_quote=Amount(sum((one.quote for one in self.fills), _NOTHING)),
            base_asset=_RULES.base_asset,
            quote_asset="USDT",
            oto=self.oto,
            fill=None if fill is None else _reported(fill),
            created_at=self.placed_at,
            transacted_at=now,
            emitted_at=now,
        )


def _reported(fill: LegFill) -> ReportedFill:
    fee = Quantity(fill.fee)
    return ReportedFill(fill.trade_id, fill.price, fill.quantity, fill.quote, fee, fill.fee_asset)
