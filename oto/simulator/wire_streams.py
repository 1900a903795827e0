"""Market pushes in the shapes of the wire (PROTOCOL §2.2)."""

from collections.abc import Sequence
from typing import Any

from oto.domain import money
from oto.simulator.bars import Bar, MarketTrade, closed
from oto.simulator.market import Levels, Market
from oto.simulator.wire_market import (
    contract_key,
    day_ticker,
    levels,
    price_text,
    quantity_text,
    quote_text,
)

Payload = dict[str, Any]

_MOST_LEVELS = 2_000


def trade_payloads(market: Market, trade: MarketTrade, now_ms: int) -> dict[str, Payload]:
    """Write a trade for each of the streams that push it, by name."""
    rules = market.listing.rules
    lower = market.symbol.lower()
    price, quantity = price_text(rules, trade.price), quantity_text(rules, trade.quantity)
    shared = {"E": now_ms, "T": trade.at_ms, "s": market.symbol}
    figures = {"p": price, "q": quantity, "m": trade.buyer_is_maker}
    number = trade.trade_id
    agg = {"e": "aggTrade", **shared, "a": number, "f": number, "l": number, **figures}
    return {
        f"{lower}@aggTrade": agg,
        f"{lower}@trade": {"e": "trade", **shared, "t": number, **figures},
    }


def depth_push(market: Market, now_ms: int, bids: Levels, asks: Levels) -> Payload:
    rules = market.listing.rules
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "T": now_ms,
        "s": market.symbol,
        "b": levels(rules, bids, _MOST_LEVELS),
        "a": levels(rules, asks, _MOST_LEVELS),
    }


def kline_push(market: Market, bar: Bar, interval: str, now_ms: int) -> Payload:
    rules = market.listing.rules
    closed_ms = closed(bar.opened_ms, interval)
    candle = {
        "t": bar.opened_ms,
        "T": closed_ms,
        "s": market.symbol,
        "i": interval,
        "f": bar.first_id,
        "L": bar.last_id,
        "o": price_text(rules, bar.open),
        "c": price_text(rules, bar.close),
        "h": price_text(rules, bar.high),
        "l": price_text(rules, bar.low),
        "v": quantity_text(rules, bar.base),
        "n": bar.count,
        "x": now_ms > closed_ms,
        "q": quote_text(rules, bar.quote),
        "V": quantity_text(rules, bar.taker_base),
        "Q": quote_text(rules, bar.taker_quote),
        "B": "0",
    }
    return {"e": "kline", "E": now_ms, "s": market.symbol, "k": candle}


def contract_kline_push(market: Market, interval: str) -> Sequence[Payload]:
    bars = market.bars.last_two(interval)
    if not bars:
        return ()
    bar = bars[-1]
    candle = {"i": interval, "ot": bar.opened_ms, "ct": closed(bar.opened_ms, interval) + 1}
    figures = {"o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close, "v": bar.base}
    texts = {key: money.trimmed(value) for key, value in figures.items()}
    return ({"e": "kline", "ca": contract_key(market), "k": candle | texts},)


def mini_ticker_push(market: Market, now_ms: int) -> Payload:
    day = day_ticker(market, now_ms)
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": market.symbol,
        "c": day["lastPrice"],
        "o": day["openPrice"],
        "h": day["highPrice"],
        "l": day["lowPrice"],
        "v": day["volume"],
        "q": day["quoteVolume"],
    }


def ticker_push(market: Market, now_ms: int) -> Payload:
    day = day_ticker(market, now_ms)
    return mini_ticker_push(market, now_ms) | {
        "e": "24hrTicker",
        "p": day["priceChange"],
        "P": day["priceChangePercent"],
        "w": day["weightedAvgPrice"],
        "Q": day["lastQty"],
        "O": day["openTime"],
        "C": day["closeTime"],
        "F": day["firstId"],
        "L": day["lastId"],
        "n": day["count"],
    }
