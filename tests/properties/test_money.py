"""Invariants of money.

What lands on a grid is a multiple of it and on the named side of the value; a payment amount is the
exact product, cut; nothing written for the wire has an exponent; no float gets in.
"""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oto.domain import money
from oto.domain.market import AlphaId, RuleViolation, Symbol, SymbolRules, SymbolStatus
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import LimitOrder, OrderNotAllowedError, OtoOrder, Side

pytestmark = pytest.mark.unit

# Ticks and steps that the exchange lists, and a few that it might.
increments = st.sampled_from(
    [Decimal(text) for text in ("0.000000000001", "0.00000001", "0.01", "0.10", "0.0005", "1", "3")]
)
values = st.decimals(
    min_value=0, max_value=10**13, allow_nan=False, allow_infinity=False, places=14
)


def rules(tick: str = "0.000000001", step: str = "0.10", base_precision: int = 2) -> SymbolRules:
    return SymbolRules(
        symbol=Symbol("ALPHA_971USDT"),
        base_asset=AlphaId("ALPHA_971"),
        quote_asset="USDT",
        status=SymbolStatus.TRADING,
        price_precision=9,
        quantity_precision=2,
        base_precision=base_precision,
        quote_precision=8,
        tick_size=Decimal(tick),
        min_price=money.price(tick),
        max_price=money.price("1000"),
        lot_step=Decimal(step),
        min_quantity=money.quantity(step),
        max_quantity=money.quantity("9999999999"),
        min_notional=money.amount("0.1"),
        max_notional=money.amount("1000000"),
    )


@given(values, increments)
def test_floor_and_ceil_stand_on_the_grid_on_either_side_of_the_value(
    value: Decimal, increment: Decimal
) -> None:
    low, high = money.floor_to(value, increment), money.ceil_to(value, increment)

    assert Fraction(low) % Fraction(increment) == Fraction(high) % Fraction(increment) == 0
    assert low <= value <= high
    assert high - low in {0, increment}
    assert money.is_multiple(low, increment)


@given(values, values)
def test_an_amount_is_the_exact_product_cut_to_eight_decimals(at: Decimal, of: Decimal) -> None:
    amount = money.amount_floor(Price(at), Quantity(of), 8)

    exact = Fraction(at) * Fraction(of)
    assert Fraction(amount) == Fraction(exact * 10**8 // 1, 10**8)


@given(values, st.integers(min_value=0, max_value=12))
def test_half_up_is_never_further_than_half_a_unit(value: Decimal, decimals: int) -> None:
    rounded = money.half_up_to(value, decimals)

    assert abs(Fraction(rounded) - Fraction(value)) * 2 <= Fraction(1, 10**decimals)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**20))
def test_nothing_written_has_an_exponent_or_another_value(value: Decimal) -> None:
    for text in (money.plain(value), money.trimmed(value), money.padded(value, 8)):
        assert "e" not in text.lower()
        assert Decimal(text) == value


@given(
    spend=st.decimals(min_value=1, max_value=10**5, places=8),
    ticks=st.integers(min_value=1, max_value=10**9),
)
def test_the_quantity_for_an_amount_is_the_largest_that_does_not_cost_more(
    spend: Decimal, ticks: int
) -> None:
    grid = rules()
    price = Price(ticks * grid.tick_size)

    quantity = grid.quantity_for_amount_floor(Amount(spend), price)
    one_step_more = Quantity(quantity + grid.lot_step)

    assert money.is_multiple(quantity, grid.lot_step)
    assert Fraction(price) * Fraction(quantity) <= Fraction(spend)
    assert Fraction(price) * Fraction(one_step_more) > Fraction(spend)


@given(
    price=st.decimals(min_value=0, max_value=2000, places=9),
    quantity=st.decimals(min_value=0, max_value=10**10, places=2),
)
def test_an_order_off_the_rules_cannot_be_made(price: Decimal, quantity: Decimal) -> None:
    grid = rules()
    broken = grid.violation(Price(price), Quantity(quantity))

    if broken is None:
        order = LimitOrder(grid, Side.BUY, Price(price), Quantity(quantity))
        assert order.payment == money.amount_floor(Price(price), Quantity(quantity), 8)
    else:
        with pytest.raises(OrderNotAllowedError) as raised:
            LimitOrder(grid, Side.BUY, Price(price), Quantity(quantity))
        assert raised.value.violation is broken


@given(st.text(max_size=60))
def test_text_is_a_finite_figure_or_a_value_error(text: str) -> None:
    try:
        value = money.decimal_from_text(text)
    except ValueError:
        return
    assert value.is_finite()


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "1e-400", "", "0x1"])
def test_what_is_no_figure_of_money_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"figure|number|digits"):
        money.decimal_from_text(text)


@pytest.mark.parametrize("text", ["-0.01", "-1"])
def test_a_negative_price_quantity_or_amount_is_refused(text: str) -> None:
    for read in (money.price, money.quantity, money.amount):
        with pytest.raises(ValueError, match="below zero"):
            read(text)


def test_more_digits_than_decimal_carries_by_default_stay_exact() -> None:
    text = "123456789012345678.12345678901234567890"

    assert money.plain(money.decimal_from_text(text)) == text


@pytest.mark.parametrize(
    ("price", "quantity", "amount"),
    [
        ("0.22983662", "435.09", "99.99961499"),
        ("0.000005929", "1686625", "9.99999962"),
        ("0.000005583", "1791151.7", "9.99999994"),
        ("0.000005578", "1792757.2", "9.99999966"),
        ("48.01706542", "0.2082", "9.99715302"),
        ("0.07234126", "13.82", "0.99975621"),
    ],
)
def test_recorded_payment_amounts_are_met_to_the_digit(
    price: str, quantity: str, amount: str
) -> None:
    due = money.amount_floor(money.price(price), money.quantity(quantity), 8)

    assert money.plain(due) == amount


@pytest.mark.parametrize(
    ("quote", "fee"),
    [
        ("45.38093600", "0.00453809"),
        ("151.90587611", "0.01519059"),
        ("2.72678213", "0.00027268"),
        ("7.33669290", "0.00073367"),
        ("0.29986374", "0.00002999"),
    ],
)
def test_recorded_sell_fees_are_met_to_the_digit(quote: str, fee: str) -> None:
    rate = money.fee_rate_from_millionths(100)

    assert money.plain(money.quote_fee_half_up(money.amount(quote), rate, 8)) == fee


@pytest.mark.parametrize(
    ("executed", "step", "precision", "fee", "pending"),
    [
        ("869.56", "0.01", 8, "0.08695600", "869.47"),
        ("1686625", "0.10", 2, "168.66", "1686456.3"),
        ("52938", "0.10", 2, "5.29", "52932.7"),
    ],
)
def test_recorded_buy_fees_and_pending_quantities_are_met(
    executed: str, step: str, precision: int, fee: str, pending: str
) -> None:
    grid = rules(step=step, base_precision=precision)
    bought = money.quantity(executed)

    taken = grid.buy_fee_half_up(bought, money.fee_rate_from_millionths(100))

    assert money.plain(taken) == fee
    assert grid.pending_quantity_floor(bought, taken) == Decimal(pending)


def test_the_average_of_a_stream_is_cut_and_that_of_a_history_row_is_rounded() -> None:
    spent, filled = money.amount("9.9865158"), money.quantity("1685487.9")

    assert money.plain(money.average_price_floor(spent, filled, 9)) == "0.000005924"
    assert money.plain(money.average_price_half_up(spent, filled, 9)) == "0.000005925"
    assert money.average_price_floor(spent, money.quantity("0"), 9) == 0


@given(st.sampled_from(["0.000005665", "0", "1001", "0.0000056651"]))
def test_an_oto_is_refused_for_a_pending_price_off_the_rules(pending: str) -> None:
    grid = rules()
    assume(grid.price_violation(money.price(pending)) is not None)

    with pytest.raises(OrderNotAllowedError):
        OtoOrder(grid, money.price("0.000005665"), money.quantity("52938"), money.price(pending))


@pytest.mark.parametrize(
    ("price", "quantity", "violation"),
    [
        ("0.0000056651", "52938", RuleViolation.PRICE_OFF_TICK),
        ("1001", "1", RuleViolation.PRICE_OUT_OF_RANGE),
        ("0", "1", RuleViolation.PRICE_OUT_OF_RANGE),
        ("0.000005665", "52938.05", RuleViolation.QUANTITY_OFF_STEP),
        ("0.000005665", "0", RuleViolation.QUANTITY_TOO_SMALL),
        ("0.000005665", "10000000000", RuleViolation.QUANTITY_TOO_LARGE),
        ("0.000005665", "17000", RuleViolation.NOTIONAL_TOO_SMALL),
        ("1000", "1000.1", RuleViolation.NOTIONAL_TOO_LARGE),
        ("0.000005665", "52938", None),
    ],
)
def test_each_filter_names_its_own_violation(
    price: str, quantity: str, violation: RuleViolation | None
) -> None:
    assert rules().violation(money.price(price), money.quantity(quantity)) is violation
