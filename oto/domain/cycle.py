"""One OTO pair from its intent to flat: a BUY, the SELL that it triggers, and the exits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import NewType

from oto.domain import money
from oto.domain.job import Reason
from oto.domain.leg import (
    UNRESOLVED,
    ImpossibleTransitionError,
    Leg,
    LegState,
)
from oto.domain.market import SymbolRules
from oto.domain.money import Amount, Price, Quantity

CycleId = NewType("CycleId", int)

_NO_BASE = Quantity(Decimal(0))
_AVERAGE_DECIMALS = 18


class CyclePhase(Enum):
    """Where a cycle stands (docs/state-machine.md)."""

    PLANNED = "planned"
    """The intent is stored: price, quantity, pending price, approved by every rule."""
    SENDING = "sending"
    """One POST is under way, or its answer was lost with the process that sent it."""
    UNKNOWN = "unknown"
    """The pair may or may not exist; only reading the exchange tells."""
    OPEN = "open"
    """The BUY is live."""
    CANCELLING = "cancelling"
    """A cancel of the BUY was sent; what it executed is not final."""
    BOUGHT = "bought"
    """The BUY is filled and its SELL is to follow or live."""
    CANCELLING_SELL = "cancelling_sell"
    """A cancel of the SELL was sent; what it executed is not final."""
    EXITING = "exiting"
    """What is held is sold with plain SELL orders, each lower than the one before."""
    PARKED = "parked"
    """The inventory is kept until it can be sold within the stated loss."""
    SETTLED = "settled"
    """Bought and sold; at most dust is left."""
    ABANDONED = "abandoned"
    """Nothing was bought."""
    REFUSED = "refused"
    """The exchange refused the pair, or it was held back before it was sent."""
    ABSENT = "absent"
    """Proven never to have reached the exchange."""
    WRITTEN_OFF = "written_off"
    """What was held is gone from the wallet, and a human said so: all of it counts as lost."""


FINISHED = frozenset(
    {
        CyclePhase.SETTLED,
        CyclePhase.ABANDONED,
        CyclePhase.REFUSED,
        CyclePhase.ABSENT,
        CyclePhase.WRITTEN_OFF,
    }
)


class CycleEvent(Enum):
    SEND = "send"
    DISCARD = "discard"
    ACCEPT = "accept"
    REFUSE = "refuse"
    LOSE = "lose"
    ADOPT = "adopt"
    PROVE_ABSENT = "prove absent"
    BUY_FILLED = "buy filled"
    CANCEL_BUY = "cancel buy"
    BUY_ENDED_EMPTY = "buy ended empty"
    BUY_ENDED_PARTLY = "buy ended partly filled"
    CANCEL_SELL = "cancel sell"
    SELL_FILLED = "sell filled"
    SELL_ENDED = "sell ended"
    FLAT = "flat"
    PARK = "park"
    UNPARK = "unpark"
    WRITE_OFF = "write off"


_P, _E = CyclePhase, CycleEvent

TRANSITIONS: Mapping[tuple[CyclePhase, CycleEvent], CyclePhase] = {
    (_P.PLANNED, _E.SEND): _P.SENDING,
    (_P.PLANNED, _E.DISCARD): _P.ABANDONED,
    (_P.SENDING, _E.ACCEPT): _P.OPEN,
    (_P.SENDING, _E.REFUSE): _P.REFUSED,
    (_P.SENDING, _E.LOSE): _P.UNKNOWN,
    (_P.UNKNOWN, _E.ADOPT): _P.OPEN,
    (_P.UNKNOWN, _E.PROVE_ABSENT): _P.ABSENT,
    (_P.OPEN, _E.BUY_FILLED): _P.BOUGHT,
    (_P.OPEN, _E.CANCEL_BUY): _P.CANCELLING,
    # The exchange can end an order by itself, as when a token is delisted.
    (_P.OPEN, _E.BUY_ENDED_EMPTY): _P.ABANDONED,
    (_P.OPEN, _E.BUY_ENDED_PARTLY): _P.EXITING,
    # A fill that was faster than the cancel.
    (_P.CANCELLING, _E.BUY_FILLED): _P.BOUGHT,
    (_P.CANCELLING, _E.BUY_ENDED_EMPTY): _P.ABANDONED,
    (_P.CANCELLING, _E.BUY_ENDED_PARTLY): _P.EXITING,
    (_P.BOUGHT, _E.SELL_FILLED): _P.SETTLED,
    (_P.BOUGHT, _E.CANCEL_SELL): _P.CANCELLING_SELL,
    (_P.BOUGHT, _E.SELL_ENDED): _P.EXITING,
    (_P.CANCELLING_SELL, _E.SELL_FILLED): _P.SETTLED,
    (_P.CANCELLING_SELL, _E.SELL_ENDED): _P.EXITING,
    (_P.EXITING, _E.FLAT): _P.SETTLED,
    (_P.EXITING, _E.PARK): _P.PARKED,
    (_P.PARKED, _E.UNPARK): _P.EXITING,
    (_P.PARKED, _E.FLAT): _P.SETTLED,
    (_P.EXITING, _E.WRITE_OFF): _P.WRITTEN_OFF,
    (_P.PARKED, _E.WRITE_OFF): _P.WRITTEN_OFF,
}


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle with all its legs: `legs` are working, pending, then the exits in their order.

    `rung` counts the exits that were tried since the inventory was last given up for parked;
    `lost_reason` is why the answer to the last lost POST did not come.
    """

    cycle_id: CycleId
    number: int
    phase: CyclePhase
    legs: tuple[Leg, ...]
    planned_at: datetime
    phase_since: datetime
    multiplier: int = 1
    rung: int = 0
    looked_at: datetime | None = None
    lost_reason: Reason | None = None

    @property
    def working(self) -> Leg:
        return self.legs[0]

    @property
    def pending(self) -> Leg:
        return self.legs[1]

    @property
    def exits(self) -> tuple[Leg, ...]:
        return self.legs[2:]

    @property
    def sells(self) -> tuple[Leg, ...]:
        return self.legs[1:]

    @property
    def finished(self) -> bool:
        return self.phase in FINISHED

    @property
    def bought(self) -> Amount:
        """Quote that the BUY spent so far: the volume of the cycle."""
        return self.working.filled_quote

    @property
    def exposure(self) -> Quantity:
        """Base that we hold of this cycle: bought, less the fee, less sold."""
        sold = sum((leg.filled_quantity for leg in self.sells), _NO_BASE)
        return Quantity(self.working.filled_quantity - self.working.fees - sold)

    @property
    def fills_complete(self) -> bool:
        return all(leg.fills_complete for leg in self.legs)

    @property
    def average_buy_price_floor(self) -> Price:
        return money.average_price_floor(
            self.working.filled_quote, self.working.filled_quantity, _AVERAGE_DECIMALS
        )

    def leg_of(self, order_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.order_id == order_id), None)

    def with_leg(self, leg: Leg) -> "Cycle":
        """Return the cycle with one leg replaced by its newer self."""
        legs = tuple(leg if one.leg_id == leg.leg_id else one for one in self.legs)
        return replace(self, legs=legs)

    def unresolved(self) -> Iterator[Leg]:
        return (leg for leg in self.legs if leg.state in UNRESOLVED)


def after(cycle: Cycle, event: CycleEvent, now: datetime) -> Cycle:
    """Return the cycle after an event.

    Raises:
        ImpossibleTransitionError: the event cannot happen in the cycle's phase.
    """
    following = TRANSITIONS.get((cycle.phase, event))
    if following is None:
        raise ImpossibleTransitionError(cycle.phase.value, event.value)
    rung = 0 if event is CycleEvent.UNPARK else cycle.rung
    return replace(cycle, phase=following, phase_since=now, rung=rung)


def can_be_written_off(cycle: Cycle) -> bool:
    """Tell whether a cycle holds tokens, and no order of it could still change how many."""
    still = cycle.fills_complete and all(leg.final for leg in cycle.legs)
    return still and cycle.exposure > 0 and (cycle.phase, CycleEvent.WRITE_OFF) in TRANSITIONS


def sellable_floor(cycle: Cycle, rules: SymbolRules, at: Price) -> Quantity:
    """Return how much of the exposure an order can sell at a price; the rest is dust."""
    quantity = rules.quantity_floor(max(cycle.exposure, _NO_BASE))
    return quantity if rules.violation(at, quantity) is None else _NO_BASE


def event_of(cycle: Cycle, rules: SymbolRules) -> CycleEvent | None:
    """Return what the legs say has happened to the cycle and its phase does not show yet.

    Nothing is concluded from a leg whose fills are not all there: exposure would be wrong.
    """
    match cycle.phase:
        case CyclePhase.SENDING | CyclePhase.UNKNOWN:
            return _after_sending(cycle)
        case CyclePhase.OPEN | CyclePhase.CANCELLING:
            return _of_the_buy(cycle)
        case CyclePhase.BOUGHT | CyclePhase.CANCELLING_SELL:
            return _of_the_sell(cycle, rules)
        case CyclePhase.EXITING | CyclePhase.PARKED:
            return CycleEvent.FLAT if _is_flat(cycle, rules) else None
        case _:
            return None


def concluded(cycle: Cycle, rules: SymbolRules, now: datetime) -> Cycle:
    """Return the cycle with every event applied that its legs tell of."""
    while (event := event_of(cycle, rules)) is not None:
        cycle = after(cycle, event, now)
    return cycle


_SENT_EVENTS: Mapping[tuple[CyclePhase, LegState], CycleEvent] = {
    (CyclePhase.SENDING, LegState.UNKNOWN): CycleEvent.LOSE,
    (CyclePhase.SENDING, LegState.REFUSED): CycleEvent.REFUSE,
    (CyclePhase.UNKNOWN, LegState.ABSENT): CycleEvent.PROVE_ABSENT,
}


def _after_sending(cycle: Cycle) -> CycleEvent | None:
    state = cycle.working.state
    if found := _SENT_EVENTS.get((cycle.phase, state)):
        return found
    if cycle.working.open or state in {LegState.FILLED, LegState.ENDED}:
        return CycleEvent.ACCEPT if cycle.phase is CyclePhase.SENDING else CycleEvent.ADOPT
    return None


def _of_the_buy(cycle: Cycle) -> CycleEvent | None:
    working = cycle.working
    match working.state:
        case LegState.FILLED:
            return CycleEvent.BUY_FILLED
        case LegState.CANCELLING if cycle.phase is CyclePhase.OPEN:
            return CycleEvent.CANCEL_BUY
        case LegState.ENDED if working.executed:
            return CycleEvent.BUY_ENDED_PARTLY
        case LegState.ENDED if not cycle.pending.open:
            return CycleEvent.BUY_ENDED_EMPTY
        case _:
            return None


def _of_the_sell(cycle: Cycle, rules: SymbolRules) -> CycleEvent | None:
    pending = cycle.pending
    if pending.state is LegState.CANCELLING:
        return CycleEvent.CANCEL_SELL if cycle.phase is CyclePhase.BOUGHT else None
    if not pending.final:
        return None
    if pending.state is LegState.FILLED and cycle.fills_complete:
        return CycleEvent.SELL_FILLED if _is_flat(cycle, rules) else CycleEvent.SELL_ENDED
    return CycleEvent.SELL_ENDED if pending.state is LegState.ENDED else None


def _is_flat(cycle: Cycle, rules: SymbolRules) -> bool:
    """Tell whether nothing of ours is open and what is left cannot be sold."""
    if not (cycle.fills_complete and all(leg.final for leg in cycle.legs)):
        return False
    return not sellable_floor(cycle, rules, rules.price_floor(cycle.average_buy_price_floor))
