"""Public market events as they are on the wire, and the domain values in them (PROTOCOL §2.2)."""

from datetime import datetime
from decimal import Decimal

from msgspec import UNSET, Struct, UnsetType

from oto.domain import money
from oto.domain.errors import UnexpectedShapeError
from oto.domain.market import (
    AggTrade,
    BookDelta,
    BookTop,
    DayTicker,
    Kline,
    MiniTicker,
    Symbol,
    Trade,
)
from oto.infrastructure.alpha.figures import read, read_level, read_ms

_TRADE = {"symbol": "s", "price": "p", "quantity": "q", "buyer_is_maker": "m", "traded_ms": "T"}


class AggTradeEvent(
    Struct,
    tag_field="e",
    tag="aggTrade",
    rename=_TRADE | {"trade_id": "a"},
):
    symbol: str
    trade_id: int
    price: str
    quantity: str
    buyer_is_maker: bool
    traded_ms: int

    def values(self) -> tuple[AggTrade]:
        return (
            AggTrade(
                symbol=Symbol(self.symbol),
                trade_id=self.trade_id,
                price=read(money.price, self.price, "p"),
                quantity=read(money.quantity, self.quantity, "q"),
                buyer_is_maker=self.buyer_is_maker,
                traded_at=read_ms(self.traded_ms, "T"),
            ),
        )


class TradeEvent(
    Struct,
    tag_field="e",
    tag="trade",
    rename=_TRADE | {"trade_id": "t"},
):
    symbol: str
    trade_id: int
    price: str
    quantity: str
    buyer_is_maker: bool
    traded_ms: int

    def values(self) -> tuple[Trade]:
        return (
            Trade(
                symbol=Symbol(self.symbol),
                trade_id=self.trade_id,
                price=read(money.price, self.price, "p"),
                quantity=read(money.quantity, self.quantity, "q"),
                buyer_is_maker=self.buyer_is_maker,
                traded_at=read_ms(self.traded_ms, "T"),
            ),
        )


class BookTickerEvent(
    Struct,
    tag_field="e",
    tag="bookTicker",
    rename={
        "symbol": "s",
        "update_id": "u",
        "bid_price": "b",
        "bid_quantity": "B",
        "ask_price": "a",
        "ask_quantity": "A",
        "changed_ms": "T",
    },
):
    symbol: str
    update_id: int
    bid_price: str
    bid_quantity: str
    ask_price: str
    ask_quantity: str
    changed_ms: int

    def values(self) -> tuple[BookTop]:
        return (
            BookTop(
                symbol=Symbol(self.symbol),
                bid=read_level(self.bid_price, self.bid_quantity, "b/B"),
                ask=read_level(self.ask_price, self.ask_quantity, "a/A"),
                update_id=self.update_id,
                changed_at=read_ms(self.changed_ms, "T"),
            ),
        )


class DepthEvent(
    Struct,
    tag_field="e",
    tag="depthUpdate",
    rename={
        "symbol": "s",
        "first_update_id": "U",
        "last_update_id": "u",
        "previous_update_id": "pu",
        "bids": "b",
        "asks": "a",
        "changed_ms": "T",
    },
):
    symbol: str
    first_update_id: int
    last_update_id: int
    previous_update_id: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]
    changed_ms: int

    def values(self) -> tuple[BookDelta]:
        return (
            BookDelta(
                symbol=Symbol(self.symbol),
                first_update_id=self.first_update_id,
                last_update_id=self.last_update_id,
                previous_update_id=self.previous_update_id,
                bids=tuple(read_level(price, size, "b") for price, size in self.bids),
                asks=tuple(read_level(price, size, "a") for price, size in self.asks),
                changed_at=read_ms(self.changed_ms, "T"),
            ),
        )


class Candle(
    Struct,
    rename={
        "interval": "i",
        "open": "o",
        "high": "h",
        "low": "l",
        "close": "c",
        "volume": "v",
        "quote_volume": "q",
        "symbol_opened_ms": "t",
        "symbol_closed_ms": "T",
        "contract_opened_ms": "ot",
        "contract_closed_ms": "ct",
    },
):
    """A candle of a symbol (`t`, `T`, `q`) or of a contract (`ot`, `ct`).

    Figures are Decimal because contract candles of 2025 were JSON numbers.
    """

    interval: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal | UnsetType = UNSET
    symbol_opened_ms: int | UnsetType = UNSET
    symbol_closed_ms: int | UnsetType = UNSET
    contract_opened_ms: int | UnsetType = UNSET
    contract_closed_ms: int | UnsetType = UNSET


class KlineEvent(Struct, tag_field="e", tag="kline", rename={"candle": "k"}):
    candle: Candle

    def values(self) -> tuple[Kline]:
        k, quoted = self.candle, self.candle.quote_volume
        return (
            Kline(
                interval=k.interval,
                opened_at=_either_ms(k.symbol_opened_ms, k.contract_opened_ms, "k.t or k.ot"),
                closed_at=_either_ms(k.symbol_closed_ms, k.contract_closed_ms, "k.T or k.ct"),
                open=read(money.price, str(k.open), "k.o"),
                high=read(money.price, str(k.high), "k.h"),
                low=read(money.price, str(k.low), "k.l"),
                close=read(money.price, str(k.close), "k.c"),
                volume=read(money.quantity, str(k.volume), "k.v"),
                quote_volume=None if quoted is UNSET else read(money.amount, str(quoted), "k.q"),
            ),
        )


_DAY = {
    "symbol": "s",
    "open": "o",
    "high": "h",
    "low": "l",
    "last": "c",
    "volume": "v",
    "quote_volume": "q",
}


class MiniTickerEvent(
    Struct, tag_field="e", tag="24hrMiniTicker", rename=_DAY | {"ticked_ms": "E"}
):
    symbol: str
    open: str
    high: str
    low: str
    last: str
    volume: str
    quote_volume: str
    ticked_ms: int

    def values(self) -> tuple[MiniTicker]:
        return (
            MiniTicker(
                symbol=Symbol(self.symbol),
                last=read(money.price, self.last, "c"),
                open=read(money.price, self.open, "o"),
                high=read(money.price, self.high, "h"),
                low=read(money.price, self.low, "l"),
                volume=read(money.quantity, self.volume, "v"),
                quote_volume=read(money.amount, self.quote_volume, "q"),
                ticked_at=read_ms(self.ticked_ms, "E"),
            ),
        )


_CHANGE = {"change_percent": "P", "average": "w", "opened_ms": "O", "closed_ms": "C", "count": "n"}


class DayTickerEvent(Struct, tag_field="e", tag="24hrTicker", rename=_DAY | _CHANGE):
    symbol: str
    open: str
    high: str
    low: str
    last: str
    volume: str
    quote_volume: str
    change_percent: str
    average: str
    opened_ms: int
    closed_ms: int
    count: int

    def values(self) -> tuple[DayTicker]:
        return (
            DayTicker(
                symbol=Symbol(self.symbol),
                last=read(money.price, self.last, "c"),
                open=read(money.price, self.open, "o"),
                high=read(money.price, self.high, "h"),
                low=read(money.price, self.low, "l"),
                weighted_average=read(money.price, self.average, "w"),
                volume=read(money.quantity, self.volume, "v"),
                quote_volume=read(money.amount, self.quote_volume, "q"),
                opened_at=read_ms(self.opened_ms, "O"),
                closed_at=read_ms(self.closed_ms, "C"),
                trade_count=self.count,
                change_percent=read(money.decimal_from_text, self.change_percent, "P"),
            ),
        )


def _either_ms(one: int | UnsetType, other: int | UnsetType, fields: str) -> datetime:
    milliseconds = other if one is UNSET else one
    if milliseconds is UNSET:
        raise UnexpectedShapeError(f"$.data.{fields}: both are missing")
    return read_ms(milliseconds, fields)
