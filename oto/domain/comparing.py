"""Our orders against the exchange's, one by one, and a verdict on each (TRADING §5.7)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Self

from oto.domain import matching
from oto.domain.cycle import Cycle
from oto.domain.job import Job
from oto.domain.leg import UNRESOLVED, Leg, LegKind, LegState
from oto.domain.market import Symbol
from oto.domain.matching import Absent, Adopted, Ambiguous, StillUnknown
from oto.domain.money import trimmed
from oto.domain.orders import OrderId, OrderRow, OrderStatus

OrderKey = tuple[Symbol, OrderId]
"""What names an order of one user."""


class Verdict(Enum):
    """How one order stands on both sides: a name for programs, and words for a person."""

    words: str

    def __new__(cls, name: str, words: str) -> Self:
        """Make a member whose value is its name."""
        member = object.__new__(cls)
        member._value_ = name
        member.words = words
        return member

    AGREES = "agrees", "agrees"
    AHEAD = "ahead", "the exchange is ahead"
    ADOPTED = "adopted", "lost, is adopted"
    ABSENT = "absent", "lost, proven absent"
    UNSETTLED = "unsettled", "lost, still unsettled"
    AMBIGUOUS = "ambiguous", "ambiguous"
    NOT_SHOWN = "not_shown", "ours open, not shown there"
    RISEN = "risen", "called finished, but open there"
    APPEARED = "appeared", "called absent, but it is there"
    NOT_OURS = "not_ours", "not ours"


ALARMING = frozenset({Verdict.AMBIGUOUS, Verdict.RISEN, Verdict.APPEARED})
"""Verdicts that no turn of a job can settle."""


@dataclass(frozen=True, slots=True)
class OwnCycle:
    """A cycle of ours with its job as it stands."""

    job: Job
    cycle: Cycle


@dataclass(frozen=True, slots=True)
class Shown:
    """What the exchange shows of one user: rows of orders by what names them.

    `reported` are rows made of reports whose order nobody has claimed.
    """

    read_at: datetime
    rows: Mapping[OrderKey, OrderRow]
    reported: Sequence[OrderRow] = ()


@dataclass(frozen=True, slots=True)
class Compared:
    """One order on both sides: `own` and `leg` are None if not ours, `row` if it is not there."""

    symbol: Symbol
    verdict: Verdict
    detail: str = ""
    own: OwnCycle | None = None
    leg: Leg | None = None
    row: OrderRow | None = None
    needs_human: bool = False


def rows_of(listed: Iterable[OrderRow]) -> dict[OrderKey, OrderRow]:
    """Return the newest row of each order: what has ended or executed more is newer."""
    found: dict[OrderKey, OrderRow] = {}
    for row in listed:
        key = row.symbol, row.order_id
        if key not in found or _age(row) > _age(found[key]):
            found[key] = row
    return found


def compare(
    before: Sequence[OwnCycle],
    shown: Shown,
    later: Sequence[OwnCycle],
    owned: Collection[OrderKey],
) -> list[Compared]:
    """Set one user's cycles against what the exchange shows.

    Ours were read `before` it and again `later`, so that what a running turn does meanwhile is not
    taken for a difference. `owned` names the shown orders that the ledger has, of any age.
    """
    of_ours = [one for own in before for one in _of_cycle(own, shown, owned)]
    return [*of_ours, *_unclaimed(of_ours, shown, later, owned)]


def _age(row: OrderRow) -> tuple[object, ...]:
    return row.ended, row.executed_quantity


def _of_cycle(own: OwnCycle, shown: Shown, owned: Collection[OrderKey]) -> Iterator[Compared]:
    for leg in own.cycle.legs:
        if leg.order_id is not None:
            yield _of_known(own, leg, leg.order_id, shown)
        elif leg.kind is not LegKind.PENDING and leg.state in UNRESOLVED:
            yield _of_lost(own, leg, shown, owned)
        elif leg.kind is not LegKind.PENDING and leg.state is LegState.ABSENT:
            yield from _of_absent(own, leg, shown, owned)


def _of_known(own: OwnCycle, leg: Leg, order_id: OrderId, shown: Shown) -> Compared:
    symbol = own.job.symbol
    row = shown.rows.get((symbol, order_id))
    if row is None:
        verdict, detail = _without_row(leg)
    else:
        verdict, detail = _with_row(leg, row)
    human = verdict in ALARMING or (verdict is Verdict.AHEAD and own.cycle.finished)
    if verdict is Verdict.NOT_SHOWN:
        human = leg.open and shown.read_at - own.cycle.phase_since >= matching.SETTLING
    return Compared(symbol, verdict, detail, own, leg, row, human)


def _without_row(leg: Leg) -> tuple[Verdict, str]:
    if leg.open:
        return Verdict.NOT_SHOWN, f"{leg.state.value} here"
    # A leg that executed nothing need not be listed for ever.
    return Verdict.AGREES, "" if not leg.executed else "not listed there"


def _with_row(leg: Leg, row: OrderRow) -> tuple[Verdict, str]:
    there, told = row.executed_quantity, leg.filled_quantity
    figures = f"{trimmed(there)} executed, {trimmed(told)} told"
    if row.status is OrderStatus.UNKNOWN:
        return Verdict.AMBIGUOUS, "its status there is not known"
    if leg.final and not row.ended:
        return Verdict.RISEN, figures
    if max(there, leg.executed) > told:
        return Verdict.AHEAD, figures
    if row.ended and there < told:
        return Verdict.AMBIGUOUS, figures
    woken = leg.state is LegState.INACTIVE and row.status is not OrderStatus.PENDING
    if woken or (row.ended and not leg.final):
        return Verdict.AHEAD, f"{row.status.value} there, {leg.state.value} here"
    return Verdict.AGREES, ""


def _of_lost(own: OwnCycle, leg: Leg, shown: Shown, owned: Collection[OrderKey]) -> Compared:
    symbol = own.job.symbol
    rows = [row for row in (*shown.rows.values(), *shown.reported) if row.symbol == symbol]
    ids = {order_id for of, order_id in owned if of == symbol}
    outcome = matching.match(leg, symbol, rows, ids, shown.read_at)
    match outcome:
        case Adopted(row, _):
            return Compared(symbol, Verdict.ADOPTED, "", own, leg, row)
        case Absent():
            return Compared(symbol, Verdict.ABSENT, "", own, leg)
        case Ambiguous(order_ids):
            fitting = f"it may be {' or '.join(order_ids)}"
            return Compared(symbol, Verdict.AMBIGUOUS, fitting, own, leg, needs_human=True)
        case StillUnknown():
            return Compared(symbol, Verdict.UNSETTLED, "", own, leg)


def _of_absent(
    own: OwnCycle, leg: Leg, shown: Shown, owned: Collection[OrderKey]
) -> Iterator[Compared]:
    symbol = own.job.symbol
    for key, row in shown.rows.items():
        if key not in owned and matching.fits(leg, symbol, row, shown.read_at):
            detail = f"{trimmed(row.executed_quantity)} executed"
            yield Compared(symbol, Verdict.APPEARED, detail, own, leg, row, needs_human=True)


def _unclaimed(
    of_ours: Sequence[Compared],
    shown: Shown,
    later: Sequence[OwnCycle],
    owned: Collection[OrderKey],
) -> Iterator[Compared]:
    claimed = {(one.symbol, one.row.order_id) for one in of_ours if one.row is not None}
    claimed |= {
        (own.job.symbol, leg.order_id)
        for own in later
        for leg in own.cycle.legs
        if leg.order_id is not None
    }
    lost = [(own.job.symbol, leg) for own in later for leg in own.cycle.unresolved()]
    lists = {
        (symbol, matching.list_id_of(row))
        for symbol, leg in lost
        for row in shown.rows.values()
        if matching.fits(leg, symbol, row, shown.read_at)
    }
    for key, row in shown.rows.items():
        being_placed = any(matching.fits(leg, of, row, shown.read_at) for of, leg in lost)
        partner = row.oto is not None and (row.symbol, row.oto.order_list_id) in lists
        if key not in claimed and not being_placed and not partner:
            yield from _foreign(key, row, owned)


def _foreign(key: OrderKey, row: OrderRow, owned: Collection[OrderKey]) -> Iterator[Compared]:
    if key not in owned:
        yield Compared(row.symbol, Verdict.NOT_OURS, row=row)
    elif not row.ended:
        yield Compared(row.symbol, Verdict.RISEN, "of an older cycle", row=row, needs_human=True)
