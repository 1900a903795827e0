"""Invariants of the reconciler: what a lost order is taken for, whatever reading shows.

It is taken for an order only if that is of its symbol, side, price and quantity, an OTO's if it was
one, and nobody's known order; an order that differs by one step never is. Of two that fit none is
chosen. It is called absent only after the settling window and three reads in a row without it, and
never while a read shows it. The order and the number of the rows play no part. If it is there and
shown, alone, it is found, with its own partner. What was concluded of a lost order can happen to
its leg.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from oto.domain import matching, placing
from oto.domain.cycle import Cycle
from oto.domain.leg import Leg, LegEvent, LegKind, LegState
from oto.domain.market import Symbol
from oto.domain.matching import Absent, Adopted, Ambiguous, Outcome, StillUnknown
from oto.domain.money import Price, Quantity
from oto.domain.orders import LegRole, OrderId, OrderRow, OrderStatus
from tests.builders import AT, SYMBOL, exiting_cycle, row, sent_cycle, with_exit

pytestmark = pytest.mark.unit

STEP, TICK = Decimal("0.01"), Decimal("0.00001")
OTHER_SYMBOL = Symbol("ALPHA_118USDT")


class OneLostOrder(RuleBasedStateMachine):
    """A POST without an answer, and an exchange that may have the order, and others like it."""

    @initialize(exit_lost=st.booleans(), placed=st.booleans(), late_s=st.integers(0, 18))
    def begin(self, exit_lost: bool, placed: bool, late_s: int) -> None:  # noqa: FBT001
        self.cycle = _lost_exit() if exit_lost else _lost_pair()
        self.leg_id = next(self.cycle.unresolved()).leg_id
        self.time = AT
        self.clean = 0
        self.outcome: Outcome | None = None
        self.theirs: list[OrderRow] = []
        self.ours = self._rows_of("500", self.leg.price, self.leg.quantity) if placed else []
        self.shown_from = AT + timedelta(seconds=late_s)
        self.owned: set[OrderId] = set()
        self.numbers = 600

    @property
    def leg(self) -> Leg:
        return next(leg for leg in self.cycle.legs if leg.leg_id == self.leg_id)

    @property
    def open(self) -> bool:
        return self.outcome is None

    def _rows_of(self, order_id: str, price: Price, quantity: Quantity) -> list[OrderRow]:
        """Return the rows of a pair or an exit at a price."""
        at, of = f"{price:f}", f"{quantity:f}"
        if self.leg.kind is LegKind.EXIT:
            return [row(order_id, role=None, price=at, quantity=of)]
        list_id, partner = f"list {order_id}", str(int(order_id) + 50_000)
        return [
            row(order_id, list_id=list_id, price=at, quantity=of),
            row(partner, role=LegRole.PENDING, list_id=list_id, price=at, quantity="0"),
        ]

    def shown(self) -> list[OrderRow]:
        ours = self.ours if self.time >= self.shown_from else []
        return [*ours, *self.theirs]

    @rule(ticks=st.integers(-1, 1), steps=st.integers(-1, 1), other=st.booleans())
    def see_an_order_like_it(self, ticks: int, steps: int, other: bool) -> None:  # noqa: FBT001
        """See an order of somebody else, which may be exactly like ours."""
        self.numbers += 1
        price, quantity = Price(self.leg.price + ticks * TICK), self.leg.quantity + steps * STEP
        rows = self._rows_of(str(self.numbers), price, Quantity(quantity))
        if other:
            rows = [replace(one, symbol=OTHER_SYMBOL) for one in rows]
        self.theirs += rows

    @precondition(lambda self: self.theirs)
    @rule(which=st.integers(0, 9))
    def know_one_of_them(self, which: int) -> None:
        """It belongs to another cycle of ours."""
        self.owned.add(self.theirs[which % len(self.theirs)].order_id)

    @precondition(lambda self: self.shown())
    @rule(which=st.integers(0, 9), status=st.sampled_from(OrderStatus))
    def let_one_change(self, which: int, status: OrderStatus) -> None:
        """What became of an order says nothing of whose it is."""
        rows = self.ours if which % 2 and self.ours else self.theirs
        if rows:
            rows[which % len(rows)] = replace(rows[which % len(rows)], status=status)

    @rule(seconds=st.sampled_from([1, 2, 5, 12]))
    def pass_time(self, seconds: int) -> None:
        self.time += timedelta(seconds=seconds)

    @precondition(lambda self: self.open)
    @rule(shuffled=st.randoms(use_true_random=False), again=st.integers(0, 2))
    def read(self, shuffled: Random, again: int) -> None:
        rows = self.shown()
        outcome = self._match(rows)
        mixed = rows + rows[:again]
        shuffled.shuffle(mixed)
        self._check_equal(outcome, self._match(mixed))
        self._check(outcome, self._fitting(rows))
        self._keep(outcome)

    def _match(self, rows: list[OrderRow]) -> Outcome:
        return matching.match(self.leg, SYMBOL, rows, self.owned, self.time)

    @staticmethod
    def _check_equal(one: Outcome, other: Outcome) -> None:
        if isinstance(one, Ambiguous) and isinstance(other, Ambiguous):
            assert set(one.order_ids) == set(other.order_ids)
        else:
            assert one == other

    def _fitting(self, rows: list[OrderRow]) -> list[OrderRow]:
        """Return what may be the order, in other words than the product's."""
        leg = self.leg
        pair = leg.kind is LegKind.WORKING
        return [
            one
            for one in rows
            if (one.symbol, one.side, one.price, one.quantity)
            == (SYMBOL, leg.side, leg.price, leg.quantity)
            and (one.oto is not None) == pair
            and one.order_id not in self.owned
        ]

    def _check(self, outcome: Outcome, fitting: list[OrderRow]) -> None:
        match outcome:
            case Adopted(found, partner):
                assert [found] == fitting
                assert (partner is not None) == (self.leg.kind is LegKind.WORKING)
                if partner is not None:
                    assert int(partner.order_id) == int(found.order_id) + 50_000
            case Ambiguous(order_ids):
                assert set(order_ids) == {one.order_id for one in fitting}
                assert len(fitting) > 1
            case Absent():
                assert not fitting
                assert self.clean + 1 >= matching.CLEAN_READS
                assert self.time - AT >= matching.SETTLING
            case StillUnknown():
                assert not fitting
                early = self.time - AT < matching.SETTLING
                assert early or self.clean + 1 < matching.CLEAN_READS

    def _keep(self, outcome: Outcome) -> None:
        """Do with the cycle what is concluded."""
        match outcome:
            case Adopted(found, partner):
                ids = [found.order_id, *([] if partner is None else [partner.order_id])]
                self.cycle = placing.accepted(self.cycle, self.leg, ids)
                self.outcome = outcome
            case Absent():
                self.cycle = placing.all_legs(self.cycle, self.leg, LegEvent.PROVE_ABSENT)
                self.outcome = outcome
            case Ambiguous():
                self.outcome = outcome
            case StillUnknown(counted):
                self.clean += 1
                self.cycle = self.cycle.with_leg(counted)

    def teardown(self) -> None:
        """With nothing like it about, reading on finds the order, or proves that it is absent."""
        if not self.open:
            return
        self.theirs = []
        for _ in range(int(matching.SETTLING.total_seconds()) + matching.CLEAN_READS):
            self.pass_time(1)
            outcome = self._match(self.shown())
            self._check(outcome, self._fitting(self.shown()))
            self._keep(outcome)
            if not self.open:
                break
        assert isinstance(self.outcome, Adopted if self.ours else Absent)


def _lost_pair() -> Cycle:
    cycle = sent_cycle()
    return placing.all_legs(cycle, cycle.working, LegEvent.LOSE)


def _lost_exit() -> Cycle:
    cycle = with_exit(exiting_cycle(), LegState.PLANNED)
    sending = placing.sending(cycle, cycle.exits[0], AT)
    return placing.all_legs(sending, sending.exits[0], LegEvent.LOSE)


TestOneLostOrder = OneLostOrder.TestCase
TestOneLostOrder.settings = settings(max_examples=150, stateful_step_count=25)
