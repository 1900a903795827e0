"""A cycle's orders on their way to the exchange: each step of the placement protocol, pure.

One POST carries one batch: the two legs of an OTO, or one exit.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from oto.domain.cycle import Cycle, CycleEvent, CyclePhase
from oto.domain.cycle import after as cycle_after
from oto.domain.leg import Leg, LegEvent, LegKind, LegState, SeenOrder
from oto.domain.leg import after as leg_after
from oto.domain.leg import seen as leg_seen
from oto.domain.orders import OrderId


def batch(cycle: Cycle, leg: Leg) -> tuple[Leg, ...]:
    """Return the legs that one POST carries together with this one."""
    return (leg,) if leg.kind is LegKind.EXIT else (cycle.working, cycle.pending)


def sending(cycle: Cycle, leg: Leg, now: datetime) -> Cycle:
    """Mark a planned batch as under way."""
    for one in batch(cycle, leg):
        cycle = cycle.with_leg(leg_after(replace(one, sent_at=now), LegEvent.SEND))
    if cycle.phase is CyclePhase.PLANNED:
        return cycle_after(cycle, CycleEvent.SEND, now)
    return cycle


def accepted(cycle: Cycle, leg: Leg, order_ids: Iterable[OrderId]) -> Cycle:
    """Give a batch the ids that the exchange gave it."""
    for one, order_id in zip(batch(cycle, leg), order_ids, strict=True):
        event = LegEvent.HOLD if one.kind is LegKind.PENDING else LegEvent.ACCEPT
        cycle = cycle.with_leg(leg_after(replace(one, order_id=order_id), event))
    return cycle


def all_legs(cycle: Cycle, leg: Leg, event: LegEvent) -> Cycle:
    """Let one thing happen to a whole batch: refused, lost, proven absent, discarded."""
    for one in batch(cycle, leg):
        cycle = cycle.with_leg(leg_after(one, event))
    return cycle


def cancelling(cycle: Cycle, leg: Leg, now: datetime) -> Cycle:
    """Mark that a cancel of this leg is on its way, for the first time or again."""
    marked = replace(leg, cancel_sent_at=now)
    if leg.state is not LegState.CANCELLING:
        marked = leg_after(marked, LegEvent.CANCEL)
    return cycle.with_leg(marked)


def seen(cycle: Cycle, leg: Leg, order: SeenOrder) -> Cycle:
    """Take what was seen of one leg."""
    return cycle.with_leg(leg_seen(leg, order))


def recovered(cycle: Cycle, now: datetime) -> Cycle:
    """Return a cycle as a new turn finds it: what an earlier one left half done is settled.

    What was planned and not marked as sending was never sent; what was sending may have been.
    """
    for leg in cycle.legs:
        if leg.state is LegState.PLANNED:
            cycle = cycle.with_leg(leg_after(leg, LegEvent.DISCARD))
        elif leg.state is LegState.SENDING:
            # Why an earlier answer was lost says nothing of this one.
            cycle = replace(cycle.with_leg(leg_after(leg, LegEvent.LOSE)), lost_reason=None)
    if cycle.phase is CyclePhase.PLANNED:
        return cycle_after(cycle, CycleEvent.DISCARD, now)
    return cycle
