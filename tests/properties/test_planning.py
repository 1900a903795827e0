"""Invariants of planned orders and of wear, on the grids that the exchange lists.

A pair stands on the grid, is worth the least notional, is like none of the last day, and buys at
least what it should at the expected price. Its worst case is bounded: at most 2 % and one step more
than that, at most nine ticks above the strategy's limit. A target is reached in as many pairs as
were promised. An exit sells all but dust, never below the stated loss. Wear is what was spent less
what came back, whatever the order of the cycles.
"""

from decimal import Decimal
from fractions import Fraction
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oto.domain import money, planning, wear
from oto.domain.job import cycles_needed, next_spend
from oto.domain.market import SymbolRules
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import OtoOrder
from oto.domain.planning import Fingerprint
from oto.domain.pricing import prices
from oto.domain.pricing.profiles import CROSS
from oto.domain.pricing.quote import LegPrices, Quote
from oto.domain.wear import Wear
from tests.builders import exiting_cycle, rules

pytestmark = pytest.mark.unit

# Tick and step as listed; a step is worth a few cents at most at the prices drawn below.
GRIDS = [("0.000000001", "0.10"), ("0.00001", "0.01"), ("0.01", "0.0001")]
TICKS = st.integers(min_value=2_000, max_value=50_000)
"""A price in ticks: one of them is 5 bps at most, so that two prices can differ by little."""
SPENDS = st.decimals(min_value=Decimal("0.00000001"), max_value=5_000, places=8)


@st.composite
def markets(draw: st.DrawFn) -> tuple[SymbolRules, Quote]:
    tick, step = draw(st.sampled_from(GRIDS))
    grid = rules(tick=tick, step=step)
    bid = Price(draw(TICKS) * grid.tick_size)
    ask = Price(bid + draw(st.integers(min_value=1, max_value=5)) * grid.tick_size)
    return grid, Quote(bid, ask)


def planned(
    market: tuple[SymbolRules, Quote], spend: Decimal, taken: frozenset[Fingerprint] = frozenset()
) -> tuple[OtoOrder, LegPrices]:
    grid, quote = market
    at = prices(CROSS, quote, grid)
    return planning.oto_order(at, Amount(spend), grid, taken), at


def fingerprint(order: OtoOrder) -> Fingerprint:
    return order.working_price, order.working_quantity


@given(market=markets())
def test_both_limits_stand_on_the_grid_through_the_opposite_best_price(
    market: tuple[SymbolRules, Quote],
) -> None:
    grid, quote = market

    at = prices(CROSS, quote, grid)

    assert grid.price_violation(at.working) is None
    assert grid.price_violation(at.pending) is None
    assert at.working >= quote.ask + CROSS.cross_ticks * grid.tick_size
    assert at.pending <= quote.bid - CROSS.cross_ticks * grid.tick_size
    assert at.working < quote.ask * (1 + CROSS.cross_bps / 10_000) + 3 * grid.tick_size


@given(market=markets(), spend=SPENDS, orders=st.integers(min_value=1, max_value=8))
def test_a_pair_is_allowed_unlike_others_and_bounded(
    market: tuple[SymbolRules, Quote], spend: Decimal, orders: int
) -> None:
    grid, _ = market
    taken: frozenset[Fingerprint] = frozenset()
    for _ in range(orders):
        order, at = planned(market, spend, taken)
        assert fingerprint(order) not in taken
        taken |= {fingerprint(order)}

        assert grid.violation(order.working_price, order.working_quantity) is None
        assert order.payment >= grid.min_notional
        assert order.working_quantity * at.expected_buy >= spend
        assert at.working <= order.working_price <= at.working + 9 * grid.tick_size
        assert worst_case(order) <= bound(spend, at, order.working_price, grid)


def worst_case(order: OtoOrder) -> Fraction:
    return Fraction(order.working_price) * Fraction(order.working_quantity)


def bound(spend: Decimal, at: LegPrices, price: Price, grid: SymbolRules) -> Fraction:
    """Return what a pair may cost at most: 2 % and a step above what it should buy."""
    step = Fraction(grid.lot_step)
    should = Fraction(spend) / Fraction(at.expected_buy) + step
    least = Fraction(grid.min_notional) / Fraction(at.working) + 2 * step
    return Fraction(price) * max(should, least) * Fraction(102, 100)


@settings(max_examples=50)
@given(
    market=markets(),
    target=st.decimals(min_value=1, max_value=1_000, places=2),
    size=st.decimals(min_value=20, max_value=500, places=2),
)
def test_a_target_is_reached_in_as_many_pairs_as_were_promised(
    market: tuple[SymbolRules, Quote], target: Decimal, size: Decimal
) -> None:
    remaining = Amount(target)
    promised = cycles_needed(remaining, Amount(size))
    for pairs in count(1):
        spend = next_spend(remaining, Amount(size))
        assert spend <= size * Decimal("1.02") + money.unit(8)
        order, at = planned(market, spend)
        bought = money.amount_floor(at.expected_buy, order.working_quantity, 8)
        remaining = Amount(remaining - bought)
        if remaining <= 0:
            assert pairs <= promised
            break


@given(
    bid=st.integers(min_value=20_000, max_value=24_000),
    slip_bps=st.integers(min_value=1, max_value=9_999),
    rung=st.integers(min_value=0, max_value=len(CROSS.exit_rungs_bps) - 1),
    taken_ticks=st.sets(st.integers(min_value=-3, max_value=3)),
    sold=st.integers(min_value=0, max_value=8_800),
)
def test_an_exit_sells_all_but_dust_and_never_below_the_stated_loss(
    bid: int, slip_bps: int, rung: int, taken_ticks: set[int], sold: int
) -> None:
    grid = rules()
    cycle = exiting_cycle(sold=f"{Decimal(sold) * grid.lot_step:f}")
    at = Price(bid * grid.tick_size)
    floor = planning.exit_floor_ceil(cycle, slip_bps, grid)
    wanted = planning.rung_price_floor(at, CROSS.exit_rungs_bps[rung], grid)
    held = Quantity(grid.quantity_floor(cycle.exposure))
    taken = {(Price(wanted + one * grid.tick_size), held) for one in taken_ticks}

    order = planning.exit_order(cycle, wanted, floor, grid, taken)

    if order is None:
        assert max(wanted, floor) * held < grid.min_notional
        return
    average = Fraction(cycle.bought) / Fraction(cycle.working.filled_quantity)
    assert order.price >= average * Fraction(10_000 - slip_bps, 10_000) - Fraction(1, 10**17)
    assert 0 <= cycle.exposure - order.quantity < grid.lot_step
    assert (order.price, order.quantity) not in taken


@given(
    parts=st.lists(
        st.tuples(*[st.decimals(min_value=0, max_value=10**6, places=8)] * 3), max_size=6
    ),
)
def test_wear_adds_up_in_any_order(parts: list[tuple[Decimal, ...]]) -> None:
    wears = [Wear(Amount(one), Amount(two), Quantity(three)) for one, two, three in parts]

    whole = wear.total(wears)

    assert whole == wear.total(reversed(wears))
    assert whole.cost == sum(one.cost for one in wears)


@given(
    spent=st.decimals(min_value=Decimal("0.01"), max_value=10**6, places=8),
    received=st.decimals(min_value=0, max_value=10**6, places=8),
)
def test_basis_points_give_the_cost_back_to_half_a_hundredth(
    spent: Decimal, received: Decimal
) -> None:
    cost = Wear(Amount(spent), Amount(received))

    bps = cost.bps_half_up()

    assert bps is not None
    off = Fraction(bps) * Fraction(spent) / 10_000 - Fraction(cost.cost)
    assert abs(off) * 2 <= Fraction(spent) / 10**6
