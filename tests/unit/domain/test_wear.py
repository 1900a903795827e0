"""What cycles cost, to the last digit of the published and the captured ones."""

from dataclasses import replace
from decimal import Decimal

import pytest

from oto.domain import money, wear
from oto.domain.cycle import Cycle, CyclePhase
from oto.domain.leg import LegFill, LegKind, LegState
from oto.domain.money import Amount, Quantity
from oto.domain.orders import OrderStatus
from oto.domain.wear import Wear
from tests.builders import (
    BUY_ID,
    SELL_ID,
    bought_cycle,
    fill,
    leg,
    open_cycle,
    planned_cycle,
    rules,
    seen,
    traded,
)

pytestmark = pytest.mark.unit


def round_of(bought: LegFill, *sold: LegFill) -> Cycle:
    working = leg(state=LegState.FILLED, fills=[bought])
    pending = leg(LegKind.PENDING, LegState.FILLED, leg_id=2, fills=sold)
    return replace(planned_cycle(), phase=CyclePhase.SETTLED, legs=(working, pending))


def test_the_published_round_is_met_to_the_last_digit() -> None:
    grid = rules(tick="0.000000001", step="0.10", base_precision=2)
    rate = money.fee_rate_from_millionths(100)
    buy_fee = grid.buy_fee_half_up(money.quantity("52938"), rate)
    sold = grid.pending_quantity_floor(money.quantity("52938"), buy_fee)
    bought = fill("52938", "0.000005665", fee=money.plain(buy_fee))
    quote = fill(money.plain(sold), "0.000005665").quote
    sell_fee = grid.sell_fee_half_up(quote, rate)

    cost = wear.of_cycle(
        round_of(bought, fill(money.plain(sold), "0.000005665", fee=money.plain(sell_fee)))
    )

    assert (buy_fee, sold, sell_fee) == (Decimal("5.29"), Decimal("52932.7"), Decimal("0.00002999"))
    assert (bought.quote, quote) == (Decimal("0.29989377"), Decimal("0.29986374"))
    assert cost.cost == Decimal("0.00006002")
    assert cost.bps_half_up() == Decimal("2.00")
    assert cost.base_left == Decimal("0.01")


def test_the_captured_sequence_of_reports_is_met_to_the_last_digit() -> None:
    cycle = open_cycle()
    working = replace(cycle.working, price=money.price("0.23"), quantity=money.quantity("869.56"))
    cycle = cycle.with_leg(working)

    cycle = seen(cycle, BUY_ID, OrderStatus.NEW, quantity="869.56")
    cycle = seen(cycle, SELL_ID, OrderStatus.PENDING, quantity="0")
    cycle = traded(
        cycle, BUY_ID, "869.56", "0.22690469", quantity="869.56", fee="0.08695600", event_id=1
    )
    assert (cycle.phase, cycle.bought) == (CyclePhase.BOUGHT, Decimal("197.30724223"))
    assert cycle.exposure == Decimal("869.473044")

    cycle = seen(cycle, SELL_ID, OrderStatus.NEW, quantity="869.47")
    cycle = traded(
        cycle,
        SELL_ID,
        "200",
        "0.22690468",
        quantity="869.47",
        status=OrderStatus.PARTIALLY_FILLED,
        fee="0.00453809",
        event_id=2,
    )
    cycle = traded(
        cycle, SELL_ID, "669.47", "0.22690468", quantity="869.47", fee="0.01519059", event_id=3
    )

    cost = wear.of_cycle(cycle)
    assert cycle.phase is CyclePhase.SETTLED
    assert cycle.pending.filled_quote == Decimal("197.28681211")
    assert cost.received == Decimal("197.26708343")
    assert cost.cost == Decimal("0.04015880")
    assert cost.bps_half_up() == Decimal("2.04")
    assert cost.base_left == Decimal("0.003044")


def test_what_is_held_is_worth_nothing_until_it_is_sold() -> None:
    cost = wear.of_cycle(bought_cycle())

    assert cost.cost == Decimal("20.00097")
    assert cost.base_left == Decimal("88.101189")


def test_nothing_spent_has_no_rate() -> None:
    assert wear.of_cycle(open_cycle()) == Wear()
    assert Wear().bps_half_up() is None


def test_a_total_is_the_sum_of_its_parts() -> None:
    first = Wear(Amount(Decimal(20)), Amount(Decimal("19.99")), Quantity(Decimal("0.01")))
    second = Wear(Amount(Decimal(30)), Amount(Decimal("29.98")), Quantity(Decimal("0.02")))

    assert wear.total([first, second]) == Wear(
        Amount(Decimal(50)), Amount(Decimal("49.97")), Quantity(Decimal("0.03"))
    )
    assert wear.total([]) == Wear()
