"""Reports of the user stream as they are on the wire, and the domain value in them (§2.3)."""

from msgspec import Struct

from oto.domain import money
from oto.domain.errors import UnexpectedShapeError
from oto.domain.market import AlphaId, Symbol
from oto.domain.money import Amount, Quantity
from oto.domain.orders import (
    ExecutionReport,
    ExecutionType,
    LegRole,
    OrderId,
    OrderListId,
    OrderStatus,
    OtoMembership,
    ReportedFill,
    Side,
)
from oto.infrastructure.alpha.figures import read, read_ms

_EXECUTIONS = {word.value: word for word in ExecutionType}
_STATUSES = {word.value: word for word in OrderStatus}


class ExecutionReportEvent(
    Struct,
    tag_field="e",
    tag="executionReport",
    rename={
        "event_id": "id",
        "symbol": "s",
        "order_id": "i",
        "client_order_id": "c",
        "side": "S",
        "execution": "x",
        "status": "X",
        "price": "p",
        "average_price": "ap",
        "quantity": "q",
        "cumulative_quantity": "z",
        "cumulative_quote": "Z",
        "base_asset": "ba",
        "quote_asset": "qa",
        "created_ms": "O",
        "transacted_ms": "T",
        "emitted_ms": "E",
        "order_list_id": "il",
        "role": "cp",
        "trade_id": "t",
        "fill_price": "L",
        "fill_quantity": "l",
        "fill_quote": "Y",
        "fee": "n",
        "fee_asset": "N",
    },
):
    event_id: int
    symbol: str
    order_id: str | int
    client_order_id: str
    side: Side
    execution: str
    status: str
    price: str
    average_price: str
    quantity: str
    cumulative_quantity: str
    cumulative_quote: str
    base_asset: str
    quote_asset: str
    created_ms: int
    transacted_ms: int
    emitted_ms: int
    trade_id: str | int
    fill_price: str
    fill_quantity: str
    fill_quote: str
    fee: str | None = None
    fee_asset: str | None = None
    order_list_id: str | int | None = None
    role: LegRole | None = None

    def values(self) -> tuple[ExecutionReport]:
        execution = _EXECUTIONS.get(self.execution, ExecutionType.UNKNOWN)
        return (
            ExecutionReport(
                event_id=self.event_id,
                symbol=Symbol(self.symbol),
                order_id=OrderId(str(self.order_id)),
                client_order_id=self.client_order_id,
                side=self.side,
                execution=execution,
                status=_STATUSES.get(self.status, OrderStatus.UNKNOWN),
                price=read(money.price, self.price, "p"),
                average_price=read(money.price, self.average_price, "ap"),
                quantity=read(money.quantity, self.quantity, "q"),
                cumulative_quantity=read(money.quantity, self.cumulative_quantity, "z"),
                cumulative_quote=read(money.amount, self.cumulative_quote, "Z"),
                base_asset=AlphaId(self.base_asset),
                quote_asset=self.quote_asset,
                oto=self._membership(),
                fill=self._fill() if execution is ExecutionType.TRADE else None,
                created_at=read_ms(self.created_ms, "O"),
                transacted_at=read_ms(self.transacted_ms, "T"),
                emitted_at=read_ms(self.emitted_ms, "E"),
            ),
        )

    def _membership(self) -> OtoMembership | None:
        if self.role is None:
            return None
        if self.order_list_id is None:
            raise UnexpectedShapeError("$.data.il: missing beside cp")
        return OtoMembership(OrderListId(str(self.order_list_id)), self.role)

    def _fill(self) -> ReportedFill:
        if self.fee is None or self.fee_asset is None:
            raise UnexpectedShapeError("$.data.n or $.data.N: missing in a report of a fill")
        return ReportedFill(
            trade_id=str(self.trade_id),
            price=read(money.price, self.fill_price, "L"),
            quantity=read(money.quantity, self.fill_quantity, "l"),
            quote=read(money.amount, self.fill_quote, "Y"),
            fee=self._fee(self.fee),
            fee_asset=self.fee_asset,
        )

    def _fee(self, text: str) -> Amount | Quantity:
        if self.fee_asset == self.quote_asset:
            return read(money.amount, text, "n")
        return read(money.quantity, text, "n")
