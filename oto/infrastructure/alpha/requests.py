"""Domain orders into request bodies, in the form that the web page sends in 2026.

Every figure is a string without exponent or trailing zeros: the exchange takes strings and
numbers alike, and strings cannot turn into 5.583e-06 on the way (PROTOCOL §1.5).
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from oto.domain import money
from oto.domain.market import AlphaId, Symbol
from oto.domain.money import Amount, Quantity
from oto.domain.orders import LimitOrder, OrderId, OtoOrder, Side

Body: TypeAlias = Mapping[str, object]

EMPTY: Body = {}
WALLETS: Body = {"includeWallets": ["CARD", "MAIN", "SAVING"], "includeEq": True}

# CARD is the funding wallet, which pays for a BUY (PROTOCOL §0, fact 4).
_PAYING_WALLET = {Side.BUY: "CARD", Side.SELL: "ALPHA"}


def limit_order(order: LimitOrder) -> Body:
    """Write the body of a plain limit order."""
    return {
        "baseAsset": order.rules.base_asset,
        "quoteAsset": order.rules.quote_asset,
        "side": order.side.value,
        "price": money.trimmed(order.price),
        "quantity": money.trimmed(order.quantity),
        "paymentDetails": _payment(order.payment, order.side),
        "orderType": "LIMIT",
    }


def oto_order(order: OtoOrder) -> Body:
    """Write the body of a working BUY with its pending SELL, which has no quantity of its own."""
    return {
        "baseAsset": order.rules.base_asset,
        "quoteAsset": order.rules.quote_asset,
        "workingSide": Side.BUY.value,
        "workingPrice": money.trimmed(order.working_price),
        "workingQuantity": money.trimmed(order.working_quantity),
        "paymentDetails": _payment(order.payment, Side.BUY),
        "pendingPrice": money.trimmed(order.pending_price),
        "pendingType": "LIMIT",
    }


def _payment(amount: Amount | Quantity, side: Side) -> list[Body]:
    return [{"amount": money.trimmed(amount), "paymentWalletType": _PAYING_WALLET[side]}]


def average_costs(alpha_ids: Iterable[AlphaId]) -> Body:
    """Write which tokens' average cost is asked for."""
    return {"tokens": list(alpha_ids)}


def cancel(symbol: Symbol, order_id: OrderId) -> Body:
    """Write the body of a cancel; for an unfilled OTO, give the working order's id."""
    return {"orderId": order_id, "symbol": symbol}
