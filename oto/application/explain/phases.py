"""What a cycle's new phase means, with what was bought and sold by then."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from oto.application.explain.words import average, base, bps, usdt
from oto.domain.cycle import CyclePhase

_P = CyclePhase
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Sums:
    """What a cycle had come to; `received` is less fees, `held` what was left of it in base."""

    bought: Decimal = _NOTHING
    spent: Decimal = _NOTHING
    sold: Decimal = _NOTHING
    received: Decimal = _NOTHING
    held: Decimal = _NOTHING

    @property
    def cost(self) -> Decimal:
        return self.spent - self.received


@dataclass(frozen=True, slots=True)
class Change:
    """A cycle's way from one phase to the next."""

    before: CyclePhase
    phase: CyclePhase
    sums: Sums


def change_of(body: Mapping[str, Any]) -> Change:
    """Read what a log keeps of a new phase.

    Raises:
        msgspec.ValidationError: it is no such entry.
    """
    before, phase = msgspec.convert((body["before"], body["phase"]), tuple[_P, _P])
    return Change(before, phase, msgspec.convert(body, Sums))


def told(change: Change, ticker: str, *, purchase_told: bool) -> str | None:
    """Return the sentence about a new phase; of some another entry says more."""
    match change.phase:
        case CyclePhase.BOUGHT:
            return _bought(change, ticker)
        case CyclePhase.EXITING if change.before is not CyclePhase.PARKED:
            return _to_sell(change, ticker)
        case CyclePhase.ABANDONED if change.before is CyclePhase.CANCELLING:
            return "The cancel came through, and nothing had been bought."
        case CyclePhase.ABANDONED if change.before is CyclePhase.OPEN:
            return "The exchange ended the order by itself, and nothing had been bought."
        case CyclePhase.SETTLED:
            return _settled(change.sums, ticker, purchase_told=purchase_told)
        case _:
            return None


def _bought(change: Change, ticker: str) -> str:
    how = ", before the cancel arrived" if change.before is CyclePhase.CANCELLING else ""
    if not change.sums.spent:
        return f"The buy was filled{how}."
    return f"The buy was filled{how}: {_purchase(change.sums, ticker)}. Its sale follows."


def _purchase(sums: Sums, ticker: str) -> str:
    price = average(sums.spent, sums.bought)
    return f"{base(sums.bought, ticker)} for {usdt(sums.spent, 8)} ({price} on average)"


def _to_sell(change: Change, ticker: str) -> str:
    sums = change.sums
    left = f"{base(sums.held, ticker)} are left to sell"
    if change.before in {CyclePhase.OPEN, CyclePhase.CANCELLING}:
        return f"The buy ended in part filled: {_purchase(sums, ticker)}. {left}."
    return f"The sale ended with {base(sums.sold, ticker)} sold. {left}."


def _settled(sums: Sums, ticker: str, *, purchase_told: bool) -> str:
    if not sums.spent:
        return "What was bought is sold."
    bought = "" if purchase_told else f"Bought {_purchase(sums, ticker)}. "
    dust = f"; {base(sums.held, ticker)} are left as dust" if sums.held else ""
    return (
        f"{bought}Sold {base(sums.sold, ticker)} for {usdt(sums.received, 8)} after fees. The "
        f"cycle cost {usdt(sums.cost)}, {bps(sums.cost, sums.spent)} of what it bought{dust}."
    )
