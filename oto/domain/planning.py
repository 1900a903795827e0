"""From prices and sizes to orders that the exchange takes and that can be told apart."""

from collections.abc import Collection, Iterator
from decimal import Decimal

from oto.domain import money
from oto.domain.cycle import Cycle, sellable_floor
from oto.domain.market import SymbolRules
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import LimitOrder, OrderNotAllowedError, OtoOrder, Side
from oto.domain.pricing.quote import LegPrices

Fingerprint = tuple[Price, Quantity]
"""What tells a lost order of ours from all others of that user and symbol (TRADING §5.3)."""

_BPS = Decimal(10_000)
_MOST_TICKS = 10
_MOST_STEPS = 50
_MOST_EXCESS = Decimal("0.02")


class NoFingerprintError(Exception):
    """Every order of about this size was placed within the last day already."""


def oto_order(
    prices: LegPrices, spend: Amount, rules: SymbolRules, taken: Collection[Fingerprint]
) -> OtoOrder:
    """Return a pair that is likely to spend this much, or the least that the exchange takes.

    Raises:
        OrderNotAllowedError: the symbol's rules have no such order.
        NoFingerprintError: all candidates are taken.
    """
    wanted = max(_quantity_ceil(spend, prices.expected_buy, rules), _least(prices.working, rules))
    for price, quantity in _candidates(prices.working, wanted, rules):
        if (price, quantity) not in taken:
            return OtoOrder(rules, price, quantity, prices.pending)
    raise NoFingerprintError


def _quantity_ceil(spend: Amount, at: Price, rules: SymbolRules) -> Quantity:
    return Quantity(money.ceil_to(money.quotient_floor(spend, at, 18), rules.lot_step))


def _least(at: Price, rules: SymbolRules) -> Quantity:
    """Return the least quantity at a price, one step above the minimum notional's own."""
    for_notional = _quantity_ceil(rules.min_notional, at, rules) + rules.lot_step
    return Quantity(max(for_notional, money.ceil_to(rules.min_quantity, rules.lot_step)))


def _candidates(at: Price, wanted: Quantity, rules: SymbolRules) -> Iterator[Fingerprint]:
    allowed = int(wanted * _MOST_EXCESS / rules.lot_step)
    for ticks in range(_MOST_TICKS):
        for steps in range(min(allowed, _MOST_STEPS) + 1):
            yield (
                Price(at + ticks * rules.tick_size),
                Quantity(wanted + steps * rules.lot_step),
            )


def exit_floor_ceil(cycle: Cycle, most_slip_bps: int, rules: SymbolRules) -> Price:
    """Return the lowest price that a cycle's inventory is sold at."""
    kept = cycle.average_buy_price_floor * (_BPS - most_slip_bps) / _BPS
    return max(rules.price_ceil(kept), rules.least_price)


def rung_price_floor(bid: Price, rung_bps: Decimal, rules: SymbolRules) -> Price:
    """Return the price so far below a bid."""
    return rules.price_floor(bid * (_BPS - rung_bps) / _BPS)


def exit_order(
    cycle: Cycle,
    wanted: Price,
    floor: Price,
    rules: SymbolRules,
    taken: Collection[Fingerprint],
) -> LimitOrder | None:
    """Return a SELL of all that can be sold, at about a price and never below the floor.

    None if what is held is too little for an order at that price.

    Raises:
        NoFingerprintError: all candidates are taken.
    """
    price = max(wanted, floor)
    quantity = sellable_floor(cycle, rules, price)
    if not quantity:
        return None
    for ticks in _nearest_first(_MOST_TICKS):
        candidate = Price(price + ticks * rules.tick_size)
        if candidate < floor or (candidate, quantity) in taken:
            continue
        if order := _allowed(rules, candidate, quantity):
            return order
    raise NoFingerprintError


def _nearest_first(most: int) -> Iterator[int]:
    yield 0
    for distance in range(1, most + 1):
        yield -distance
        yield distance


def _allowed(rules: SymbolRules, price: Price, quantity: Quantity) -> LimitOrder | None:
    try:
        return LimitOrder(rules, Side.SELL, price, quantity)
    except OrderNotAllowedError:
        return None
