"""Reading a cycle from the exchange: what polling does, and how lost answers are resolved."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from oto.application.ports import Exchange, Work
from oto.domain import matching, placing
from oto.domain.cycle import Cycle
from oto.domain.events import EventKind
from oto.domain.job import NEEDS_HUMAN, JobEvent, Reason
from oto.domain.leg import UNRESOLVED, Leg, LegEvent, LegFill, LegKind, SeenOrder, with_fill
from oto.domain.leg import after as leg_after
from oto.domain.market import AlphaId, Symbol
from oto.domain.matching import Absent, Adopted, Ambiguous, StillUnknown
from oto.domain.orders import OrderId, OrderRow


@dataclass(frozen=True, slots=True)
class Seen:
    """What the exchange showed of a cycle: rows of orders, and fills by order id."""

    read_at: datetime
    symbol: Symbol
    rows: Sequence[OrderRow]
    fills: Mapping[OrderId, Sequence[LegFill]]

    def apply(self, work: Work) -> bool:
        """Store it; return False if the job needs a human now."""
        cycle = work.cycle
        if cycle is None:
            return True
        seen = self._with_fills(self._with_rows(self._without_unlisted(cycle)))
        if seen != cycle:
            mine = [seen_row(row) for row in self.rows if cycle.leg_of(row.order_id) is not None]
            work.note(EventKind.LOOKED, orders=mine, fills=self.fills)
        work.save(replace(seen, looked_at=self.read_at))
        resolved = all(self._resolve(work, leg) for leg in _lost(cycle))
        return resolved and not self._absent_appeared(work, cycle)

    def _without_unlisted(self, cycle: Cycle) -> Cycle:
        """End a pending leg that is listed nowhere any more after its working leg has ended."""
        pending = cycle.pending
        listed = any(row.order_id == pending.order_id for row in self.rows)
        if listed or not (pending.open and cycle.working.final):
            return cycle
        counted = replace(pending, clean_reads=pending.clean_reads + 1)
        settled = self.read_at - cycle.phase_since >= matching.SETTLING
        if settled and counted.clean_reads >= matching.CLEAN_READS:
            return cycle.with_leg(leg_after(counted, LegEvent.END))
        return cycle.with_leg(counted)

    def _with_rows(self, cycle: Cycle) -> Cycle:
        for row in self.rows:
            leg = cycle.leg_of(row.order_id)
            if leg is not None and row.symbol == self.symbol:
                cycle = placing.seen(cycle, leg, seen_row(row))
        return cycle

    def _with_fills(self, cycle: Cycle) -> Cycle:
        for order_id, fills in self.fills.items():
            for fill in fills:
                if (leg := cycle.leg_of(order_id)) is not None:
                    cycle = cycle.with_leg(with_fill(leg, fill))
        return cycle

    def _absent_appeared(self, work: Work, cycle: Cycle) -> bool:
        """Call for a human if an order is open that was called absent, as a report of it would."""
        strange = [row for row in self.rows if not row.ended and not cycle.leg_of(row.order_id)]
        if not strange:
            return False
        absent, owned = work.called_absent(), work.owned()
        for row in strange:
            fits = any(matching.fits(leg, self.symbol, row, self.read_at) for leg in absent)
            if fits and row.order_id not in owned:
                detail = f"order {row.order_id} was called absent, and it is there"
                work.end(JobEvent.NEED_HUMAN, Reason.AMBIGUOUS, detail)
                return True
        return False

    def _resolve(self, work: Work, leg: Leg) -> bool:
        """Conclude what can be concluded of a lost leg; return False if a human has to."""
        cycle = work.cycle
        if cycle is None:
            return True
        rows = [*self.rows, *work.reported()]
        outcome = matching.match(leg, self.symbol, rows, work.owned(), self.read_at)
        match outcome:
            case Adopted(row, partner):
                ids = [row.order_id, *([partner.order_id] if partner is not None else [])]
                work.note(EventKind.ADOPTED, order_ids=ids)
                work.save(self._with_rows(placing.accepted(cycle, leg, ids)))
                work.apply_waiting_reports()
            case Absent():
                work.save(placing.all_legs(cycle, leg, LegEvent.PROVE_ABSENT))
                work.note(EventKind.PROVEN_ABSENT, price=leg.price, quantity=leg.quantity)
                return not _end_for(work, cycle.lost_reason)
            case Ambiguous(order_ids):
                work.note(EventKind.AMBIGUOUS, order_ids=order_ids)
                work.end(JobEvent.NEED_HUMAN, Reason.AMBIGUOUS, ", ".join(order_ids))
                return False
            case StillUnknown(counted):
                work.save(cycle.with_leg(counted))
        return True


def look(
    exchange: Exchange,
    cycle: Cycle,
    symbol: Symbol,
    base_asset: AlphaId | None,
    now: Callable[[], datetime],
) -> Seen:
    """Read the orders of a cycle, and the fills that are told nowhere yet.

    Open orders are read first: what closes between the two reads is then among the closed ones.
    """
    read_at = now()
    rows = list(exchange.open_orders())
    shown = {row.order_id for row in rows if row.symbol == symbol}
    if any(is_missing(leg, shown) for leg in cycle.legs):
        start_at = cycle.planned_at - matching.SKEW
        rows += exchange.closed_orders(base_asset, start_at, now() + matching.SKEW)
    mine = [row for row in rows if row.symbol == symbol]
    fills = {
        order_id: exchange.fills(symbol, order_id) for order_id in _with_untold_fills(cycle, mine)
    }
    return Seen(read_at, symbol, mine, fills)


def seen_row(row: OrderRow) -> SeenOrder:
    """Return what a row of REST says of an order."""
    return SeenOrder(
        row.order_id, matching.list_id_of(row), row.status, row.quantity, row.executed_quantity
    )


def is_missing(leg: Leg, shown: set[OrderId]) -> bool:
    """Tell whether a leg has to be looked for among past orders, given the open ones."""
    if leg.state in UNRESOLVED:
        return True
    return leg.order_id is not None and not leg.final and leg.order_id not in shown


def _with_untold_fills(cycle: Cycle, rows: Sequence[OrderRow]) -> Iterator[OrderId]:
    executed = {row.order_id: row.executed_quantity for row in rows}
    for leg in cycle.legs:
        if leg.order_id is not None:
            seen = max(leg.executed, executed.get(leg.order_id, leg.executed))
            if leg.filled_quantity < seen:
                yield leg.order_id


def _lost(cycle: Cycle) -> Iterator[Leg]:
    """Return the legs that stand for a lost POST each: of an OTO, the working one."""
    return (leg for leg in cycle.unresolved() if leg.kind is not LegKind.PENDING)


def _end_for(work: Work, lost_reason: Reason | None) -> bool:
    """Call for the human that the lost answer asked for, now that nothing is open."""
    if lost_reason not in NEEDS_HUMAN or lost_reason is None:
        return False
    work.end(JobEvent.NEED_HUMAN, lost_reason, "the order was not placed")
    return True
