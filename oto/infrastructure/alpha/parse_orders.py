"""Private wire facts about orders and fills into domain values."""

from datetime import datetime
from decimal import Decimal

from oto.domain.errors import UnexpectedShapeError
from oto.domain.market import AlphaId, Symbol, at_ms
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import (
    Fill,
    LegRole,
    OrderId,
    OrderListId,
    OrderRow,
    OrderStatus,
    OtoMembership,
    PlacedOto,
    Side,
)
from oto.infrastructure.alpha import schemas_orders as schemas
from oto.infrastructure.alpha.decoding import Json, decode

_NO_LIST = {None, "", "-1", "0"}


def order_id(data: Json) -> OrderId:
    """Read the answer to a placement: one id, string or number."""
    return OrderId(str(_decode_id(data)))


def _decode_id(data: Json) -> int | str:
    # mypy has no type for the type of a union, hence a shape of one column.
    return decode(b"[" + bytes(data) + b"]", schemas.OneId, "place").order_id


def placed_oto(data: Json) -> PlacedOto:
    """Read the two ids of an OTO, which are numbers where other answers have strings."""
    ids = decode(data, schemas.OtoIds, "place OTO")
    return PlacedOto(OrderId(str(ids.working_order_id)), OrderId(str(ids.pending_order_id)))


def order_rows(data: Json) -> list[OrderRow]:
    """Read rows of open orders or of history (PROTOCOL §1.5)."""
    return [_order(row) for row in decode(data, list[schemas.Order], "orders")]


def _order(row: schemas.Order) -> OrderRow:
    return OrderRow(
        symbol=Symbol(row.symbol),
        order_id=OrderId(str(row.order_id)),
        side=_side(row.side, "orders"),
        status=_status(row.status or row.order_status or ""),
        price=Price(row.price),
        average_price=Price(row.avg_price or Decimal(0)),
        quantity=Quantity(row.orig_qty),
        executed_quantity=Quantity(row.executed_qty),
        cumulative_quote=None if row.cum_quote is None else Amount(row.cum_quote),
        base_asset=AlphaId(row.base_asset),
        quote_asset=row.quote_asset,
        oto=_membership(row),
        created_at=_moment(row.time),
        updated_at=_moment(row.update_time),
        working_at=_moment(row.working_time),
    )


def _membership(row: schemas.Order) -> OtoMembership | None:
    list_id = None if row.order_list_id is None else str(row.order_list_id)
    if list_id is None or list_id in _NO_LIST or row.contingency_order_position is None:
        return None
    try:
        role = LegRole(row.contingency_order_position)
    except ValueError:
        raise UnexpectedShapeError("orders: unknown `contingencyOrderPosition`") from None
    return OtoMembership(OrderListId(list_id), role)


def _moment(milliseconds: int | None) -> datetime | None:
    """Plain orders have a working time of 0: no time at all."""
    return at_ms(milliseconds) if milliseconds else None


def _status(word: str) -> OrderStatus:
    try:
        return OrderStatus(word)
    except ValueError:
        return OrderStatus.UNKNOWN


def _side(word: str, what: str) -> Side:
    try:
        return Side(word)
    except ValueError:
        raise UnexpectedShapeError(f"{what}: `side` is neither BUY nor SELL") from None


def fills(data: Json) -> list[Fill]:
    """Read the fills of one order, newest first; only the page id is unique."""
    return [_fill(row) for row in decode(data, list[schemas.Trade], "user trades")]


def _fill(row: schemas.Trade) -> Fill:
    in_quote = row.commission_asset == row.quote_asset
    return Fill(
        symbol=Symbol(row.symbol),
        order_id=OrderId(str(row.order_id)),
        trade_id=str(row.trade_id),
        page_id=str(row.page_id),
        side=_side(row.side, "user trades"),
        price=Price(row.price),
        quantity=Quantity(row.qty),
        quote=Amount(row.quote_qty),
        fee=Amount(row.commission) if in_quote else Quantity(row.commission),
        fee_asset=row.commission_asset,
        last_of_order=row.last_trade,
        filled_at=at_ms(row.time),
    )
