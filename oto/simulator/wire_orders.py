"""Orders and fills in the shapes of the wire (PROTOCOL §1.5 and §2.3)."""

from decimal import Decimal
from typing import Any

from oto.domain import money
from oto.domain.orders import ExecutionType, LegRole, OrderStatus, Side
from oto.simulator.orders import FillRow, Order

_STREAM_DECIMALS = 8
_AVERAGE_DECIMALS = 9


def execution_report(
    order: Order, execution: ExecutionType, fill: FillRow | None, event_id: int, at_ms: int
) -> dict[str, Any]:
    """Write one report of the user stream as of now; `E` is set when it is emitted."""
    rules = order.listing.rules
    average = money.average_price_floor(order.quote, order.executed, _AVERAGE_DECIMALS)
    report = {
        "s": order.symbol,
        "c": order.client_id,
        "S": order.side.value,
        "o": "LIMIT",
        "f": "GTC",
        "q": _figure(order.quantity),
        "p": _figure(order.price),
        "ap": money.padded(average, _AVERAGE_DECIMALS) if order.executed else "0",
        "P": "0",
        "x": execution.value,
        "X": order.status.value,
        "i": str(order.order_id),
        "l": _traded(fill, order) if fill else "0",
        "z": _cumulated(order),
        "L": _figure(fill.price) if fill else "0",
        "t": str(fill.trade_id) if fill else "0",
        "m": fill.buyer_is_maker if fill else False,
        "ot": "LIMIT",
        "st": 1,
        "O": order.created_ms,
        "Z": _figure(order.quote),
        "Y": _figure(fill.quote) if fill else "0",
        "Q": "0",
        "ba": rules.base_asset,
        "qa": rules.quote_asset,
        "id": event_id,
        "e": "executionReport",
        "T": at_ms,
        "u": at_ms,
    }
    if fill:
        report |= {"n": money.padded(fill.fee, _STREAM_DECIMALS), "N": fill.fee_asset}
    if order.list_id is not None and order.role is not None:
        report |= {"il": str(order.list_id), "ct": "OTO", "cp": order.role.value}
    return report


def history_row(order: Order) -> dict[str, Any]:
    """Write one row of the order history; figures without trailing zeros."""
    return _row(order, "LIMIT") | {
        "targetStrategy": None,
        **dict.fromkeys(
            f"{way}{what}"
            for way in ("from", "to")
            for what in ("Token", "TokenAmount", "BinanceChainId", "ContractAddress")
        ),
    }


def open_row(order: Order) -> dict[str, Any]:
    """Write one row of the open orders."""
    return _row(order, None)


def _row(order: Order, kind: str | None) -> dict[str, Any]:
    rules = order.listing.rules
    row = {} if kind is None else {"kind": kind}
    return row | {
        "orderId": str(order.order_id),
        "symbol": order.symbol,
        "status": order.status.value,
        "price": money.trimmed(order.price),
        "avgPrice": money.trimmed(order.average_price),
        "origQty": money.trimmed(order.quantity),
        "executedQty": money.trimmed(order.executed),
        "cumQuote": money.trimmed(order.quote),
        "type": "LIMIT",
        "side": order.side.value,
        "stopPrice": "0",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "orderListId": "-1" if order.list_id is None else str(order.list_id),
        "baseAsset": rules.base_asset,
        "quoteAsset": rules.quote_asset,
        "alphaId": rules.base_asset,
        "contingencyType": None if order.role is None else "OTO",
        "contingencyOrderPosition": None if order.role is None else order.role.value,
        "workingTime": order.working_ms,
    }


def trade_row(order: Order, fill: FillRow) -> dict[str, Any]:
    """Write one row of the user's trades; figures padded to the symbol's precision."""
    rules = order.listing.rules
    buyer = order.side is Side.BUY
    return {
        "symbol": order.symbol,
        "id": str(fill.trade_id),
        "orderId": str(order.order_id),
        "tradeId": str(fill.trade_id),
        "side": order.side.value,
        "price": money.padded(fill.price, rules.price_precision),
        "qty": money.padded(fill.quantity, rules.quantity_precision),
        "quoteQty": money.padded(fill.quote, rules.quote_precision),
        "commission": money.padded(
            fill.fee, rules.base_precision if buyer else rules.quote_precision
        ),
        "commissionAsset": fill.fee_asset,
        "time": fill.at_ms,
        "pageId": str(fill.page_id),
        "buyer": buyer,
        "baseAsset": rules.base_asset,
        "quoteAsset": rules.quote_asset,
        "orderType": "LIMIT",
        "lastTrade": fill.last,
    }


def _figure(value: Decimal) -> str:
    return money.padded(Decimal(money.trimmed(value)), _STREAM_DECIMALS) if value else "0"


def _traded(fill: FillRow, order: Order) -> str:
    # Captured: the figures of a partial fill are not padded, those of the last one are.
    done = order.status is OrderStatus.FILLED
    return _figure(fill.quantity) if done else money.trimmed(fill.quantity)


def _cumulated(order: Order) -> str:
    done = order.status is OrderStatus.FILLED
    return _figure(order.executed) if done else money.trimmed(order.executed)


def leg_name(role: LegRole | None) -> str:
    """Name an order's place for the truth: `plain`, `working` or `pending`."""
    return "plain" if role is None else role.name.lower()
