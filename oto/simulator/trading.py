"""Placing and cancelling orders: what the exchange admits, and what it refuses."""

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from oto.domain.market import Symbol, SymbolRules
from oto.domain.money import Price, Quantity
from oto.domain.orders import ExecutionType, LegRole, OrderStatus, Side
from oto.simulator.accounts import Account
from oto.simulator.exchange import Exchange
from oto.simulator.market import Market
from oto.simulator.orders import Order
from oto.simulator.refusals import OF_VIOLATION, Code, Refusal
from oto.simulator.settlement import Settlement

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Asked:
    """One order as asked for; `payment` is the sum of the payment details."""

    symbol: Symbol
    side: Side
    price: Price
    quantity: Quantity
    payment: Decimal
    wallet: str


class Trading:
    """The order desk of one exchange."""

    def __init__(self, exchange: Exchange, settlement: Settlement) -> None:
        self._exchange = exchange
        self._settlement = settlement

    def place(self, account: Account, asked: Asked) -> Order:
        """Accept a plain limit order.

        Raises:
            Refusal: for a reason that the code tells.
        """
        market = self._admit(account, asked, Code.AMOUNT_MISMATCH)
        order = self._new_order(market, account, asked.side, asked.price, asked.quantity)
        self._settlement.lock(order, asked.payment)
        self._enter(market, order, self._history_delay_ms(account))
        return order

    def place_oto(
        self, account: Account, asked: Asked, pending_price: Price
    ) -> tuple[Order, Order]:
        """Accept a working order and the pending order that it will trigger.

        Raises:
            Refusal: for a reason that the code tells.
        """
        market = self._admit(account, asked, Code.OTO_AMOUNT_MISMATCH)
        # Only its grid and range: 0.0001 with the market at 0.2269 was accepted (§1.3.2).
        if found := market.listing.rules.price_violation(pending_price):
            raise Refusal(OF_VIOLATION[found])
        working = self._new_order(market, account, asked.side, asked.price, asked.quantity)
        self._settlement.lock(working, asked.payment)
        opposite = Side.SELL if asked.side is Side.BUY else Side.BUY
        none_yet = Quantity(_NOTHING)
        pending = self._new_order(market, account, opposite, pending_price, none_yet)
        self._exchange.last_list_id += 1
        for order, role, partner in (
            (working, LegRole.WORKING, pending),
            (pending, LegRole.PENDING, working),
        ):
            order.list_id, order.role, order.partner = self._exchange.last_list_id, role, partner
        working.working_ms = self._exchange.now_ms
        pending.status = OrderStatus.PENDING
        delay_ms = self._history_delay_ms(account)
        self._enter(market, working, delay_ms)
        self._remember(pending, delay_ms)
        self._settlement.report(pending, ExecutionType.NEW)
        return working, pending

    def cancel(self, account: Account, symbol: str, order_id: int) -> Order:
        """Cancel an open order; the legs of an OTO as its policy says.

        Raises:
            Refusal: not open, or not this account's.
        """
        order = self._exchange.orders.get((Symbol(symbol), order_id))
        if order is None or order.account is not account:
            raise Refusal(Code.NOT_FOUND)
        if not order.open:
            raise Refusal(Code.ORDER_CLOSED)
        self._settlement.end(order, OrderStatus.CANCELED)
        return order

    def cancel_all(self, account: Account) -> int:
        """Cancel every open order of an account and return how many there were."""
        found = list(self._exchange.open_orders_of(account))
        for order in found:
            if order.open:  # its partner may have ended it
                self._settlement.end(order, OrderStatus.CANCELED)
        return len(found)

    def _admit(self, account: Account, asked: Asked, mismatch: Code) -> Market:
        market = self._exchange.market(asked.symbol)
        listing = market.listing
        rules = listing.rules
        if not account.terms_accepted:
            raise Refusal(Code.TERMS_NOT_ACCEPTED)
        if not listing.tradable or (asked.side is Side.SELL and not listing.sellable):
            raise Refusal(Code.NOT_TRADING)
        if asked.wallet != ("CARD" if asked.side is Side.BUY else "ALPHA"):
            raise Refusal(Code.INVALID_FORMAT)
        if found := rules.price_violation(asked.price) or rules.quantity_violation(asked.quantity):
            raise Refusal(OF_VIOLATION[found])
        if asked.payment != _payment_due(rules, asked):
            raise Refusal(mismatch)
        if found := rules.violation(asked.price, asked.quantity):
            raise Refusal(OF_VIOLATION[found])
        self._check_order_count(account, rules)
        if asked.payment > account.free_to_pay(rules.base_asset, asked.side):
            raise Refusal(Code.INSUFFICIENT_BALANCE)
        return market

    def _check_order_count(self, account: Account, rules: SymbolRules) -> None:
        if rules.max_orders is None:
            return
        mine = self._exchange.open_orders_of(account)
        if sum(one.symbol == rules.symbol for one in mine) >= rules.max_orders:
            raise Refusal(Code.TOO_MANY_ORDERS)

    def _new_order(
        self, market: Market, account: Account, side: Side, price: Price, quantity: Quantity
    ) -> Order:
        market.last_order_id += 1
        self._exchange.last_client_id += 1
        text = f"{self._exchange.seed} client {self._exchange.last_client_id}"
        client_id = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        now_ms = self._exchange.now_ms
        return Order(
            market.listing,
            account,
            market.last_order_id,
            f"web_{client_id}",
            side,
            price,
            quantity,
            OrderStatus.NEW,
            created_ms=now_ms,
            updated_ms=now_ms,
        )

    def _history_delay_ms(self, account: Account) -> int:
        """Return for how long what is placed now stays invisible to reads, both legs alike."""
        exchange = self._exchange
        by_fault_ms = exchange.faults.history_delay_ms(account.name, exchange.now_ms)
        return max(exchange.settings.history_delay_ms, by_fault_ms)

    def _remember(self, order: Order, delay_ms: int) -> None:
        order.visible_from_ms = self._exchange.now_ms + delay_ms
        self._exchange.remember(order)

    def _enter(self, market: Market, order: Order, delay_ms: int) -> None:
        self._remember(order, delay_ms)
        self._settlement.report(order, ExecutionType.NEW)
        self._settlement.send_to_match(market, order)


def _payment_due(rules: SymbolRules, asked: Asked) -> Decimal:
    if asked.side is Side.SELL:
        return asked.quantity
    return rules.buy_amount_floor(asked.price, asked.quantity)
