"""The truth of one simulation: everything that a client can be audited against."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import msgspec

from oto.domain import money
from oto.simulator.accounts import Account, Wallet
from oto.simulator.exchange import Exchange
from oto.simulator.orders import FillRow, Order
from oto.simulator.wire_orders import leg_name


def truth_of(exchange: Exchange) -> dict[str, Any]:
    """Return every account, order, fill and fault; nothing of it depends on a wall clock."""
    return {
        "now_ms": exchange.now_ms,
        "seed": exchange.seed,
        "accounts": [_account(one, exchange.now_ms) for one in exchange.accounts.values()],
        "orders": [_order(one) for one in exchange.orders.values()],
        "faults": [asdict(strike) for strike in exchange.faults.log],
        "last_prices": {
            symbol: money.plain(market.last_price) for symbol, market in exchange.markets.items()
        },
    }


def truth_bytes(exchange: Exchange) -> bytes:
    """Return the truth as JSON, the same bytes for the same truth."""
    return msgspec.json.encode(truth_of(exchange), order="sorted")


def _account(account: Account, now_ms: int) -> dict[str, Any]:
    return {
        "name": account.name,
        "funding": _wallet(account.funding),
        "spot": _wallet(account.spot),
        "earn": _wallet(account.earn),
        "tokens": {asset: _wallet(wallet) for asset, wallet in account.tokens.items()},
        "counted_usdt": money.plain(sum(account.volume_of_day(now_ms, 0).values(), Decimal(0))),
        "terms_accepted": account.terms_accepted,
        "session_live": account.session_live,
    }


def _wallet(wallet: Wallet) -> dict[str, str]:
    return {"free": money.plain(wallet.free), "locked": money.plain(wallet.locked)}


def _order(order: Order) -> dict[str, Any]:
    return {
        "user": order.account.name,
        "symbol": order.symbol,
        "order_id": str(order.order_id),
        "order_list_id": None if order.list_id is None else str(order.list_id),
        "leg": leg_name(order.role),
        "side": order.side.value,
        "status": order.status.value,
        "price": money.plain(order.price),
        "quantity": money.plain(order.quantity),
        "executed": money.plain(order.executed),
        "quote": money.plain(order.quote),
        "created_ms": order.created_ms,
        "updated_ms": order.updated_ms,
        "fills": [_fill(fill) for fill in order.fills],
    }


def _fill(fill: FillRow) -> dict[str, Any]:
    return {
        "page_id": str(fill.page_id),
        "trade_id": str(fill.trade_id),
        "price": money.plain(fill.price),
        "quantity": money.plain(fill.quantity),
        "quote": money.plain(fill.quote),
        "fee": money.plain(fill.fee),
        "fee_asset": fill.fee_asset,
        "at_ms": fill.at_ms,
    }
