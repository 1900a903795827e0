"""What control requests hold, read whole before anything changes.

The bounds keep the exchange's own arithmetic exact and its times within what a date can hold.
"""

from decimal import Decimal
from typing import Any

from oto.domain import money
from oto.domain.market import SymbolRules
from oto.domain.money import Price, Quantity
from oto.simulator.listings import Listing, Row
from oto.simulator.settings import PartialFillPolicy

Body = dict[str, Any]
BookRows = list[tuple[Price, list[Quantity]]]

YEAR_MS = 366 * 86_400_000
MONTH_MS = 31 * 86_400_000
_MOST_COUNT = 10**15
_MOST_HELD = 10**15
_HELD_DECIMALS = 12
_MOST_DECIMALS = 18

_NUMBERS = {
    "history_delay_ms": YEAR_MS,
    "volume_lag_ms": YEAR_MS,
    "fee_millionths": 1_000_000,
    "zombie_per_mille": 1_000,
    "crossed_per_mille": 1_000,
    "depth_usdt": 10**9,
}
_DELAYS = frozenset({"match_delay_ms", "report_delay_ms"})
COUNTERS = frozenset({"last_event_id", "last_list_id"})


class BadControlError(ValueError):
    """A control request that cannot be carried out."""


def whole(value: object, name: str, most: int = _MOST_COUNT) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise BadControlError(f"{name} must be a whole number from 0 to {most}")
    return value


def flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise BadControlError(f"{name} must be true or false")
    return value


def mapping(body: Body, name: str) -> Body:
    value = body.get(name, {})
    if not isinstance(value, dict):
        raise BadControlError(f"{name} must be an object")
    return value


def held(value: object, name: str) -> Decimal:
    """Read what a wallet holds."""
    figure = money.amount(str(value))
    if figure > _MOST_HELD or not money.is_multiple(figure, money.unit(_HELD_DECIMALS)):
        raise BadControlError(
            f"{name} must be at most {_MOST_HELD}, with at most {_HELD_DECIMALS} decimals"
        )
    return figure


def setting(name: str, value: object) -> object:
    """Read one setting or counter of the exchange."""
    if name in _NUMBERS:
        return whole(value, name, _NUMBERS[name])
    if name in _DELAYS:
        rows = value if isinstance(value, list) else [value]
        if not rows:
            raise BadControlError(f"{name} must hold a number")
        return [whole(one, name, YEAR_MS) for one in rows]
    if name in COUNTERS:
        return whole(value, name)
    if name == "partial_fill":
        return PartialFillPolicy(value)
    raise BadControlError(f"no such setting: {name}")


def book_rows(rules: SymbolRules, rows: object) -> BookRows:
    """Read the levels of one side, `[price, quantity, quantity …]` each."""
    if not isinstance(rows, list) or not all(isinstance(row, list) and row for row in rows):
        raise BadControlError("a side must be a list of levels, [price, quantity, …] each")
    return [(_price(rules, row[0]), [_quantity(rules, one) for one in row[1:]]) for row in rows]


def printed(rules: SymbolRules, body: Body) -> tuple[Price, Quantity]:
    """Read the figures of a trade; zeros make a bad tick."""
    at, of = money.price(str(body.get("price"))), money.quantity(str(body.get("quantity")))
    return (_price(rules, at) if at else at), (_quantity(rules, of) if of else of)


def _price(rules: SymbolRules, value: object) -> Price:
    price = money.price(str(value))
    if found := rules.price_violation(price):
        raise BadControlError(found.value)
    return price


def _quantity(rules: SymbolRules, value: object) -> Quantity:
    quantity = money.quantity(str(value))
    if quantity and (found := rules.quantity_violation(quantity)):
        raise BadControlError(found.value)
    return quantity


def changed(listing: Listing, body: Body) -> Listing:
    """Return a listing with some keys of its rows replaced, if its market can go on with them."""
    token, info = mapping(body, "token"), mapping(body, "info")
    _check_kept(listing.token_row, token, frozenset({"alphaId"}))
    _check_kept(listing.info_row, info, frozenset({"symbol", "baseAsset", "quoteAsset"}))
    filters = {row["filterType"]: row for row in listing.info_row["filters"]}
    for row in info.get("filters", []):
        _check_kept(filters.get(row["filterType"], {}), row)
    found = listing.changed(token, info)
    _check_figures(found)
    return found


def _check_kept(row: Row, changes: Row, identity: frozenset[str] = frozenset()) -> None:
    """Refuse a change of a value's type, or of whose market it is."""
    for key, value in changes.items():
        before = row.get(key)
        if key in identity and value != before:
            raise BadControlError(f"{key} cannot change")
        if type(value) is not type(before) and before is not None:
            raise BadControlError(f"{key} must stay {type(before).__name__}")
        if isinstance(value, int):
            whole(int(value), key)


def _check_figures(listing: Listing) -> None:
    """Refuse figures that the exchange's arithmetic could not hold."""
    rules = listing.rules
    precisions = (rules.price_precision, rules.quantity_precision, rules.base_precision)
    finest = money.unit(_MOST_DECIMALS)
    fine = max(*precisions, rules.quote_precision) <= _MOST_DECIMALS
    for grid in (rules.tick_size, rules.lot_step):
        fine = fine and money.is_multiple(grid, finest) and grid <= _MOST_HELD
    fine = fine and max(rules.max_price, rules.max_quantity, rules.min_notional) <= _MOST_HELD
    fine = fine and type(rules.max_orders) in {int, type(None)}
    if not (fine and listing.first_price <= _MOST_HELD):
        raise BadControlError("the market could not calculate with these figures")
    whole(int(listing.token_row.get("count24h") or 0), "count24h")
