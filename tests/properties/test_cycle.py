"""Invariants of a cycle, from its placed pair to its end, whatever is told of its orders.

A phase changes along the table only. Exposure is what was bought, less the fee, less what was sold;
below zero it is only while fills are missing. A finished cycle stays finished, has every fill of
the exchange, leaves no order open there, and no more than dust. Nothing is concluded twice. Reports
that are lost are made up for by reading, and then the legs are as they are on the exchange.
"""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oto.application.looking import seen_row
from oto.domain import placing
from oto.domain.cycle import TRANSITIONS, Cycle, CyclePhase, concluded, event_of, sellable_floor
from oto.domain.errors import RefusedError
from oto.domain.leg import Leg, LegId, LegKind, with_fill
from oto.domain.money import Price, Quantity
from oto.domain.orders import LimitOrder, OrderId, OtoOrder, Side
from oto.domain.reports import applied
from oto.domain.risk.verdict import Approved
from oto.simulator.settings import PartialFillPolicy
from tests.builders import AT, planned_cycle, rules
from tests.properties.pure_exchange import PureExchange
from tests.properties.pure_orders import Order

pytestmark = pytest.mark.unit

FOLLOWING = {
    phase: {after for (before, _), after in TRANSITIONS.items() if before is phase}
    for phase in CyclePhase
}
EXIT_PRICE = Price(Decimal("0.22600"))


def reachable(phase: CyclePhase) -> set[CyclePhase]:
    """Return a phase and all that may follow it, in any number of steps."""
    found, new = {phase}, {phase}
    while new:
        new = {after for before in new for after in FOLLOWING[before]} - found
        found |= new
    return found


REACHABLE = {phase: reachable(phase) for phase in CyclePhase}


class OneCycle(RuleBasedStateMachine):
    """A pair that was sent, and its orders there; `news` are reports that nobody has heard yet."""

    @initialize(policy=st.sampled_from(PartialFillPolicy))
    def begin(self, policy: PartialFillPolicy) -> None:
        self.exchange = PureExchange(lambda: AT, policy)
        cycle = planned_cycle()
        self.cycle = placing.sending(cycle, cycle.working, AT)
        working, pending = self.cycle.working, self.cycle.pending
        order = OtoOrder(rules(), working.price, working.quantity, pending.price)
        placed = self.exchange.place_oto(Approved(order), lambda: True)
        ids = (placed.working_order_id, placed.pending_order_id)
        self.phase = self.cycle.phase
        self.keep(placing.accepted(self.cycle, working, ids))

    def keep(self, cycle: Cycle) -> None:
        self.cycle = concluded(cycle, rules(), AT)

    def live(self) -> list[Order]:
        return [order for order in self.exchange.orders if order.live and order.remaining]

    @precondition(lambda self: self.live())
    @rule(which=st.integers(0, 2), eighths=st.integers(1, 8), pieces=st.integers(1, 2))
    def execute(self, which: int, eighths: int, pieces: int) -> None:
        order = self.live()[which % len(self.live())]
        part = rules().quantity_floor(Quantity(order.quantity * eighths / 8))
        self.exchange.fill(order, part, order.price, pieces=pieces)

    @precondition(lambda self: any(leg.open for leg in self.cycle.legs))
    @rule(which=st.integers(0, 2))
    def cancel(self, which: int) -> None:
        """Cancel what we believe to be open."""
        legs = [leg for leg in self.cycle.legs if leg.open and leg.order_id is not None]
        leg = legs[which % len(legs)]
        self.keep(placing.cancelling(self.cycle, leg, AT))
        assert leg.order_id is not None
        try:
            self.exchange.cancel(rules().symbol, leg.order_id)
        except RefusedError:
            assert not next(o for o in self.exchange.orders if o.order_id == leg.order_id).open

    @precondition(lambda self: self.may_exit())
    @rule()
    def sell_the_rest(self) -> None:
        quantity = sellable_floor(self.cycle, rules(), EXIT_PRICE)
        leg = Leg(LegId(len(self.cycle.legs) + 1), LegKind.EXIT, EXIT_PRICE, quantity)
        longer = placing.sending(_with(self.cycle, leg), leg, AT)
        order = LimitOrder(rules(), Side.SELL, EXIT_PRICE, quantity)
        order_id = self.exchange.place_exit(Approved(order), lambda: True)
        self.keep(placing.accepted(longer, longer.legs[-1], [order_id]))

    def may_exit(self) -> bool:
        """Tell whether an exit may be placed: nothing is open, and every fill is told."""
        cycle = self.cycle
        settled = cycle.fills_complete and all(leg.final for leg in cycle.legs)
        sellable = sellable_floor(cycle, rules(), EXIT_PRICE)
        return cycle.phase is CyclePhase.EXITING and settled and bool(sellable)

    @precondition(lambda self: self.exchange.reports)
    @rule(which=st.integers(0, 9), again=st.booleans())
    def hear_a_report(self, which: int, again: bool) -> None:  # noqa: FBT001 - drawn by name
        reports = self.exchange.reports
        place = which % len(reports)
        report = reports[place] if again else reports.pop(place)
        self.keep(applied(self.cycle, report))

    @precondition(lambda self: self.exchange.reports)
    @rule()
    def lose_every_report(self) -> None:
        self.exchange.reports.clear()

    @rule(fills_too=st.booleans())
    def read(self, fills_too: bool) -> None:  # noqa: FBT001 - drawn by name
        shown = self.exchange.shown()
        cycle = self.cycle
        for row in (*shown.open, *shown.closed):
            if (leg := cycle.leg_of(row.order_id)) is not None:
                cycle = placing.seen(cycle, leg, seen_row(row))
        for leg in cycle.legs if fills_too else ():
            for fill in self.exchange.fills(rules().symbol, leg.order_id or _NONE):
                cycle = cycle.with_leg(with_fill(_leg(cycle, leg.leg_id), fill))
        self.keep(cycle)

    @invariant()
    def a_phase_changes_along_the_table(self) -> None:
        assert self.cycle.phase in REACHABLE[self.phase]
        self.phase = self.cycle.phase

    @invariant()
    def nothing_is_concluded_twice(self) -> None:
        assert event_of(self.cycle, rules()) is None
        assert concluded(self.cycle, rules(), AT) == self.cycle

    @invariant()
    def exposure_is_bought_less_fee_less_sold(self) -> None:
        buy, *sells = self.cycle.legs
        bought = sum(fill.quantity - fill.fee for fill in buy.fills)
        assert self.cycle.exposure == bought - sum(leg.filled_quantity for leg in sells)
        assert self.cycle.exposure >= 0 or not self.cycle.fills_complete

    @invariant()
    def a_finished_cycle_has_all_and_leaves_no_more_than_dust(self) -> None:
        if self.cycle.finished:
            self.check_legs()
            assert not [order for order in self.exchange.orders if order.open]
            if self.cycle.bought:
                average = rules().price_floor(self.cycle.average_buy_price_floor)
                assert not sellable_floor(self.cycle, rules(), average)

    def check_legs(self) -> None:
        for leg in self.cycle.legs:
            order = next(one for one in self.exchange.orders if one.order_id == leg.order_id)
            assert leg.executed == leg.filled_quantity == order.executed
            assert len(leg.fills) == len(order.fills)

    def teardown(self) -> None:
        for order in [one for one in self.exchange.orders if one.open]:
            if order.open:
                self.exchange.cancel(rules().symbol, order.order_id)
        self.read(fills_too=True)
        self.check_legs()
        if self.may_exit():
            self.sell_the_rest()
            order = self.exchange.orders[-1]
            self.exchange.fill(order, order.remaining, order.price)
            self.read(fills_too=True)
        if self.cycle.phase is CyclePhase.EXITING:
            assert not self.may_exit()
        else:
            assert self.cycle.finished


_NONE = OrderId("none")


def _with(cycle: Cycle, leg: Leg) -> Cycle:
    return replace(cycle, legs=(*cycle.legs, leg))


def _leg(cycle: Cycle, leg_id: LegId) -> Leg:
    return next(leg for leg in cycle.legs if leg.leg_id == leg_id)


TestOneCycle = OneCycle.TestCase
TestOneCycle.settings = settings(max_examples=100, stateful_step_count=30)
