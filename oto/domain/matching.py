"""Was a lost order placed? Compare what was sent with what the exchange shows (TRADING §5.3)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from oto.domain.leg import Leg, LegKind
from oto.domain.market import Symbol
from oto.domain.orders import LegRole, OrderId, OrderListId, OrderRow

SETTLING = timedelta(seconds=20)
"""How long after *sending* an order may come to light: a POST begins within 2 s and lasts 10 s
at most, and reads lag. Ours: the exchange states nothing."""

CLEAN_READS = 3
SKEW = timedelta(hours=1)
"""How far the exchange's clock may differ from ours. It costs nothing to be generous: fingerprints
are unique for a day."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """The order is there; an OTO brings both its rows."""

    row: OrderRow
    partner: OrderRow | None


@dataclass(frozen=True, slots=True)
class Absent:
    """It never reached the exchange."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several orders fit; only a human can tell."""

    order_ids: tuple[OrderId, ...]


@dataclass(frozen=True, slots=True)
class StillUnknown:
    """Nothing fits so far, and it is too early to say that nothing will."""

    leg: Leg


Outcome = Adopted | Absent | Ambiguous | StillUnknown


def match(
    leg: Leg,
    symbol: Symbol,
    rows: Sequence[OrderRow],
    owned: Collection[OrderId],
    read_at: datetime,
) -> Outcome:
    """Tell what became of a sent leg, from all rows that the exchange shows at one moment.

    `owned` are the ids of orders on this symbol that are known to be ours already. A leg is absent
    after the settling window and so many reads in a row without it.
    """
    found = {row.order_id: row for row in rows if fits(leg, symbol, row, read_at)}
    fitting = [row for order_id, row in found.items() if order_id not in owned]
    if len(fitting) > 1:
        return Ambiguous(tuple(row.order_id for row in fitting))
    if fitting:
        return _adopted(leg, fitting[0], rows, read_at)
    return _not_found(leg, read_at)


def _adopted(leg: Leg, row: OrderRow, rows: Sequence[OrderRow], read_at: datetime) -> Outcome:
    if leg.kind is not LegKind.WORKING:
        return Adopted(row, None)
    partner = _partner(row, rows)
    return Adopted(row, partner) if partner is not None else _without_partner(leg, row, read_at)


def _without_partner(leg: Leg, row: OrderRow, read_at: datetime) -> Outcome:
    """The working leg is there and its pending leg is listed nowhere: wait, then ask a human."""
    outcome = _not_found(leg, read_at)
    return Ambiguous((row.order_id,)) if isinstance(outcome, Absent) else outcome


def _partner(row: OrderRow, rows: Sequence[OrderRow]) -> OrderRow | None:
    return next(
        (
            other
            for other in rows
            if other.oto is not None
            and other.oto.role is LegRole.PENDING
            and other.oto.order_list_id == list_id_of(row)
            and other.symbol == row.symbol
        ),
        None,
    )


def list_id_of(row: OrderRow) -> OrderListId | None:
    return None if row.oto is None else row.oto.order_list_id


def fits(leg: Leg, symbol: Symbol, row: OrderRow, read_at: datetime) -> bool:
    """Tell whether a row can be of a leg whose id is not known."""
    role = None if row.oto is None else row.oto.role
    wanted = LegRole.WORKING if leg.kind is LegKind.WORKING else None
    return (
        row.symbol == symbol
        and row.side is leg.side
        and role is wanted
        and row.price == leg.price
        and row.quantity == leg.quantity
        and _in_window(leg, row, read_at)
    )


def _in_window(leg: Leg, row: OrderRow, read_at: datetime) -> bool:
    if leg.sent_at is None or row.created_at is None:
        return True
    return leg.sent_at - SKEW <= row.created_at <= read_at + SKEW


def _not_found(leg: Leg, read_at: datetime) -> Outcome:
    counted = replace(leg, clean_reads=leg.clean_reads + 1)
    settled = leg.sent_at is not None and read_at - leg.sent_at >= SETTLING
    return Absent() if settled and counted.clean_reads >= CLEAN_READS else StillUnknown(counted)
