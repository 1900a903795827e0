"""Private order calls: place, cancel, look (PROTOCOL §1.5)."""

import re
from decimal import Decimal, localcontext
from typing import Any

from oto.domain import money
from oto.domain.market import Symbol
from oto.domain.orders import OrderStatus, Side
from oto.simulator.calls import Answer, Call
from oto.simulator.orders import Order
from oto.simulator.refusals import Code, Refusal
from oto.simulator.trading import Asked
from oto.simulator.wire_orders import history_row, open_row, trade_row

_MOST_ROWS = 500
_MOST_PAYMENTS = 10
_MOST_ID_DIGITS = 18
_FIGURE = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def place(call: Call) -> Answer:
    """Answer a plain order with its id as a string."""
    if str(call.body.get("orderType", "LIMIT") if isinstance(call.body, dict) else "") != "LIMIT":
        raise Refusal(Code.INVALID_FORMAT)
    asked = _asked(call, "side", "price", "quantity")
    return Answer(str(call.trading.place(call.account, asked).order_id))


def place_oto(call: Call) -> Answer:
    """Answer an OTO with its ids as numbers, consecutive."""
    asked = _asked(call, "workingSide", "workingPrice", "workingQuantity")
    pending_price = money.Price(_figure(call.field("pendingPrice")))
    if str(call.body.get("pendingType", "LIMIT")) != "LIMIT":
        raise Refusal(Code.INVALID_FORMAT)
    working, pending = call.trading.place_oto(call.account, asked, pending_price)
    return Answer({"workingOrderId": working.order_id, "pendingOrderId": pending.order_id})


def cancel(call: Call) -> Answer:
    """Answer a cancel by symbol, or by its two assets as in 2025."""
    order_id = str(call.field("orderId"))
    if not (order_id.isascii() and order_id.isdigit()):
        raise Refusal(Code.INVALID_FORMAT)
    if len(order_id) > _MOST_ID_DIGITS:
        raise Refusal(Code.NOT_FOUND)
    by_assets = "symbol" not in call.body
    symbol = _symbol_of_assets(call) if by_assets else str(call.field("symbol"))
    call.trading.cancel(call.account, symbol, int(order_id))
    return Answer(None)


def cancel_all(call: Call) -> Answer:
    call.trading.cancel_all(call.account)
    return Answer(None)


def open_orders(call: Call) -> Answer:
    side = call.query.get("side", "")
    mine = call.exchange.open_orders_of(call.account)
    found = [one for one in mine if _is_visible(call, one) and side in {"", one.side.value}]
    return Answer([open_row(order) for order in found])


def history(call: Call) -> Answer:
    """Answer one page of orders, newest first, with the number of all that match."""
    asked = set(filter(None, call.query.get("orderStatus", "").split(",")))
    statuses = asked or set(OrderStatus.__members__)
    start, end = call.number("startTime", 0), call.number("endTime", call.exchange.now_ms)
    base, side = call.query.get("baseAsset", ""), call.query.get("side", "")
    found = [
        order
        for order in _visible(call)
        if order.status.value in statuses
        and start <= order.created_ms <= end
        and base in {"", order.listing.rules.base_asset}
        and side in {"", order.side.value}
    ]
    if call.query.get("kind", "") == "INSTANT":
        found = []
    rows = max(1, min(call.number("rows", 50), _MOST_ROWS))
    first = (max(1, call.number("page", 1)) - 1) * rows
    newest_first = sorted(found, key=lambda one: (one.created_ms, one.order_id), reverse=True)
    page = newest_first[first : first + rows]
    return Answer([history_row(order) for order in page], total=len(found))


def user_trades(call: Call) -> Answer:
    """Answer the fills of one order, newest first."""
    symbol, order_id = call.query.get("symbol", ""), call.number("orderId", 0)
    order = call.exchange.orders.get((Symbol(symbol), order_id))
    if order is None or order.account is not call.account or not _is_visible(call, order):
        return Answer([])
    return Answer([trade_row(order, fill) for fill in reversed(order.fills)])


def listen_key(call: Call) -> Answer:
    """Answer the account's listen key; the same one until it expires."""
    return Answer(call.account.listen_key or call.account.new_listen_key())


def _visible(call: Call) -> list[Order]:
    return [one for one in call.exchange.orders_of(call.account) if _is_visible(call, one)]


def _is_visible(call: Call, order: Order) -> bool:
    return order.visible_from_ms <= call.exchange.now_ms


def _asked(call: Call, side: str, price: str, quantity: str) -> Asked:
    try:
        wanted = Side(call.field(side))
    except ValueError:
        raise Refusal(Code.INVALID_FORMAT) from None
    payment, wallet = _payment(call.field("paymentDetails"))
    return Asked(
        _symbol_of_assets(call),
        wanted,
        money.Price(_figure(call.field(price))),
        money.Quantity(_figure(call.field(quantity))),
        payment,
        wallet,
    )


def _symbol_of_assets(call: Call) -> Symbol:
    return Symbol(f"{call.field('baseAsset')}{call.field('quoteAsset')}")


def _payment(details: Any) -> tuple[Decimal, str]:  # noqa: ANN401 - what a JSON body holds
    if not isinstance(details, list) or not 0 < len(details) <= _MOST_PAYMENTS:
        raise Refusal(Code.INVALID_FORMAT)
    if not all(isinstance(one, dict) for one in details):
        raise Refusal(Code.INVALID_FORMAT)
    wallets = {str(one.get("paymentWalletType")) for one in details}
    if len(wallets) != 1:
        raise Refusal(Code.INVALID_FORMAT)
    with localcontext(prec=100):  # holds the sum of so many figures exactly
        total = sum((_figure(one.get("amount")) for one in details), Decimal(0))
    return total, wallets.pop()


def _figure(value: Any) -> Decimal:  # noqa: ANN401 - what a JSON body holds
    text = str(value) if type(value) in {int, Decimal, str} else ""
    # Decimal itself would take spaces, underscores and digits of other scripts.
    if not _FIGURE.fullmatch(text):
        raise Refusal(Code.INVALID_FORMAT)
    try:
        return money.amount(text)
    except ValueError:
        raise Refusal(Code.INVALID_FORMAT) from None
