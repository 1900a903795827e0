"""Rows to domain values and back."""

from collections.abc import Iterable, Sequence

from models import CycleRow, FillRow, JobRow, OrderRow, TokenRow
from oto.domain.cycle import Cycle, CycleId, CyclePhase
from oto.domain.job import (
    Job,
    JobId,
    JobState,
    Reason,
    Target,
    TargetKind,
    UserId,
    Wish,
)
from oto.domain.leg import Leg, LegFill, LegId, LegKind, LegState
from oto.domain.market import AlphaId, Symbol, SymbolRules, SymbolStatus
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import OrderId, OrderListId
from oto.domain.tokens import TokenInfo

_KINDS = (LegKind.WORKING, LegKind.PENDING, LegKind.EXIT)


def job_of(row: JobRow) -> Job:
    return Job(
        job_id=JobId(row.id),
        user_id=UserId(row.user_id),
        symbol=Symbol(row.symbol),
        target=Target(
            TargetKind(row.target_kind),
            row.target_value,
            Amount(row.target_baseline),
            row.target_day,
        ),
        order_size=Amount(row.order_size),
        profile=row.profile,
        most_slip_bps=row.most_slip_bps,
        state=JobState(row.state),
        wish=Wish(row.wish),
        reason=reason_of(row.reason),
        waits_until=row.waits_until,
    )


def reason_of(name: str | None) -> Reason | None:
    return None if name is None else Reason[name]


def cycle_of(row: CycleRow, orders: Sequence[OrderRow], fills: Sequence[FillRow]) -> Cycle:
    """Put a cycle together; its legs are working, pending, then the exits as they were planned."""
    legs = [
        leg_of(order, [one for one in fills if one.order_row_id == order.id]) for order in orders
    ]
    return Cycle(
        cycle_id=CycleId(row.id),
        number=row.number,
        phase=CyclePhase(row.phase),
        legs=tuple(sorted(legs, key=lambda leg: (_KINDS.index(leg.kind), leg.leg_id))),
        planned_at=row.planned_at,
        phase_since=row.phase_since,
        multiplier=row.multiplier,
        rung=row.rung,
        looked_at=row.looked_at,
        lost_reason=reason_of(row.lost_reason),
    )


def write_cycle(cycle: Cycle, row: CycleRow, orders: Iterable[OrderRow]) -> None:
    """Write what has changed of a cycle and its legs into their rows; fills are apart."""
    row.phase = cycle.phase.value
    row.phase_since = cycle.phase_since
    row.rung = cycle.rung
    row.looked_at = cycle.looked_at
    row.lost_reason = None if cycle.lost_reason is None else cycle.lost_reason.name
    by_id = {order.id: order for order in orders}
    for leg in cycle.legs:
        _write_leg(leg, by_id[leg.leg_id])


def leg_of(row: OrderRow, fills: Iterable[FillRow] = ()) -> Leg:
    return Leg(
        leg_id=LegId(row.id),
        kind=LegKind(row.kind),
        price=Price(row.price),
        quantity=Quantity(row.quantity),
        state=LegState(row.state),
        order_id=None if row.order_id is None else OrderId(row.order_id),
        list_id=None if row.order_list_id is None else OrderListId(row.order_list_id),
        executed=Quantity(row.executed),
        sent_at=row.sent_at,
        cancel_sent_at=row.cancel_sent_at,
        clean_reads=row.clean_reads,
        fills=tuple(map(_fill_of, fills)),
    )


def _write_leg(leg: Leg, row: OrderRow) -> None:
    row.state = leg.state.value
    row.quantity = leg.quantity
    row.executed = leg.executed
    row.order_id = leg.order_id
    row.order_list_id = leg.list_id
    row.sent_at = leg.sent_at
    row.cancel_sent_at = leg.cancel_sent_at
    row.clean_reads = leg.clean_reads


def _fill_of(row: FillRow) -> LegFill:
    return LegFill(
        trade_id=row.trade_id,
        price=Price(row.price),
        quantity=Quantity(row.quantity),
        quote=Amount(row.quote),
        fee=row.fee,
        fee_asset=row.fee_asset,
        filled_at=row.filled_at,
        event_id=row.event_id,
        page_id=row.page_id,
    )


def token_of(row: TokenRow) -> TokenInfo:
    return TokenInfo(
        alpha_id=AlphaId(row.alpha_id),
        ticker=row.ticker,
        name=row.name,
        chain_id=row.chain_id,
        contract_address=row.contract_address,
        price=Price(row.price),
        multiplier=row.multiplier,
        listed_at=row.listed_at,
        offline=row.offline,
        sell_closed=row.sell_closed,
        halted=row.halted,
    )


def rules_of(row: TokenRow) -> SymbolRules:
    return SymbolRules(
        symbol=Symbol(row.symbol),
        base_asset=AlphaId(row.alpha_id),
        quote_asset=row.quote_asset,
        status=SymbolStatus(row.status),
        price_precision=row.price_precision,
        quantity_precision=row.quantity_precision,
        base_precision=row.base_precision,
        quote_precision=row.quote_precision,
        tick_size=row.tick_size,
        min_price=Price(row.min_price),
        max_price=Price(row.max_price),
        lot_step=row.lot_step,
        min_quantity=Quantity(row.min_quantity),
        max_quantity=Quantity(row.max_quantity),
        min_notional=Amount(row.min_notional),
        max_notional=None if row.max_notional is None else Amount(row.max_notional),
        max_orders=row.max_orders,
    )


def token_columns(token: TokenInfo, rules: SymbolRules) -> dict[str, object]:
    """Return the columns of a token's row, but for `read_at`."""
    return {
        "symbol": rules.symbol,
        "alpha_id": token.alpha_id,
        "quote_asset": rules.quote_asset,
        "ticker": token.ticker,
        "name": token.name,
        "chain_id": token.chain_id,
        "contract_address": token.contract_address,
        "price": token.price,
        "multiplier": token.multiplier,
        "listed_at": token.listed_at,
        "offline": token.offline,
        "sell_closed": token.sell_closed,
        "halted": token.halted,
        "status": rules.status.value,
        **{
            name: getattr(rules, name)
            for name in (
                "price_precision",
                "quantity_precision",
                "base_precision",
                "quote_precision",
                "tick_size",
                "min_price",
                "max_price",
                "lot_step",
                "min_quantity",
                "max_quantity",
                "min_notional",
                "max_notional",
                "max_orders",
            )
        },
    }
