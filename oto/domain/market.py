"""What is traded, on which grid, and what its market looks like."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import NewType

from oto.domain import money
from oto.domain.money import Amount, FeeRate, Price, Quantity

Symbol = NewType("Symbol", str)
"""Alpha id and quote asset in one, upper case: `ALPHA_971USDT`."""

AlphaId = NewType("AlphaId", str)
"""The exchange's key of a token, `ALPHA_971`; display symbols are not unique."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at_ms(milliseconds: int) -> datetime:
    """Turn Unix milliseconds into aware UTC, without passing through a float.

    Raises:
        ValueError: outside the years that a datetime can hold.
    """
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise ValueError(f"not a time in milliseconds: {milliseconds}") from None


class SymbolStatus(Enum):
    """Trading status of a pair; a word that we do not know is UNKNOWN and not tradable."""

    TRADING = "TRADING"
    DELISTED = "DELISTED"
    INIT = "INIT"
    UNKNOWN = "UNKNOWN"


class RuleViolation(Enum):
    """Why the exchange's filters refuse a price and a quantity."""

    PRICE_OFF_TICK = "the price is not a multiple of the tick size"
    PRICE_OUT_OF_RANGE = "the price is outside the allowed range"
    QUANTITY_OFF_STEP = "the quantity is not a multiple of the lot step"
    QUANTITY_TOO_SMALL = "the quantity is below the minimum"
    QUANTITY_TOO_LARGE = "the quantity is above the maximum"
    NOTIONAL_TOO_SMALL = "price times quantity is below the minimum notional"
    NOTIONAL_TOO_LARGE = "price times quantity is above the maximum notional"


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """Filters and precisions of one pair, from exchange info (PROTOCOL §1.3.2).

    Precisions count decimals; `max_notional` and `max_orders` are None where not listed.
    """

    symbol: Symbol
    base_asset: AlphaId
    quote_asset: str
    status: SymbolStatus
    price_precision: int
    quantity_precision: int
    base_precision: int
    quote_precision: int
    tick_size: Decimal
    min_price: Price
    max_price: Price
    lot_step: Decimal
    min_quantity: Quantity
    max_quantity: Quantity
    min_notional: Amount
    max_notional: Amount | None = None
    max_orders: int | None = None

    def __post_init__(self) -> None:
        if self.tick_size <= 0 or self.lot_step <= 0:
            raise ValueError(f"{self.symbol}: tick size and lot step must be above zero")

    @property
    def least_price(self) -> Price:
        """Return the lowest price that an order may have: on the grid, in range, above zero."""
        return Price(max(self.price_ceil(self.min_price), self.tick_size))

    def price_floor(self, value: Decimal) -> Price:
        return Price(money.floor_to(value, self.tick_size))

    def price_ceil(self, value: Decimal) -> Price:
        return Price(money.ceil_to(value, self.tick_size))

    def quantity_floor(self, value: Decimal) -> Quantity:
        return Quantity(money.floor_to(value, self.lot_step))

    def quantity_for_amount_floor(self, spend: Amount, at: Price) -> Quantity:
        """Return the largest quantity on the grid that costs at most `spend` at this price."""
        return self.quantity_floor(money.quotient_floor(spend, at, 18))

    def buy_amount_floor(self, at: Price, of: Quantity) -> Amount:
        """Return the payment amount that the exchange expects of a BUY, to the digit."""
        return money.amount_floor(at, of, self.quote_precision)

    def buy_fee_half_up(self, filled: Quantity, rate: FeeRate) -> Quantity:
        """Return the fee of a BUY fill, in base."""
        return money.base_fee_half_up(filled, rate, self.base_precision)

    def sell_fee_half_up(self, received: Amount, rate: FeeRate) -> Amount:
        """Return the fee of a SELL fill, in quote."""
        return money.quote_fee_half_up(received, rate, self.quote_precision)

    def pending_quantity_floor(self, executed: Quantity, fee: Quantity) -> Quantity:
        """Return what the pending SELL gets: the bought base less its fee, cut to the lot step."""
        return self.quantity_floor(executed - fee)

    def violation(self, at: Price, of: Quantity) -> RuleViolation | None:
        """Return the first filter that refuses this price and quantity, or None."""
        return self.price_violation(at) or self.quantity_violation(of) or self._notional(at, of)

    def price_violation(self, at: Price) -> RuleViolation | None:
        """Return the filter that refuses this price, or None."""
        if not money.is_multiple(at, self.tick_size):
            return RuleViolation.PRICE_OFF_TICK
        if at <= 0 or not self.min_price <= at <= self.max_price:
            return RuleViolation.PRICE_OUT_OF_RANGE
        return None

    def quantity_violation(self, of: Quantity) -> RuleViolation | None:
        """Return the filter that refuses this quantity, or None."""
        if not money.is_multiple(of, self.lot_step):
            return RuleViolation.QUANTITY_OFF_STEP
        if of <= 0 or of < self.min_quantity:
            return RuleViolation.QUANTITY_TOO_SMALL
        if of > self.max_quantity:
            return RuleViolation.QUANTITY_TOO_LARGE
        return None

    def _notional(self, at: Price, of: Quantity) -> RuleViolation | None:
        notional = self.buy_amount_floor(at, of)
        if notional < self.min_notional:
            return RuleViolation.NOTIONAL_TOO_SMALL
        if self.max_notional is not None and notional > self.max_notional:
            return RuleViolation.NOTIONAL_TOO_LARGE
        return None


@dataclass(frozen=True, slots=True)
class FeeRates:
    """Fee fractions of one pair: the buyer's is taken in base, the seller's in quote."""

    buyer: FeeRate
    seller: FeeRate


@dataclass(frozen=True, slots=True)
class AggTrade:
    """One aggregate trade; a zero price or quantity is a bad tick and must not be priced from."""

    symbol: Symbol
    trade_id: int
    price: Price
    quantity: Quantity
    buyer_is_maker: bool
    traded_at: datetime


@dataclass(frozen=True, slots=True)
class Trade:
    """One single trade; its id counts trades, not aggregate trades."""

    symbol: Symbol
    trade_id: int
    price: Price
    quantity: Quantity
    buyer_is_maker: bool
    traded_at: datetime


@dataclass(frozen=True, slots=True)
class BookLevel:
    price: Price
    quantity: Quantity


@dataclass(frozen=True, slots=True)
class BookTop:
    """Best bid and ask as published; a crossed top is a fact of this exchange, not an error."""

    symbol: Symbol
    bid: BookLevel
    ask: BookLevel
    update_id: int
    changed_at: datetime

    @property
    def crossed(self) -> bool:
        return self.bid.price >= self.ask.price


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """The whole published book: bids from high to low, asks from low to high."""

    symbol: Symbol
    last_update_id: int
    bids: Sequence[BookLevel]
    asks: Sequence[BookLevel]
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class BookDelta:
    """Changed levels of a book; a level of quantity zero is gone."""

    symbol: Symbol
    first_update_id: int
    last_update_id: int
    previous_update_id: int
    bids: Sequence[BookLevel]
    asks: Sequence[BookLevel]
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Kline:
    """One candle; `volume` is base, `quote_volume` None where the stream does not say."""

    interval: str
    opened_at: datetime
    closed_at: datetime
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Quantity
    quote_volume: Amount | None = None


@dataclass(frozen=True, slots=True)
class DayTicker:
    """The last 24 hours of one pair; `volume` is base."""

    symbol: Symbol
    last: Price
    open: Price
    high: Price
    low: Price
    weighted_average: Price
    volume: Quantity
    quote_volume: Amount
    opened_at: datetime
    closed_at: datetime
    trade_count: int
    change_percent: Decimal


@dataclass(frozen=True, slots=True)
class MiniTicker:
    """The last 24 hours of one pair in short; `volume` is base."""

    symbol: Symbol
    last: Price
    open: Price
    high: Price
    low: Price
    volume: Quantity
    quote_volume: Amount
    ticked_at: datetime
