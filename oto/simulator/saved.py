"""What an exchange carries over to its next run: accounts, orders, fills and counters.

Each thing is kept as a row of its own; the fields of a row are named as those of the thing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import msgspec

from oto.domain.market import Symbol
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import LegRole, OrderStatus, Side
from oto.simulator.accounts import Account, Wallet
from oto.simulator.exchange import Exchange
from oto.simulator.market import Market
from oto.simulator.orders import FillRow, Order
from oto.simulator.settlement import Settlement

# A killed run gave ids that its file does not know; a client must not meet one of them again.
_SKIPPED_IDS = 1_000_000

Kept = Exchange | Account | Market | Order


class BadStateError(ValueError):
    """A saved state that cannot be carried on."""


class Row(msgspec.Struct, frozen=True):
    """One kept thing."""


class ExchangeRow(Row, frozen=True, tag="exchange"):
    seed: int
    now_ms: int
    last_event_id: int
    last_list_id: int
    last_client_id: int


class AccountRow(Row, frozen=True, tag="account"):
    """One account; its number, and so its credentials, follow from its place among the rows."""

    name: str
    funding: Wallet
    spot: Wallet
    earn: Wallet
    tokens: dict[str, Wallet]
    terms_accepted: bool
    session_live: bool
    volume: list[tuple[int, str, Amount]]
    listen_key: str
    listen_keys_made: int


class Owner(msgspec.Struct, frozen=True):
    name: str


class OrderId(msgspec.Struct, frozen=True):
    order_id: int


class Queues(msgspec.Struct, frozen=True):
    """A matcher's counter, and who rests in it, in order of price and time."""

    last_trade_id: int
    resting: dict[Side, list[OrderId]]


class MarketRow(Row, frozen=True, tag="market"):
    symbol: Symbol
    last_order_id: int
    matcher: Queues


class OrderRow(Row, frozen=True, tag="order"):
    symbol: Symbol
    account: Owner
    partner: OrderId | None
    order_id: int
    client_id: str
    side: Side
    price: Price
    quantity: Quantity
    status: OrderStatus
    created_ms: int
    updated_ms: int
    locked: Decimal
    executed: Quantity
    quote: Amount
    base_fee: Quantity
    list_id: int | None
    role: LegRole | None
    working_ms: int
    ahead: Quantity
    visible_from_ms: int
    fills: list[FillRow]


_ANY_ROW = msgspec.json.Decoder(ExchangeRow | AccountRow | MarketRow | OrderRow)
_ROW_OF: dict[type[Kept], type[Row]] = {
    Exchange: ExchangeRow,
    Account: AccountRow,
    Market: MarketRow,
    Order: OrderRow,
}
_ORDER_VALUES = tuple(set(OrderRow.__struct_fields__) - {"symbol", "account", "partner"})
_R = TypeVar("_R", bound=Row)


@dataclass(frozen=True, slots=True)
class Saved:
    """Everything that was kept, each kind in its order."""

    exchange: ExchangeRow
    accounts: list[AccountRow]
    markets: list[MarketRow]
    orders: list[OrderRow]


def rows(exchange: Exchange, orders: Iterable[Order]) -> dict[str, bytes]:
    """Write an exchange, its accounts, its markets and some of its orders as rows by name."""
    things: list[Kept] = [exchange, *exchange.accounts.values(), *exchange.markets.values()]
    return {_name_of(one): _written(one) for one in [*things, *orders]}


def read(texts: Iterable[bytes]) -> Saved | None:
    """Read rows in the order in which they were first kept, or None if there are none.

    Raises:
        BadStateError: one of them is no row, or the exchange's own is missing.
    """
    found = [_row(text) for text in texts]
    if not found:
        return None
    exchanges = _only(found, ExchangeRow)
    if not exchanges:
        raise BadStateError("the exchange's own row is missing")
    return Saved(
        exchanges[0], _only(found, AccountRow), _only(found, MarketRow), _only(found, OrderRow)
    )


def restore(saved: Saved, exchange: Exchange, settlement: Settlement) -> None:
    """Carry on what was saved in an exchange whose markets have just opened.

    Nothing executes yet: open orders rest where they rested, and those that were still on their
    way to match are sent again. What was saved is handed over, not copied.

    Raises:
        BadStateError: another seed, a market that is not listed, or rows that do not fit together.
    """
    if saved.exchange.seed != exchange.seed:
        raise BadStateError(
            f"it was made with --seed {saved.exchange.seed}; start with that seed or another file"
        )
    exchange.last_event_id = saved.exchange.last_event_id + _SKIPPED_IDS
    exchange.last_list_id = saved.exchange.last_list_id + _SKIPPED_IDS
    exchange.last_client_id = saved.exchange.last_client_id + _SKIPPED_IDS
    try:
        _restore_orders(saved, exchange, _restored_accounts(saved, exchange))
        _restore_markets(saved, exchange)
    except KeyError as error:
        raise BadStateError(f"its rows do not fit together: nothing is named {error}") from error
    _send_again(exchange, settlement)
    for market in exchange.markets.values():
        market.moved(exchange.next_event_id())


def _name_of(kept: Kept) -> str:
    match kept:
        case Exchange():
            return "exchange"
        case Account():
            return f"account {kept.name}"
        case Market():
            return f"market {kept.symbol}"
        case Order():
            return f"order {kept.symbol} {kept.order_id}"


def _written(kept: Kept) -> bytes:
    return msgspec.json.encode(msgspec.convert(kept, _ROW_OF[type(kept)], from_attributes=True))


def _row(text: bytes) -> Row:
    try:
        row: Row = _ANY_ROW.decode(text)
    except (ValueError, RecursionError) as error:
        raise BadStateError(f"one of its rows cannot be read: {error}") from error
    return row


def _only(found: list[Row], kind: type[_R]) -> list[_R]:
    return [row for row in found if isinstance(row, kind)]


def _restored_accounts(saved: Saved, exchange: Exchange) -> dict[str, Account]:
    accounts = {}
    for row in saved.accounts:
        account = accounts[row.name] = exchange.add_account(row.name, Amount(Decimal(0)))
        for name in row.__struct_fields__:
            setattr(account, name, getattr(row, name))
    return accounts


def _restore_orders(saved: Saved, exchange: Exchange, accounts: dict[str, Account]) -> None:
    for row in saved.orders:
        market = exchange.markets.get(row.symbol)
        if market is None:
            raise BadStateError(f"it holds orders of {row.symbol}, which is not listed now")
        values = {name: getattr(row, name) for name in _ORDER_VALUES}
        exchange.remember(Order(market.listing, accounts[row.account.name], **values))
    for row in saved.orders:
        if row.partner is not None:
            order = exchange.orders[row.symbol, row.order_id]
            order.partner = exchange.orders[row.symbol, row.partner.order_id]


def _restore_markets(saved: Saved, exchange: Exchange) -> None:
    for row in saved.markets:
        market = exchange.markets.get(row.symbol)
        if market is None:  # it may be listed again another time
            continue
        market.last_order_id = row.last_order_id + _SKIPPED_IDS
        market.matcher.last_trade_id = row.matcher.last_trade_id + _SKIPPED_IDS
        for side, queue in row.matcher.resting.items():
            resting = [exchange.orders[row.symbol, one.order_id] for one in queue]
            market.matcher.resting[side] = resting


def _send_again(exchange: Exchange, settlement: Settlement) -> None:
    for order in exchange.orders.values():
        market = exchange.markets[order.symbol]
        waits = order.live and order.remaining
        if waits and order not in market.matcher.resting[order.side]:
            settlement.send_to_match(market, order)
