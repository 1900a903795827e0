"""The shapes of market data on the wire (PROTOCOL §1.3)."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from oto.infrastructure.alpha.schemas import (
    LAST_MS,
    Counter,
    Decimals,
    Millionths,
    Milliseconds,
    Wire,
    Word,
)


class Token(Wire, frozen=True, rename="camel"):
    """PROTOCOL §1.3.1; July-2025 items end at `offsell`."""

    alpha_id: Word
    symbol: str
    name: str
    chain_id: str
    contract_address: str
    price: Decimal
    offline: bool
    offsell: bool
    stock_state: bool | None = None
    mul_point: int | None = None
    listing_time: Milliseconds | None = None


class TokenMeta(Wire, frozen=True, rename="camel"):
    alpha_id: Word
    symbol: str
    name: str
    chain_id: str
    contract_address: str
    listing_time: Milliseconds | None = None


class TokenStats(Wire, frozen=True):
    volume: Decimal = msgspec.field(name="volume24h")
    liquidity: Decimal


class TokenPrice(Wire, frozen=True):
    signed: ClassVar[frozenset[str]] = frozenset({"change"})

    price: Decimal
    change: Decimal = msgspec.field(name="percentChange24h")


class TokenPage(Wire, frozen=True, rename="camel"):
    """PROTOCOL §1.3, token full info."""

    meta_info: TokenMeta
    stats_info: TokenStats
    price_info: TokenPrice


class PairAssets(Wire, frozen=True, rename="camel"):
    stock_asset_list: list[Word]
    token_asset_list: list[Word]


class Filter(Wire, frozen=True, rename="camel"):
    """One filter; real answers carry every key in each, null where it does not belong."""

    tick_size: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    step_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None
    limit: Counter | None = None


class Pair(Wire, frozen=True, rename="camel"):
    """PROTOCOL §1.3.2."""

    symbol: Word
    status: str
    base_asset: Word
    quote_asset: Word
    price_precision: Decimals
    quantity_precision: Decimals
    base_asset_precision: Decimals
    quote_precision: Decimals
    filters: list[Filter]


class PairName(msgspec.Struct, frozen=True):
    """The one field that a report on an unreadable pair needs."""

    symbol: str = "?"


class ExchangeInfo(msgspec.Struct, frozen=True):
    symbols: list[msgspec.Raw]


class FeeRate(Wire, frozen=True, rename="camel"):
    buyer_commission: Millionths
    seller_commission: Millionths


class Level(Wire, frozen=True, array_like=True):
    price: Decimal
    quantity: Decimal


class Depth(Wire, frozen=True, rename="camel"):
    """PROTOCOL §1.3.4."""

    last_update_id: Counter
    symbol: Word
    bids: list[Level]
    asks: list[Level]
    emitted_ms: Milliseconds = msgspec.field(name="E")


class DayTicker(Wire, frozen=True, rename="camel"):
    """PROTOCOL §1.3.3."""

    signed: ClassVar[frozenset[str]] = frozenset({"price_change_percent"})

    symbol: Word
    price_change_percent: Decimal
    weighted_avg_price: Decimal
    last_price: Decimal
    open_price: Decimal
    high_price: Decimal
    low_price: Decimal
    volume: Decimal
    quote_volume: Decimal
    open_time: Milliseconds
    close_time: Milliseconds
    count: Counter


class AggTrade(Wire, frozen=True):
    trade_id: Counter = msgspec.field(name="a")
    price: Decimal = msgspec.field(name="p")
    quantity: Decimal = msgspec.field(name="q")
    buyer_is_maker: bool = msgspec.field(name="m")
    traded_ms: Milliseconds = msgspec.field(name="T")


class KlineRow(Wire, frozen=True, array_like=True):
    """The first columns of a row, strings in 2026 and numbers in 2025 (PROTOCOL §1.3.3)."""

    open_time: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    close_time: Decimal
    quote_volume: Decimal | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for value in (self.open_time, self.close_time):
            if value > LAST_MS or value != value.to_integral_value():
                raise ValueError("a time is not in whole milliseconds")
