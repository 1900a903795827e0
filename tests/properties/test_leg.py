"""Invariants of a leg, whatever is told of its order, in whatever order, and however often.

What was executed never shrinks and never exceeds what the exchange executed. A final state stays. A
fill is counted once, however often a report and however often REST tells it, and equal sub-fills of
one trade are as many as they were. What is told once is told for good: telling it again changes
nothing. Once everything is told, in any order, state, executed quantity and fills are those of the
exchange.
"""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oto.application.looking import seen_row
from oto.domain import money
from oto.domain.leg import FINAL, Leg, LegFill, LegKind, LegState, SeenOrder, seen, with_fill
from oto.domain.money import Quantity
from oto.domain.orders import ExecutionType, OrderId, OrderStatus, Side
from tests import builders
from tests.builders import AT, BUY_ID
from tests.properties.pure_orders import Order

pytestmark = pytest.mark.unit

WHOLE = Quantity(Decimal("88.11"))
PRICE = money.price("0.22700")


def one_fill(number: int, trade: int, quantity: Decimal) -> LegFill:
    of = Quantity(quantity)
    quote = money.amount_floor(PRICE, of, 8)
    fee = Quantity(of / 10_000)
    return LegFill(f"t{trade}", PRICE, of, quote, fee, "", AT, number, f"p{number}")


def figures(leg: Leg) -> Counter[tuple[object, ...]]:
    return Counter((fill.trade_id, fill.price, fill.quantity, fill.fee) for fill in leg.fills)


def state_of(status: OrderStatus) -> LegState:
    return LegState.FILLED if status is OrderStatus.FILLED else LegState.ENDED


class OneLeg(RuleBasedStateMachine):
    """A live BUY here, and its order there."""

    @initialize(cancelling=st.booleans())
    def begin(self, cancelling: bool) -> None:  # noqa: FBT001 - drawn by name
        state = LegState.CANCELLING if cancelling else LegState.LIVE
        self.leg = replace(builders.leg(state=state), order_id=BUY_ID)
        self.order = Order(OrderId(BUY_ID), Side.BUY, PRICE, WHOLE, AT)
        self.news: list[tuple[SeenOrder, LegFill | None]] = []
        self.rows: list[SeenOrder] = [seen_row(self.order.row())]
        self.highest = self.leg.executed
        self.final: LegState | None = None

    @precondition(lambda self: self.order.open and self.order.remaining)
    @rule(hundredths=st.integers(min_value=1, max_value=8811), pieces=st.integers(1, 3))
    def execute(self, hundredths: int, pieces: int) -> None:
        trade = len(self.order.fills)
        for _ in range(pieces):
            part = min(Decimal(hundredths) / 100, self.order.remaining)
            if part:
                fill = one_fill(len(self.order.fills) + 1, trade, part)
                self.order.fills.append(fill)
                whole = not self.order.remaining
                self.order.status = OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED
                self._report(fill)

    @precondition(lambda self: self.order.open)
    @rule(status=st.sampled_from([OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED]))
    def end(self, status: OrderStatus) -> None:
        self.order.status = status
        self._report(None)

    def _report(self, fill: LegFill | None) -> None:
        kind = ExecutionType.NEW if fill is None else ExecutionType.TRADE
        report = self.order.report(kind, None, len(self.news) + 1, AT)
        row = seen_row(self.order.row())
        self.news.append((replace(row, status=report.status), fill))
        self.rows.append(row)

    @precondition(lambda self: self.news)
    @rule(which=st.integers(min_value=0, max_value=30))
    def hear_any_report(self, which: int) -> None:
        """Hear a report, perhaps not for the first time; those never heard are lost."""
        order, fill = self.news[which % len(self.news)]
        self._tell(order, None if fill is None else replace(fill, page_id=None))

    @rule(ago=st.integers(min_value=0, max_value=5))
    def read_a_row_that_may_be_old(self, ago: int) -> None:
        self._tell(self.rows[max(len(self.rows) - 1 - ago, 0)], None)

    @rule(ago=st.integers(min_value=0, max_value=5))
    def read_fills_that_may_lack_the_last(self, ago: int) -> None:
        for fill in self.order.fills[: max(len(self.order.fills) - ago, 0)]:
            self.leg = with_fill(self.leg, replace(fill, event_id=None))

    def _tell(self, order: SeenOrder, fill: LegFill | None) -> None:
        self.leg = self._told(self.leg, order, fill)
        assert self._told(self.leg, order, fill) == self.leg

    @staticmethod
    def _told(leg: Leg, order: SeenOrder, fill: LegFill | None) -> Leg:
        after = seen(leg, order)
        return after if fill is None else with_fill(after, fill)

    @invariant()
    def executed_only_grows_up_to_the_truth(self) -> None:
        assert self.highest <= self.leg.executed <= self.order.executed
        self.highest = self.leg.executed

    @invariant()
    def a_final_state_stays(self) -> None:
        assert self.final is None or self.leg.state is self.final
        self.final = self.leg.state if self.leg.state in FINAL else None

    @invariant()
    def no_fill_is_counted_twice(self) -> None:
        assert figures(self.leg) <= Counter(
            (fill.trade_id, fill.price, fill.quantity, fill.fee) for fill in self.order.fills
        )
        events = [one.event_id for one in self.leg.fills if one.event_id is not None]
        pages = [one.page_id for one in self.leg.fills if one.page_id is not None]
        assert (len(events), len(pages)) == (len(set(events)), len(set(pages)))

    def teardown(self) -> None:
        if self.order.open:
            self.end(OrderStatus.CANCELED)
        self.read_fills_that_may_lack_the_last(0)
        for place in reversed(range(len(self.news))):
            self.hear_any_report(place)
        self.read_a_row_that_may_be_old(0)
        assert self.leg.state is state_of(self.order.status)
        assert self.leg.executed == self.leg.filled_quantity == self.order.executed
        assert len(self.leg.fills) == len(self.order.fills)
        assert self.leg.kind is LegKind.WORKING


TestOneLeg = OneLeg.TestCase
TestOneLeg.settings = settings(max_examples=100, stateful_step_count=30)
