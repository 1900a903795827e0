"""An exchange as a pure model: no wire, no matching, faults on demand.

It does what it is told to: orders fill when `fill` says so, answers are lost when `answers` says
so, and what it has to report waits in `reports` until somebody delivers or drops it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum

from oto.domain import money
from oto.domain.account import AlphaHolding, AssetWallets, Holding
from oto.domain.decide import MOST_REFUSED_EXITS
from oto.domain.errors import OutcomeUnknownError, RefusalReason, RefusedError, UnavailableError
from oto.domain.leg import LegFill
from oto.domain.market import AlphaId, Symbol
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import (
    ExecutionReport,
    ExecutionType,
    LegRole,
    LimitOrder,
    OrderId,
    OrderListId,
    OrderRow,
    OrderStatus,
    OtoMembership,
    OtoOrder,
    PlacedOto,
    Side,
)
from oto.domain.risk.verdict import Approved
from oto.simulator.settings import PartialFillPolicy
from tests.builders import rules
from tests.memory_ledger import Killed
from tests.properties.pure_orders import Order

LATE_S = 8
"""How late a lost request may still have its effect."""

LAG_S = 8
"""How far reads may lag; both together are less than what the loop allows (matching.SETTLING)."""

MOST_TURNED_AWAY = MOST_REFUSED_EXITS - 1
"""How many writes may be turned away: after some refused exits the loop asks a human."""

_RATE = money.fee_rate_from_millionths(100)
_RULES = rules()
_NOTHING = Decimal(0)


class Answer(Enum):
    """What becomes of a write and of its answer."""

    GOOD = "good"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    LOST_BEFORE = "lost before it had its effect"
    LOST_AFTER = "lost after it had its effect"
    LATE = "lost, and it has its effect seconds later"
    KILLED_BEFORE = "killed before it was sent"
    KILLED_AFTER = "killed after it had its effect"


_TURNED_AWAY = frozenset({Answer.REFUSED, Answer.UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Shown:
    """What reads show: open rows, past rows, and fills by order."""

    open: Sequence[OrderRow] = ()
    closed: Sequence[OrderRow] = ()
    fills: Sequence[tuple[OrderId, LegFill]] = ()


class PureExchange:
    """The port `Exchange` of one user, and what a test does to it."""

    def __init__(self, now: Callable[[], datetime], policy: PartialFillPolicy) -> None:
        self.orders: list[Order] = []
        self.posts: list[tuple[Price, Quantity]] = []
        self.reports: list[ExecutionReport] = []
        self.answers: list[Answer] = []
        self.reads_fail = 0
        self._now = now
        self._policy = policy
        self._later: list[tuple[datetime, Callable[[], object]]] = []
        self._frozen: Shown | None = None
        self._frozen_past: Shown | None = None
        self._turned_away = 0
        self._numbers = 100

    def place_oto(self, approved: Approved[OtoOrder], may_send: Callable[[], bool]) -> PlacedOto:
        order = approved.order
        assert may_send()
        self.posts.append((order.working_price, order.working_quantity))
        placed = self._write(lambda: self._open_pair(order))
        return PlacedOto(placed[0], placed[1])

    def place_exit(self, approved: Approved[LimitOrder], may_send: Callable[[], bool]) -> OrderId:
        order = approved.order
        assert may_send()
        self.posts.append((order.price, order.quantity))
        return self._write(lambda: self._open_exit(order))[0]

    def cancel(self, symbol: Symbol, order_id: OrderId) -> None:
        del symbol
        self._write(lambda: self._cancel(order_id))

    def open_orders(self) -> Sequence[OrderRow]:
        self._read()
        return (self._frozen or self.shown()).open

    def closed_orders(
        self, base_asset: AlphaId | None, start_at: datetime, end_at: datetime
    ) -> Sequence[OrderRow]:
        del base_asset
        self._read()
        rows = (self._frozen or self._frozen_past or self.shown()).closed
        return [row for row in rows if row.created_at and start_at <= row.created_at <= end_at]

    def fills(self, symbol: Symbol, order_id: OrderId) -> Sequence[LegFill]:
        del symbol
        self._read()
        told = (self._frozen or self.shown()).fills
        return [replace(fill, event_id=None) for of, fill in told if of == order_id]

    def usdt_wallets(self) -> AssetWallets:
        self._read()
        return AssetWallets("USDT", Holding(Decimal(1000)), Holding(_NOTHING), Holding(_NOTHING))

    def alpha_holdings(self) -> Sequence[AlphaHolding]:
        return ()

    def terms_accepted(self) -> bool:
        return True

    def counted_today(self) -> Amount:
        return Amount(_NOTHING)

    def shown(self) -> Shown:
        """Return what reads show when nothing lags."""
        return Shown(
            [order.row() for order in self.orders if order.open],
            [order.row() for order in self.orders if not order.open],
            [(order.order_id, fill) for order in self.orders for fill in order.fills],
        )

    def lag(self, *, past_only: bool) -> None:
        """Let reads, or those of past orders only, show what is so now for some seconds."""
        if past_only:
            self._frozen_past = self._frozen_past or self.shown()
            self._in(LAG_S, self._thaw_past)
        elif self._frozen is None and self._frozen_past is None:
            self._frozen = self.shown()
            self._in(LAG_S, self._thaw)

    def catch_up(self) -> None:
        """Do what is due by now."""
        due = [action for due_at, action in self._later if due_at <= self._now()]
        self._later = [one for one in self._later if one[0] > self._now()]
        for action in due:
            # Nobody hears any more that a late request was refused.
            with suppress(RefusedError):
                action()

    def calm_down(self) -> None:
        """Make no more faults; what is on its way still arrives."""
        self.answers, self.reads_fail = [], 0

    def fill(self, order: Order, quantity: Quantity, at: Price, *, pieces: int = 1) -> None:
        """Execute a part of a live order, as several equal fills of one trade if asked."""
        step = _RULES.quantity_floor(Quantity(min(quantity, order.remaining) / pieces))
        trade_id = self._next()
        for _ in range(pieces):
            if step:
                self._execute(order, step, at, trade_id)

    def held(self) -> Quantity:
        """Return the base that was bought and not sold."""
        signed = {
            Side.BUY: lambda fill: fill.quantity - fill.fee,
            Side.SELL: lambda fill: -fill.quantity,
        }
        every = (signed[order.side](fill) for order in self.orders for fill in order.fills)
        return Quantity(sum(every, _NOTHING))

    def _write(self, effect: Callable[[], tuple[OrderId, ...]]) -> tuple[OrderId, ...]:
        answer = self.answers.pop(0) if self.answers else Answer.GOOD
        if answer in _TURNED_AWAY:
            self._turned_away += 1
            answer = answer if self._turned_away <= MOST_TURNED_AWAY else Answer.GOOD
        match answer:
            case Answer.GOOD:
                return effect()
            case Answer.REFUSED:
                raise RefusedError(RefusalReason.INVALID_FORMAT, "1", "no")
            case Answer.UNAVAILABLE:
                raise UnavailableError("not reached")
            case Answer.KILLED_BEFORE:
                raise Killed
            case Answer.KILLED_AFTER:
                effect()
                raise Killed
            case Answer.LOST_BEFORE:
                pass
            case Answer.LOST_AFTER:
                effect()
            case Answer.LATE:
                self._in(LATE_S, effect)
        raise OutcomeUnknownError("no answer came")

    def _read(self) -> None:
        if self.reads_fail:
            self.reads_fail -= 1
            raise UnavailableError("not reached")

    def _in(self, seconds: float, action: Callable[[], object]) -> None:
        self._later.append((self._now() + timedelta(seconds=seconds), action))

    def _thaw(self) -> None:
        self._frozen = None

    def _thaw_past(self) -> None:
        self._frozen_past = None

    def _open_pair(self, order: OtoOrder) -> tuple[OrderId, OrderId]:
        list_id = OrderListId(self._next())
        working = self._add(Side.BUY, order.working_price, order.working_quantity)
        working.oto = OtoMembership(list_id, LegRole.WORKING)
        pending = self._add(Side.SELL, order.pending_price, Quantity(_NOTHING))
        pending.oto = OtoMembership(list_id, LegRole.PENDING)
        pending.status = OrderStatus.PENDING
        working.partner = pending
        self._report(working, ExecutionType.NEW)
        self._report(pending, ExecutionType.NEW)
        return working.order_id, pending.order_id

    def _open_exit(self, order: LimitOrder) -> tuple[OrderId]:
        locked = sum((one.remaining for one in self.orders if one.sells), _NOTHING)
        assert order.quantity <= self.held() - locked, "sells more than is held and free"
        placed = self._add(order.side, order.price, order.quantity)
        self._report(placed, ExecutionType.NEW)
        return (placed.order_id,)

    def _add(self, side: Side, price: Price, quantity: Quantity) -> Order:
        order = Order(OrderId(self._next()), side, price, quantity, self._now())
        self.orders.append(order)
        return order

    def _cancel(self, order_id: OrderId) -> tuple[OrderId, ...]:
        order = next(one for one in self.orders if one.order_id == order_id)
        if not order.open:
            raise RefusedError(RefusalReason.INVALID_FORMAT, "1", "no such open order")
        self._end(order)
        partner = order.partner
        if partner is not None and partner.open:
            if not order.fills or self._policy is PartialFillPolicy.VOID_ON_CANCEL:
                self._end(partner)
            elif partner.fills and not partner.remaining:
                partner.status = OrderStatus.FILLED
        return ()

    def _end(self, order: Order) -> None:
        order.status = OrderStatus.CANCELED
        self._report(order, ExecutionType.CANCELED)

    def _execute(self, order: Order, quantity: Quantity, at: Price, trade_id: str) -> None:
        quote = money.amount_floor(at, quantity, 8)
        buys = order.side is Side.BUY
        fee = (
            _RULES.buy_fee_half_up(quantity, _RATE)
            if buys
            else _RULES.sell_fee_half_up(quote, _RATE)
        )
        number = self._next()
        asset = _RULES.base_asset if buys else "USDT"
        fill = LegFill(
            trade_id, at, quantity, quote, fee, asset, self._now(), int(number), f"p{number}"
        )
        order.fills.append(fill)
        done = not order.remaining and not self._grows(order)
        order.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
        self._report(order, ExecutionType.TRADE, fill)
        if order.partner is not None:
            self._bring(order, order.partner)

    def _grows(self, order: Order) -> bool:
        """Tell whether an order is a pending leg whose working leg may bring it more."""
        return any(one.partner is order and one.open for one in self.orders)

    def _bring(self, working: Order, pending: Order) -> None:
        """Give a pending leg what its working leg bought, if the policy does so now."""
        if working.open and self._policy is not PartialFillPolicy.PENDING_ON_PARTIAL:
            return
        fees = sum((fill.fee for fill in working.fills), _NOTHING)
        pending.quantity = _RULES.pending_quantity_floor(working.executed, Quantity(fees))
        if not pending.remaining:
            if not working.open:
                pending.status = OrderStatus.FILLED if pending.fills else OrderStatus.EXPIRED
            return
        if pending.status is OrderStatus.PENDING:
            pending.status = OrderStatus.NEW
        self._report(pending, ExecutionType.NEW)

    def _report(self, order: Order, kind: ExecutionType, fill: LegFill | None = None) -> None:
        event_id = fill.event_id if fill else None
        self.reports.append(order.report(kind, fill, event_id or int(self._next()), self._now()))

    def _next(self) -> str:
        self._numbers += 1
        return str(self._numbers)
