"""What a report of an order says: of its cycle, and as the row that REST would show."""

from oto.domain import placing
from oto.domain.cycle import Cycle
from oto.domain.leg import LegFill, SeenOrder, with_fill
from oto.domain.orders import ExecutionReport, OrderRow, ReportedFill


def applied(cycle: Cycle, report: ExecutionReport) -> Cycle:
    """Return a cycle after a report about one of its orders.

    Raises:
        StrangeStatusError: a status that we do not know.
    """
    leg = cycle.leg_of(report.order_id)
    if leg is None:
        return cycle
    list_id = None if report.oto is None else report.oto.order_list_id
    order = SeenOrder(
        report.order_id, list_id, report.status, report.quantity, report.cumulative_quantity
    )
    cycle = placing.seen(cycle, leg, order)
    seen = cycle.leg_of(report.order_id)
    if report.fill is None or seen is None:
        return cycle
    return cycle.with_leg(with_fill(seen, _told(report.fill, report)))


def _told(fill: ReportedFill, report: ExecutionReport) -> LegFill:
    return LegFill(
        trade_id=fill.trade_id,
        price=fill.price,
        quantity=fill.quantity,
        quote=fill.quote,
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        filled_at=report.transacted_at,
        event_id=report.event_id,
    )


def as_row(report: ExecutionReport) -> OrderRow:
    """Return a report as the row that REST would show of its order."""
    return OrderRow(
        symbol=report.symbol,
        order_id=report.order_id,
        side=report.side,
        status=report.status,
        price=report.price,
        average_price=report.average_price,
        quantity=report.quantity,
        executed_quantity=report.cumulative_quantity,
        cumulative_quote=report.cumulative_quote,
        base_asset=report.base_asset,
        quote_asset=report.quote_asset,
        oto=report.oto,
        created_at=report.created_at,
        updated_at=report.transacted_at,
        working_at=None,
    )
