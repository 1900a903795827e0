"""Plausible domain values, of which a test names only what it is about.

Figures are given as text. All times start at `AT`.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from oto.domain import money, placing
from oto.domain.cycle import Cycle, CycleId, CyclePhase, concluded
from oto.domain.decisions import View
from oto.domain.job import Job, JobId, JobState, Progress, Target, TargetKind, UserId, Wish
from oto.domain.leg import Leg, LegFill, LegId, LegKind, LegState, SeenOrder, with_fill
from oto.domain.market import AlphaId, BookLevel, Symbol, SymbolRules, SymbolStatus
from oto.domain.orders import LegRole, OrderId, OrderListId, OrderRow, OrderStatus, OtoMembership
from oto.domain.planning import Fingerprint
from oto.domain.pricing.profiles import CROSS
from oto.domain.risk.verdict import Balance, Permission, Situation
from oto.domain.tick import Tick
from oto.domain.tokens import TokenInfo

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
SYMBOL = Symbol("ALPHA_373USDT")
BUY_ID, SELL_ID, EXIT_ID = OrderId("101"), OrderId("102"), OrderId("103")
LIST_ID = OrderListId("9")
ALLOWED = Permission(terms_accepted=True)
VOLUME = Target(TargetKind.VOLUME, Decimal(100))


def after_s(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def rules(
    *,
    tick: str = "0.00001",
    step: str = "0.01",
    base_precision: int = 8,
    least_notional: str = "0.1",
    most_quantity: str = "9999999999",
    status: SymbolStatus = SymbolStatus.TRADING,
) -> SymbolRules:
    return SymbolRules(
        symbol=SYMBOL,
        base_asset=AlphaId("ALPHA_373"),
        quote_asset="USDT",
        status=status,
        price_precision=9,
        quantity_precision=2,
        base_precision=base_precision,
        quote_precision=8,
        tick_size=Decimal(tick),
        min_price=money.price(tick),
        max_price=money.price("1000"),
        lot_step=Decimal(step),
        min_quantity=money.quantity(step),
        max_quantity=money.quantity(most_quantity),
        min_notional=money.amount(least_notional),
    )


def token(
    *,
    multiplier: int | None = 1,
    offline: bool = False,
    sell_closed: bool = False,
    halted: bool = False,
) -> TokenInfo:
    return TokenInfo(
        alpha_id=AlphaId("ALPHA_373"),
        ticker="AITECH",
        name="AITECH",
        chain_id="56",
        contract_address="0x0",
        price=money.price("0.227"),
        multiplier=multiplier,
        listed_at=None,
        offline=offline,
        sell_closed=sell_closed,
        halted=halted,
    )


def tick(
    bid: str = "0.22690",
    ask: str = "0.22700",
    *,
    trade: str | None = None,
    received_at: datetime = AT,
    connected: bool = True,
) -> Tick:
    """Return prices as the streams gave them; the last trade was at the bid if none is named."""
    much = money.quantity("1000000")
    return Tick(
        symbol=SYMBOL,
        sequence=1,
        connected=connected,
        received_at=received_at,
        trade_price=money.price(trade or bid),
        traded_at=received_at,
        bid=BookLevel(money.price(bid), much),
        ask=BookLevel(money.price(ask), much),
        book_changed_at=received_at,
    )


def situation(
    *,
    now: datetime = AT,
    bid: str = "0.22690",
    ask: str = "0.22700",
    free: str = "1000",
    permission: Permission = ALLOWED,
) -> Situation:
    """Return a situation in which every rule lets an order through."""
    return Situation(
        now=now,
        profile=CROSS,
        tick=tick(bid, ask, received_at=now),
        rules=rules(),
        token=token(),
        balance=Balance(money.amount(free), now),
        permission=permission,
    )


def job(
    *,
    target: Target = VOLUME,
    size: str = "20",
    wish: Wish = Wish.RUN,
    slip_bps: int = 300,
) -> Job:
    return Job(
        job_id=JobId(1),
        user_id=UserId(1),
        symbol=SYMBOL,
        target=target,
        order_size=money.amount(size),
        profile=CROSS.name,
        most_slip_bps=slip_bps,
        state=JobState.RUNNING,
        wish=wish,
    )


def view(
    cycle: Cycle | None = None,
    *,
    at_s: float = 0,
    job: Job = job(),  # noqa: B008 - a frozen value
    situation: Situation | None = None,
    bought: str = "0",
    taken: Iterable[Fingerprint] = (),
    held_elsewhere: bool = False,
) -> View:
    """Return a view so many seconds after AT; a situation brings its own time."""
    progress = Progress(money.amount(bought), money.amount(bought))
    around = situation or _situation_at(at_s)
    return View(job, progress, cycle, around, frozenset(taken), held_elsewhere)


def _situation_at(seconds: float) -> Situation:
    return situation(now=after_s(seconds))


def fill(
    quantity: str,
    price: str = "0.227",
    *,
    fee: str = "0",
    trade_id: str = "1",
    event_id: int | None = None,
    page_id: str | None = None,
) -> LegFill:
    at, of = money.price(price), money.quantity(quantity)
    return LegFill(
        trade_id=trade_id,
        price=at,
        quantity=of,
        quote=money.amount_floor(at, of, 8),
        fee=Decimal(fee),
        fee_asset="",
        filled_at=AT,
        event_id=event_id,
        page_id=page_id,
    )


def leg(
    kind: LegKind = LegKind.WORKING,
    state: LegState = LegState.PLANNED,
    *,
    leg_id: int = 1,
    price: str = "0.22719",
    quantity: str = "88.11",
    executed: str = "0",
    fills: Iterable[LegFill] = (),
) -> Leg:
    return Leg(
        leg_id=LegId(leg_id),
        kind=kind,
        price=money.price(price),
        quantity=money.quantity(quantity),
        state=state,
        executed=money.quantity(executed),
        fills=tuple(fills),
    )


def planned_cycle(*, price: str = "0.22719", quantity: str = "88.11") -> Cycle:
    """Return a cycle whose intent was stored at AT: its pending SELL is at 0.22671."""
    pending = leg(LegKind.PENDING, leg_id=2, price="0.22671", quantity="0")
    working = leg(price=price, quantity=quantity)
    return Cycle(CycleId(1), 1, CyclePhase.PLANNED, (working, pending), AT, AT)


def sent_cycle() -> Cycle:
    cycle = planned_cycle()
    return placing.sending(cycle, cycle.working, AT)


def open_cycle() -> Cycle:
    cycle = sent_cycle()
    return with_conclusions(placing.accepted(cycle, cycle.working, (BUY_ID, SELL_ID)))


def bought_cycle(*, fee: str = "0.008811", sell: OrderStatus = OrderStatus.NEW) -> Cycle:
    """Return a cycle whose BUY is filled and whose SELL of 88.10 is live, or still pending."""
    cycle = traded(open_cycle(), BUY_ID, "88.11", fee=fee, event_id=1)
    live = sell is not OrderStatus.PENDING
    return seen(cycle, SELL_ID, sell, quantity="88.10" if live else "0")


def exiting_cycle(*, sold: str = "0") -> Cycle:
    """Return a cycle whose BUY is filled and whose SELL ended, having sold so much."""
    cycle = bought_cycle()
    if Decimal(sold):
        partly = OrderStatus.PARTIALLY_FILLED
        cycle = traded(cycle, SELL_ID, sold, quantity="88.10", status=partly, event_id=2)
    return seen(cycle, SELL_ID, OrderStatus.CANCELED, quantity="88.10", executed=sold)


def with_exit(
    cycle: Cycle,
    state: LegState = LegState.LIVE,
    *,
    price: str = "0.22670",
    quantity: str = "88.10",
    sent_at: datetime = AT,
) -> Cycle:
    """Return the cycle with one more exit; the id of the first, if it was taken, is 103."""
    number = len(cycle.legs) + 1
    planned = leg(LegKind.EXIT, state, leg_id=number, price=price, quantity=quantity)
    order_id = None if state is LegState.REFUSED else OrderId(str(100 + number))
    sent = replace(planned, order_id=order_id, sent_at=sent_at)
    one = planned if state is LegState.PLANNED else sent
    return replace(cycle, legs=(*cycle.legs, one), rung=cycle.rung + 1)


def seen(
    cycle: Cycle,
    order_id: OrderId,
    status: OrderStatus,
    *,
    quantity: str = "88.11",
    executed: str = "0",
    now: datetime = AT,
) -> Cycle:
    """Return the cycle after a row or a report about one of its orders."""
    order = SeenOrder(order_id, LIST_ID, status, money.quantity(quantity), money.quantity(executed))
    return with_conclusions(placing.seen(cycle, leg_of(cycle, order_id), order), now)


def traded(
    cycle: Cycle,
    order_id: OrderId,
    part: str,
    price: str = "0.227",
    *,
    quantity: str = "88.11",
    status: OrderStatus = OrderStatus.FILLED,
    fee: str = "0",
    event_id: int,
    now: datetime = AT,
) -> Cycle:
    """Return the cycle after a report of a fill, which is told whole."""
    before = leg_of(cycle, order_id)
    filled = with_fill(before, fill(part, price, fee=fee, event_id=event_id))
    executed = money.plain(before.executed + Decimal(part))
    cycle = cycle.with_leg(filled)
    return seen(cycle, order_id, status, quantity=quantity, executed=executed, now=now)


def leg_of(cycle: Cycle, order_id: OrderId) -> Leg:
    found = cycle.leg_of(order_id)
    assert found is not None
    return found


def with_conclusions(cycle: Cycle, now: datetime = AT) -> Cycle:
    """Return the cycle with all concluded that its legs tell of."""
    return concluded(cycle, rules(), now)


def row(
    order_id: str = "101",
    *,
    role: LegRole | None = LegRole.WORKING,
    list_id: str = "9",
    price: str = "0.22719",
    quantity: str = "88.11",
    created_at: datetime | None = AT,
) -> OrderRow:
    """Return an order as REST lists it: a live BUY of an OTO, or a SELL if it has another role."""
    side = LegKind.WORKING.side if role is LegRole.WORKING else LegKind.EXIT.side
    at, of = money.price(price), money.quantity(quantity)
    return OrderRow(
        symbol=SYMBOL,
        order_id=OrderId(order_id),
        side=side,
        status=OrderStatus.NEW,
        price=at,
        average_price=money.price("0"),
        quantity=of,
        executed_quantity=money.quantity("0"),
        cumulative_quote=None,
        base_asset=AlphaId("ALPHA_373"),
        quote_asset="USDT",
        oto=None if role is None else OtoMembership(OrderListId(list_id), role),
        created_at=created_at,
        updated_at=created_at,
        working_at=None,
    )
