"""Settling what executes: fills, wallets, legs, reports and printed trades."""

from collections.abc import Iterable
from decimal import Decimal

from oto.domain import money
from oto.domain.market import SymbolRules
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import ExecutionType, LegRole, OrderStatus, Side
from oto.simulator.accounts import Account, InsufficientError, Wallet
from oto.simulator.bars import MarketTrade
from oto.simulator.exchange import BookMoved, Exchange, Traded
from oto.simulator.market import Market
from oto.simulator.orders import Execution, FillRow, Order
from oto.simulator.reporting import Reporter
from oto.simulator.settings import PartialFillPolicy

_NOTHING = Decimal(0)


class Settlement:
    """Books executions into orders and wallets, and ends orders."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._reporter = Reporter(exchange)

    def settle(self, market: Market, executions: Iterable[Execution]) -> None:
        """Book executions one by one: fills, wallets, legs, reports, printed trades."""
        for execution in executions:
            if execution.maker is None or execution.taker is None:
                self._refill_later(market)
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

    def _refill_later(self, market: Market) -> None:
        # What comes back changes the published book, and each change has an id of its own.
        refill_ms = market.matcher.liquidity.refill_ms
        due_ms = self._exchange.now_ms + (refill_ms or 0)
        if refill_ms is not None and due_ms > market.refill_due_ms:
            market.refill_due_ms = due_ms
            self._exchange.at(due_ms, lambda: self._refill(market))

    def _refill(self, market: Market) -> None:
        market.matcher.liquidity.refill(self._exchange.now_ms)
        self.move_book(market)

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

    def send_to_match(self, market: Market, order: Order) -> None:
        due_ms = self._exchange.now_ms + self._exchange.settings.next_match_delay()

        def match() -> None:
            self.settle(market, market.matcher.arrive(order, self._exchange.now_ms))
            self.move_book(market)

        self._exchange.at(due_ms, match)

    def report(self, order: Order, kind: ExecutionType, fill: FillRow | None = None) -> None:
        """Report what became of an order."""
        self._reporter.report(order, kind, fill)

    def lock(self, order: Order, much: Decimal) -> None:
        self._wallet(order.account, order.listing.rules, order.side).lock(much)
        order.locked += much

    def end(self, order: Order, status: OrderStatus) -> None:
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
                self._close(partner, OrderStatus.FILLED if partner.executed else status)
            case _:
                return

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
        self.report(order, ExecutionType.TRADE, fill)
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
        price, before = pending.price, pending.quantity
        pending.quantity = due
        cost = rules.buy_amount_floor(price, due) - rules.buy_amount_floor(price, before)
        try:
            self.lock(pending, more if pending.side is Side.SELL else cost)
        except InsufficientError:
            self._close(pending, OrderStatus.REJECTED)
            return
        first = pending.status is OrderStatus.PENDING
        if first:
            pending.status = OrderStatus.NEW
            pending.working_ms = pending.updated_ms = self._exchange.now_ms
        self.report(pending, ExecutionType.NEW)
        if pending not in market.matcher.resting[pending.side]:
            self.send_to_match(market, pending)

    def _close(self, order: Order, status: OrderStatus) -> None:
        order.status = status
        order.updated_ms = self._exchange.now_ms
        market = self._exchange.market(order.symbol)
        market.matcher.remove(order)
        self._release(order)
        known = status.value in ExecutionType.__members__
        self.report(order, ExecutionType(status.value) if known else ExecutionType.NEW)
        market.moved(self._exchange.next_event_id())
        self._exchange.emit(BookMoved(market.symbol))

    def _release(self, order: Order) -> None:
        self._wallet(order.account, order.listing.rules, order.side).unlock(order.locked)
        order.locked = _NOTHING

    @staticmethod
    def _wallet(account: Account, rules: SymbolRules, side: Side) -> Wallet:
        return account.funding if side is Side.BUY else account.token(rules.base_asset)


def _grows(order: Order, partner: Order | None) -> bool:
    """Tell whether an activated pending leg may still get more from its working leg."""
    return order.role is LegRole.PENDING and partner is not None and partner.live


def _pending_quantity(rules: SymbolRules, working: Order, pending_price: Price) -> Quantity:
    if working.side is Side.BUY:
        return rules.pending_quantity_floor(working.executed, working.base_fee)
    # A working SELL: what it brought, net of its fees, buys at the pending price.
    fees = sum((fill.fee for fill in working.fills), _NOTHING)
    return rules.quantity_for_amount_floor(Amount(working.quote - fees), pending_price)
