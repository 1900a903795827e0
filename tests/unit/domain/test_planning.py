"""Orders that the exchange takes, of the right size, and that can be told apart."""

from dataclasses import replace
from decimal import Decimal

import pytest

from oto.domain import money, planning
from oto.domain.cycle import Cycle
from oto.domain.job import cycles_needed, next_spend
from oto.domain.market import RuleViolation
from oto.domain.money import Amount, Price
from oto.domain.orders import LimitOrder, OrderNotAllowedError, OtoOrder, Side
from oto.domain.planning import Fingerprint, NoFingerprintError
from oto.domain.pricing.quote import LegPrices
from tests.builders import exiting_cycle, fill, leg, rules

pytestmark = pytest.mark.unit

AT_MARKET = LegPrices(money.price("0.22719"), money.price("0.22671"), money.price("0.227"))


def pair(spend: str, *, taken: frozenset[Fingerprint] = frozenset()) -> OtoOrder:
    return planning.oto_order(AT_MARKET, money.amount(spend), rules(), taken)


def fingerprint(price: str, quantity: str) -> Fingerprint:
    return money.price(price), money.quantity(quantity)


def exit_at(
    wanted: str,
    floor: str = "0.2202",
    *,
    cycle: Cycle | None = None,
    taken: frozenset[Fingerprint] = frozenset(),
    least_notional: str = "0.1",
) -> LimitOrder | None:
    return planning.exit_order(
        cycle or exiting_cycle(),
        money.price(wanted),
        money.price(floor),
        rules(least_notional=least_notional),
        taken,
    )


def test_a_pair_buys_at_least_what_it_should_at_the_expected_price() -> None:
    order = pair("20")

    assert (order.working_price, order.pending_price) == (AT_MARKET.working, AT_MARKET.pending)
    assert order.working_quantity == Decimal("88.11")
    assert order.working_quantity * AT_MARKET.expected_buy >= 20
    assert (order.working_quantity - Decimal("0.01")) * AT_MARKET.expected_buy < 20


@pytest.mark.parametrize("size", ["20", "33.3", "99", "100", "7.77"])
@pytest.mark.parametrize("target", ["100", "50", "101.9", "1000", "7.77"])
def test_a_target_is_reached_in_as_many_orders_as_were_promised(target: str, size: str) -> None:
    remaining, asked = money.amount(target), money.amount(size)
    promised, orders = cycles_needed(remaining, asked), 0
    while remaining > 0:
        order = pair(money.plain(next_spend(remaining, asked)))
        bought = money.amount_floor(AT_MARKET.expected_buy, order.working_quantity, 8)
        remaining = Amount(remaining - bought)
        orders += 1

    assert orders == promised
    assert (orders - 1) * asked < Decimal(target)


def test_the_last_order_takes_the_rest() -> None:
    assert pair("7.3").working_quantity == Decimal("32.16")


def test_a_rest_below_the_least_notional_is_bought_as_one_that_the_exchange_takes() -> None:
    order = pair("0.00000001")

    assert order.working_quantity == Decimal("0.46")
    assert order.payment >= rules().min_notional


def test_an_order_is_at_least_the_minimum_quantity() -> None:
    grid = replace(rules(), min_quantity=money.quantity("5"))

    order = planning.oto_order(AT_MARKET, money.amount("0.5"), grid, ())

    assert order.working_quantity == 5


@pytest.mark.parametrize(
    ("spend", "most_quantity", "violation"),
    [
        ("20", "50", RuleViolation.QUANTITY_TOO_LARGE),
        ("3000000", "9999999999", RuleViolation.NOTIONAL_TOO_LARGE),
    ],
)
def test_an_order_that_the_rules_do_not_have_says_which_rule(
    spend: str, most_quantity: str, violation: RuleViolation
) -> None:
    grid = replace(rules(most_quantity=most_quantity), max_notional=money.amount("1000000"))

    with pytest.raises(OrderNotAllowedError) as raised:
        planning.oto_order(AT_MARKET, money.amount(spend), grid, ())

    assert raised.value.violation is violation


def test_an_order_differs_from_those_of_the_last_day_by_a_step_first() -> None:
    taken = frozenset({fingerprint("0.22719", "88.11"), fingerprint("0.22719", "88.12")})

    order = pair("20", taken=taken)

    assert (order.working_price, order.working_quantity) == fingerprint("0.22719", "88.13")


def test_an_order_too_small_to_grow_differs_by_a_tick() -> None:
    order = pair("0.1", taken=frozenset({fingerprint("0.22719", "0.46")}))

    assert (order.working_price, order.working_quantity) == fingerprint("0.2272", "0.46")


def test_when_every_order_of_the_size_was_placed_there_is_none_left() -> None:
    taken: set[Fingerprint] = set()
    for _ in range(10 * 51):
        order = pair("20", taken=frozenset(taken))
        taken.add((order.working_price, order.working_quantity))

    assert len(taken) == 10 * 51
    with pytest.raises(NoFingerprintError):
        pair("20", taken=frozenset(taken))


@pytest.mark.parametrize(
    ("slip_bps", "floor"), [(1, "0.22698"), (300, "0.22019"), (9999, "0.00003")]
)
def test_the_lowest_price_is_so_far_below_the_buy_rounded_up(slip_bps: int, floor: str) -> None:
    assert planning.exit_floor_ceil(exiting_cycle(), slip_bps, rules()) == Decimal(floor)


def test_a_buy_at_nothing_still_has_a_lowest_price() -> None:
    cheap = replace(exiting_cycle(), legs=(leg(fills=[fill("9", "0.00001", event_id=1)]),))

    assert planning.exit_floor_ceil(cheap, 9999, rules()) == Decimal("0.00001")


@pytest.mark.parametrize(
    ("rung_bps", "price"), [("0", "0.2269"), ("5", "0.22678"), ("100", "0.22463")]
)
def test_a_rung_is_so_far_below_the_bid_rounded_down(rung_bps: str, price: str) -> None:
    bid = money.price("0.2269")

    assert planning.rung_price_floor(bid, Decimal(rung_bps), rules()) == Decimal(price)


def test_an_exit_sells_all_that_can_be_sold() -> None:
    order = exit_at("0.22678")

    assert order is not None
    assert (order.side, order.price, order.quantity) == (
        Side.SELL,
        Decimal("0.22678"),
        Decimal("88.10"),
    )


def test_an_exit_is_never_below_the_floor() -> None:
    order = exit_at("0.21", floor="0.2202")

    assert order is not None
    assert order.price == Decimal("0.2202")


def test_an_exit_that_was_placed_before_moves_to_the_nearest_free_price() -> None:
    placed: list[Price] = []
    for _ in range(5):
        taken = frozenset((price, money.quantity("88.10")) for price in placed)
        order = exit_at("0.22679", taken=taken)
        assert order is not None
        placed.append(order.price)

    assert placed == [
        Decimal(text) for text in ("0.22679", "0.22678", "0.2268", "0.22677", "0.22681")
    ]


def test_an_exit_at_the_floor_moves_up_only() -> None:
    taken = frozenset({fingerprint("0.2202", "88.10")})

    order = exit_at("0.2202", taken=taken)

    assert order is not None
    assert order.price == Decimal("0.22021")


def test_an_exit_moves_up_where_a_lower_price_is_below_the_least_notional() -> None:
    taken = frozenset({fingerprint("0.22679", "88.10")})

    order = exit_at("0.22679", taken=taken, least_notional="19.98")

    assert order is not None
    assert order.price == Decimal("0.2268")


def test_when_every_exit_price_nearby_was_used_there_is_none_left() -> None:
    taken = frozenset(
        (Price(money.price("0.22678") + ticks * Decimal("0.00001")), money.quantity("88.10"))
        for ticks in range(-10, 11)
    )

    with pytest.raises(NoFingerprintError):
        exit_at("0.22678", taken=taken)


def test_what_is_too_little_for_an_order_is_no_exit() -> None:
    assert exit_at("0.22678", cycle=exiting_cycle(sold="87.70")) is None
    assert exit_at("0.22678", least_notional="19.99") is None
