"""Exact decimal money.

Prices are quote per base, quantities are base, amounts are quote. Products are exact or raise;
rounding happens only in a function whose name says the direction.
"""

from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from typing import NewType

Price = NewType("Price", Decimal)
Quantity = NewType("Quantity", Decimal)
Amount = NewType("Amount", Decimal)
FeeRate = NewType("FeeRate", Decimal)
"""A fraction of what is received: 0.0001 is one basis point."""

# 100 digits hold every product of two wire figures; more than that raises instead of rounding.
_EXACT = Context(prec=100, traps=[InvalidOperation, Inexact, Overflow, DivisionByZero])
_MOST_DIGITS = 45
_ZERO = Decimal(0)


def decimal_from_text(text: str) -> Decimal:
    """Read a finite decimal of at most 45 digits before or after the point.

    Raises:
        ValueError: not a number, not finite, or longer than any figure of the exchange.
    """
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a decimal number: {text[:60]!r}") from None
    if not value.is_finite() or value.adjusted() >= _MOST_DIGITS:
        raise ValueError(f"not a figure of money: {text[:60]!r}")
    _, digits, exponent = value.as_tuple()
    if len(digits) > 2 * _MOST_DIGITS or (isinstance(exponent, int) and exponent < -_MOST_DIGITS):
        raise ValueError(f"more digits than any figure of money: {text[:60]!r}")
    return value


def price(text: str) -> Price:
    """Read a price of zero or more, in quote per base."""
    return Price(_not_negative(decimal_from_text(text)))


def quantity(text: str) -> Quantity:
    """Read a quantity of zero or more, in base."""
    return Quantity(_not_negative(decimal_from_text(text)))


def amount(text: str) -> Amount:
    """Read an amount of zero or more, in quote."""
    return Amount(_not_negative(decimal_from_text(text)))


def fee_rate_from_millionths(value: int) -> FeeRate:
    """Turn the exchange's fee figure into a fraction: 100 is 0.0001 (PROTOCOL §0, fact 3)."""
    return FeeRate(_EXACT.divide(Decimal(value), Decimal(1_000_000)))


def floor_to(value: Decimal, increment: Decimal) -> Decimal:
    """Cut a value of zero or more down to a multiple of a positive increment."""
    return _EXACT.multiply(_EXACT.divide_int(_not_negative(value), increment), increment)


def ceil_to(value: Decimal, increment: Decimal) -> Decimal:
    """Raise a value of zero or more to a multiple of a positive increment."""
    floored = floor_to(value, increment)
    return floored if floored == value else _EXACT.add(floored, increment)


def half_up_to(value: Decimal, decimals: int) -> Decimal:
    """Round a value to so many decimals, halves away from zero."""
    return value.quantize(unit(decimals), rounding=ROUND_HALF_UP, context=Context(prec=100))


def unit(decimals: int) -> Decimal:
    """Return one unit in the last place: `unit(2)` is 0.01."""
    return _ZERO if decimals < 0 else Decimal((0, (1,), -decimals))


def is_multiple(value: Decimal, increment: Decimal) -> bool:
    """Tell whether a value lies on the grid of a positive increment."""
    return _EXACT.remainder(value, increment) == 0


def amount_floor(at: Price, of: Quantity, decimals: int) -> Amount:
    """Multiply price and quantity and cut to the quote's decimals, as the exchange does.

    The payment amount of a BUY and the quote of every fill (PROTOCOL §5, captured).
    """
    return Amount(floor_to(_EXACT.multiply(at, of), unit(decimals)))


def base_fee_half_up(filled: Quantity, rate: FeeRate, decimals: int) -> Quantity:
    """Return the fee of a BUY fill, in base.

    The captures leave open whether the exchange cuts or rounds here; half up is what it does on
    the SELL side (PROTOCOL §5).
    """
    return Quantity(half_up_to(_EXACT.multiply(filled, rate), decimals))


def quote_fee_half_up(filled: Amount, rate: FeeRate, decimals: int) -> Amount:
    """Return the fee of a SELL fill, in quote (PROTOCOL §5, captured)."""
    return Amount(half_up_to(_EXACT.multiply(filled, rate), decimals))


def quotient_floor(dividend: Decimal, divisor: Decimal, decimals: int) -> Decimal:
    """Divide, both above zero or zero, and cut to so many decimals."""
    scaled = _EXACT.divide_int(dividend.scaleb(decimals, _EXACT), divisor)
    return scaled.scaleb(-decimals, _EXACT)


def average_price_floor(spent: Amount, filled: Quantity, decimals: int) -> Price:
    """Divide quote by base, cut; zero before the first fill (streams: 9 decimals, PROTOCOL §5)."""
    return Price(quotient_floor(spent, filled, decimals) if filled else _ZERO)


def average_price_half_up(spent: Amount, filled: Quantity, decimals: int) -> Price:
    """Divide quote by base, rounded; zero before the first fill (PROTOCOL §5: history rows)."""
    if not filled:
        return Price(_ZERO)
    quotient = Context(prec=100).divide(spent, filled)
    return Price(half_up_to(quotient, decimals))


def plain(value: Decimal) -> str:
    """Write a decimal as digits and a point, never with an exponent."""
    return f"{value:f}"


def padded(value: Decimal, decimals: int) -> str:
    """Write a decimal with at least so many decimals, never rounding."""
    text = plain(value)
    _, point, fraction = text.partition(".")
    missing = decimals - len(fraction)
    return text if missing <= 0 else f"{text}{'' if point else '.'}{'0' * missing}"


def trimmed(value: Decimal) -> str:
    """Write a decimal without trailing zeros, as the exchange's order history does."""
    text = plain(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError(f"below zero: {plain(value)[:60]}")
    return value
