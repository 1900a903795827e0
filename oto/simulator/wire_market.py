"""Public market data in the shapes of the wire (PROTOCOL §1.3 and §2.2)."""

from decimal import Decimal
from typing import Any

from oto.domain import money
from oto.domain.market import SymbolRules
from oto.simulator.bars import Bar, MarketTrade, closed
from oto.simulator.market import Levels, Market

_DAY_MS = 86_400_000


def price_text(rules: SymbolRules, value: Decimal) -> str:
    return money.padded(value, rules.price_precision)


def quantity_text(rules: SymbolRules, value: Decimal) -> str:
    return money.padded(value, rules.quantity_precision)


def quote_text(rules: SymbolRules, value: Decimal) -> str:
    return money.padded(value, rules.quote_precision)


def levels(rules: SymbolRules, side: Levels, most: int) -> list[list[str]]:
    rows = list(side.items())[:most]
    return [[price_text(rules, at), quantity_text(rules, of)] for at, of in rows]


def agg_trade(rules: SymbolRules, trade: MarketTrade) -> dict[str, Any]:
    """Write one aggregate trade as REST lists it."""
    return {
        "a": trade.trade_id,
        "p": price_text(rules, trade.price),
        "q": quantity_text(rules, trade.quantity),
        "f": trade.trade_id,
        "l": trade.trade_id,
        "T": trade.at_ms,
        "m": trade.buyer_is_maker,
    }


def kline_row(rules: SymbolRules, bar: Bar, interval: str) -> list[str | int]:
    """Write one candle as REST lists it: strings, and a last int."""
    return [
        str(bar.opened_ms),
        *(price_text(rules, value) for value in (bar.open, bar.high, bar.low, bar.close)),
        quantity_text(rules, bar.base),
        str(closed(bar.opened_ms, interval)),
        quote_text(rules, bar.quote),
        str(bar.count),
        quantity_text(rules, bar.taker_base),
        quote_text(rules, bar.taker_quote),
        0,
    ]


def day_ticker(market: Market, now_ms: int) -> dict[str, Any]:
    """Write the rolling 24 hours as REST lists them."""
    rules = market.listing.rules
    price = market.last_price
    bar = market.bars.day(now_ms) or Bar(now_ms, price, price, price, price)
    change = bar.close - bar.open
    average = money.average_price_floor(
        money.Amount(bar.quote), money.Quantity(bar.base), rules.price_precision
    )
    last = market.bars.trades[-1].quantity if market.bars.trades else Decimal(0)
    return {
        "symbol": rules.symbol,
        "priceChange": price_text(rules, change),
        "priceChangePercent": percent(bar),
        "weightedAvgPrice": price_text(rules, average),
        "lastPrice": price_text(rules, bar.close),
        "lastQty": quantity_text(rules, last),
        "openPrice": price_text(rules, bar.open),
        "highPrice": price_text(rules, bar.high),
        "lowPrice": price_text(rules, bar.low),
        "volume": quantity_text(rules, bar.base),
        "quoteVolume": quote_text(rules, bar.quote),
        "openTime": now_ms - _DAY_MS,
        "closeTime": now_ms,
        "firstId": bar.first_id,
        "lastId": bar.last_id,
        "count": bar.count,
    }


def percent(bar: Bar) -> str:
    """Return the change of a candle in percent, three decimals."""
    return money.plain(money.half_up_to((bar.close - bar.open) * 100 / bar.open, 3))


def token_row(market: Market, now_ms: int) -> dict[str, Any]:
    """Write a token list item with the market's own figures of now."""
    row = dict(market.listing.token_row)
    bar = market.bars.day(now_ms)
    if bar is None:
        return row
    return row | {
        "price": money.trimmed(bar.close),
        "percentChange24h": percent(bar),
        "volume24h": money.trimmed(bar.quote),
        "priceHigh24h": money.trimmed(bar.high),
        "priceLow24h": money.trimmed(bar.low),
        "count24h": str(bar.count),
    }


def contract_key(market: Market) -> str:
    """Return `contract@chain`, the key of a token in streams."""
    row = market.listing.token_row
    return f"{row['contractAddress']}@{row['chainId']}"


def ticker_list_item(market: Market, now_ms: int) -> dict[str, Any]:
    """Write one token of the all-tokens ticker stream."""
    row = token_row(market, now_ms)
    return {
        "ca": contract_key(market),
        "p": row["price"],
        "pc24": row["percentChange24h"],
        "vol24": row["volume24h"],
        "mc": row["marketCap"],
        "fdv": row["fdv"],
        "liq": row["liquidity"],
        "hc": row["holders"],
        "cnt24": int(row.get("count24h") or 0),
        "s": str(row["score"]),
        "t": now_ms,
    }
