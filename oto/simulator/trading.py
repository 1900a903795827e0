"""Placing, cancelling and settling orders: what the exchange does with its customers' money."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from oto.domain import money
from oto.domain.market import Symbol, SymbolRules
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import ExecutionType, LegRole, OrderStatus, Side
from oto.simulator.accounts import Account, InsufficientError, Wallet
from oto.simulator.bars import MarketTrade
from oto.simulator.exchange import BookMoved, Exchange, Reported, Traded
from oto.simulator.market import Market
from oto.simulator.orders import Execution, FillRow, Order
from oto.simulator.refusals import OF_VIOLATION, Code, Refusal
from oto.simulator.settings import PartialFillPolicy
from oto.simulator.wire_orders import execution_report

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
    """The trading floor of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._last_emitted_ms: dict[str, int] = {}

    def place(self, account: Account, asked: Asked) -> Order:
        """Accept a plain limit order.

        Raises:
            Refusal: for a reason that the code tells.
        """
        market = self._admit(account, asked, Code.AMOUNT_MISMATCH)
        order = self._new_order(market, account, asked.side, asked.price, asked.quantity)
        self._lock(order, asked.payment)
        self._enter(market, order)
        return order

    def place_oto(
        self, account: Account, asked: Asked, pending_price: Price
    ) -> tuple[Order, Order]:
        """Accept a working order and the pending order that it will trigger.

        Raises:
            Refusal: for a reason that the code tells.
        """
        market = self._admit(account, asked, Code.OTO_AMOUNT_MISMATCH)
        # A price far off the market was accepted (PROTOCOL §1.3.2): only its grid counts.
        tick_size = market.listing.rules.tick_size
        if not (pending_price and money.is_multiple(pending_price, tick_size)):
            raise Refusal(Code.INVALID_PRICE_OR_AMOUNT)
        working = self._new_order(market, account, asked.side, asked.price, asked.quantity)
        self._lock(working, asked.payment)
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
        self._enter(market, working)
        self._remember(pending)
        self._report(pending, ExecutionType.NEW)
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
        self._end(order, OrderStatus.CANCELED)
        return order

    def cancel_all(self, account: Account) -> int:
        """Cancel every open order of an account and return how many there were."""
        found = list(self._exchange.open_orders_of(account))
        for order in found:
            if order.open:  # its partner may have ended it
                self._end(order, OrderStatus.CANCELED)
        return len(found)

    def settle(self, market: Market, executions: Iterable[Execution]) -> None:
        """Book executions one by one: fills, wallets, legs, reports, printed trades."""
        for execution in executions:
            sides = [order for order in (execution.taker, execution.maker) if order is not None]
            event_ids = [self._exchange.next_event_id() for _ in range(2)]
            if not execution.on_tape:
                self._print(market, execution)
            activated = [
                self._fill(order, execution, event_id)
                for order, event_id in zip(sides, event_ids, strict=False)
            ]
            for order in activated:
                if order is not None:
                    self._activate(market, order)

    def move_book(self, market: Market) -> None:
        """Let users' orders meet the moved book and give the book a new id."""
        if any(market.matcher.resting.values()):
            self.settle(market, market.matcher.uncross(self._exchange.now_ms))
        market.moved(self._exchange.next_event_id())
        self._exchange.emit(BookMoved(market.symbol))

    def publish(self, market: Market, trade: MarketTrade) -> None:
        """Print a trade; a bad tick is pushed but counts nowhere."""
        if trade.price and trade.quantity:
            market.printed(trade)
        self._exchange.emit(Traded(market.symbol, trade))

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

    def _remember(self, order: Order) -> None:
        name = order.account.name
        delay_ms = self._exchange.settings.history_delay_ms
        delay_ms = max(
            delay_ms, self._exchange.faults.history_delay_ms(name, self._exchange.now_ms)
        )
        order.visible_from_ms = self._exchange.now_ms + delay_ms
        self._exchange.remember(order)

    def _enter(self, market: Market, order: Order) -> None:
        self._remember(order)
        self._report(order, ExecutionType.NEW)
        self._send_to_match(market, order)

    def _send_to_match(self, market: Market, order: Order) -> None:
        due_ms = self._exchange.now_ms + self._exchange.settings.next_match_delay()

        def match() -> None:
            self.settle(market, market.matcher.arrive(order, self._exchange.now_ms))
            self.move_book(market)

        self._exchange.at(due_ms, match)

    def _print(self, market: Market, execution: Execution) -> None:
        trade = MarketTrade(
            execution.trade_id,
            execution.price,
            execution.quantity,
            execution.buyer_is_maker,
            self._exchange.now_ms,
        )
        self.publish(market, trade)

    def _fill(self, order: Order, execution: Execution, event_id: int) -> Order | None:
        """Book one fill and return the pending leg that it activates, if any."""
        rules = order.listing.rules
        quote = money.amount_floor(execution.price, execution.quantity, rules.quote_precision)
        fee = self._book_money(order, execution.quantity, quote)
        order.executed = Quantity(order.executed + execution.quantity)
        order.quote = Amount(order.quote + quote)
        order.updated_ms = self._exchange.now_ms
        partner = order.partner
        done = not order.remaining and not _grows(order, partner)
        order.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
        fill = FillRow(
            event_id,
            execution.trade_id,
            execution.price,
            execution.quantity,
            quote,
            fee,
            rules.base_asset if order.side is Side.BUY else rules.quote_asset,
            execution.buyer_is_maker,
            self._exchange.now_ms,
            last=done,
        )
        order.fills.append(fill)
        if not order.remaining:
            self._exchange.market(order.symbol).matcher.remove(order)
        if done:
            self._release(order)
        self._report(order, ExecutionType.TRADE, fill)
        if order.role is not LegRole.WORKING or partner is None or not partner.open:
            return None
        partly = self._exchange.settings.partial_fill is PartialFillPolicy.PENDING_ON_PARTIAL
        return partner if done or partly else None

    def _book_money(self, order: Order, quantity: Quantity, quote: Amount) -> Decimal:
        """Move what a fill costs and brings, and return its fee."""
        rules, account = order.listing.rules, order.account
        rate = money.fee_rate_from_millionths(self._exchange.settings.fee_millionths)
        wallet = self._wallet(account, rules, order.side)
        if order.side is Side.BUY:
            wallet.locked -= quote
            order.locked -= quote
            base_fee = rules.buy_fee_half_up(quantity, rate)
            order.base_fee = Quantity(order.base_fee + base_fee)
            account.receive(rules.base_asset, Quantity(quantity - base_fee))
            counted = Amount(quote * order.listing.multiplier)
            account.count_volume(self._exchange.now_ms, rules.base_asset, counted)
            return base_fee
        wallet.locked -= quantity
        order.locked -= quantity
        fee = rules.sell_fee_half_up(quote, rate)
        account.funding.free += quote - fee
        return fee

    def _activate(self, market: Market, pending: Order) -> None:
        """Give a pending leg what its working leg brought so far, and send it to match."""
        working = pending.partner
        if working is None or not pending.open:
            return
        rules = pending.listing.rules
        due = _pending_quantity(rules, working, pending.price)
        more = Quantity(due - pending.quantity)
        if rules.quantity_violation(due) or more <= 0:
            if not working.live and not pending.remaining:
                done = OrderStatus.FILLED if pending.executed else OrderStatus.EXPIRED
                self._close(pending, done)
            return
        pending.quantity = due
        try:
            self._lock(pending, more if pending.side is Side.SELL else _cost(rules, pending, more))
        except InsufficientError:
            self._close(pending, OrderStatus.REJECTED)
            return
        first = pending.status is OrderStatus.PENDING
        if first:
            pending.status = OrderStatus.NEW
            pending.working_ms = pending.updated_ms = self._exchange.now_ms
        self._report(pending, ExecutionType.NEW)
        if pending not in market.matcher.resting[pending.side]:
            self._send_to_match(market, pending)

    def _end(self, order: Order, status: OrderStatus) -> None:
        """End an order, and its pending leg as far as the partial fill policy says."""
        partner = order.partner
        self._close(order, status)
        if order.role is not LegRole.WORKING or partner is None or not partner.open:
            return
        if not order.executed:
            self._close(partner, status)
            return
        match self._exchange.settings.partial_fill:
            case PartialFillPolicy.VOID_ON_CANCEL:
                self._close(partner, status)
            case PartialFillPolicy.PENDING_ON_PARTIAL if not partner.remaining:
                self._close(partner, OrderStatus.FILLED)
            case _:
                return

    def _close(self, order: Order, status: OrderStatus) -> None:
        order.status = status
        order.updated_ms = self._exchange.now_ms
        market = self._exchange.market(order.symbol)
        market.matcher.remove(order)
        self._release(order)
        known = status.value in ExecutionType.__members__
        self._report(order, ExecutionType(status.value) if known else ExecutionType.NEW)
        market.moved(self._exchange.next_event_id())
        self._exchange.emit(BookMoved(market.symbol))

    def _lock(self, order: Order, much: Decimal) -> None:
        self._wallet(order.account, order.listing.rules, order.side).lock(much)
        order.locked += much

    def _release(self, order: Order) -> None:
        self._wallet(order.account, order.listing.rules, order.side).unlock(order.locked)
        order.locked = _NOTHING

    @staticmethod
    def _wallet(account: Account, rules: SymbolRules, side: Side) -> Wallet:
        return account.funding if side is Side.BUY else account.token(rules.base_asset)

    def _report(self, order: Order, kind: ExecutionType, fill: FillRow | None = None) -> None:
        exchange = self._exchange
        event_id = exchange.next_event_id() if fill is None else fill.page_id
        report = execution_report(order, kind, fill, event_id, exchange.now_ms)
        name = order.account.name
        fate = exchange.faults.fate_of_report(name, exchange.now_ms)
        wanted_ms = exchange.now_ms + exchange.settings.next_report_delay()
        if fate.in_order:
            wanted_ms += sum(fate.delays_ms)
        # Reports leave in their order, unless a fault holds one of them back.
        due_ms = max(wanted_ms, self._last_emitted_ms.get(name, 0))
        self._last_emitted_ms[name] = due_ms
        for delay_ms in fate.delays_ms:
            self._emit_later(order.account, report, due_ms + (0 if fate.in_order else delay_ms))

    def _emit_later(self, account: Account, report: dict[str, object], due_ms: int) -> None:
        def emit() -> None:
            self._exchange.emit(Reported(account, report | {"E": self._exchange.now_ms}))

        if due_ms <= self._exchange.now_ms:
            emit()
        else:
            self._exchange.at(due_ms, emit)


def _payment_due(rules: SymbolRules, asked: Asked) -> Decimal:
    if asked.side is Side.SELL:
        return asked.quantity
    return rules.buy_amount_floor(asked.price, asked.quantity)


def _grows(order: Order, partner: Order | None) -> bool:
    """Tell whether an activated pending leg may still get more from its working leg."""
    return order.role is LegRole.PENDING and partner is not None and partner.live


def _pending_quantity(rules: SymbolRules, working: Order, pending_price: Price) -> Quantity:
    if working.side is Side.BUY:
        return rules.pending_quantity_floor(working.executed, working.base_fee)
    # A working SELL: what it brought, net of its fees, buys at the pending price.
    fees = sum((fill.fee for fill in working.fills), _NOTHING)
    return rules.quantity_for_amount_floor(Amount(working.quote - fees), pending_price)


def _cost(rules: SymbolRules, pending: Order, more: Quantity) -> Amount:
    return rules.buy_amount_floor(pending.price, more)
