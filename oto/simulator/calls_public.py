"""Public calls: tokens, rules, books, trades, candles (PROTOCOL §1.3)."""

from typing import Any

from oto.domain import money
from oto.simulator.bars import INTERVALS_MS, Bar, closed
from oto.simulator.calls import Answer, Call
from oto.simulator.market import Market
from oto.simulator.refusals import Code, Refusal
from oto.simulator.wire_market import (
    agg_trade,
    day_ticker,
    kline_row,
    levels,
    token_row,
)

_MOST_ROWS = 1_000
_META = (
    *("tokenId", "name", "symbol", "chainId", "chainName", "contractAddress", "decimals"),
    *("alphaId", "tradeDecimal", "listingTime", "onlineAirdrop"),
)
_STATS = (
    *("volume24h", "marketCap", "fdv", "liquidity", "priceHigh24h", "priceLow24h"),
    *("count24h", "holders"),
)


def token_list(call: Call) -> Answer:
    return Answer([token_row(one, call.exchange.now_ms) for one in _markets(call)])


def token_full_info(call: Call) -> Answer:
    market = _by_contract(call, call.query.get("contractAddress", ""))
    row = token_row(market, call.exchange.now_ms)
    return Answer(
        {
            # Captured: false for a token that was trading.
            "metaInfo": {key: row.get(key) for key in _META} | {"trading": False},
            "statsInfo": {key: row.get(key) for key in _STATS},
            "priceInfo": {key: row.get(key) for key in ("price", "percentChange24h")},
        }
    )


def chain_list(call: Call) -> Answer:
    chains = {one.listing.token_row["chainId"]: one.listing.token_row for one in _markets(call)}
    return Answer(
        [{"chainId": key, "chainName": row.get("chainName", "")} for key, row in chains.items()]
    )


def pair_config(call: Call) -> Answer:
    del call
    return Answer({"stockAssetList": ["USDT"], "tokenAssetList": []})


def quote_assets(call: Call) -> Answer:
    del call
    return Answer(["USDT", "USDC", "U"])


def exchange_info(call: Call) -> Answer:
    rows = [market.listing.info_row for market in _markets(call)]
    assets = [{"asset": "USDT"}, *({"asset": row["baseAsset"]} for row in rows)]
    return Answer({"timezone": "UTC", "assets": assets, "symbols": rows, "orderTypes": ""})


def ticker(call: Call) -> Answer:
    return Answer(day_ticker(_market(call), call.exchange.now_ms))


def agg_trades(call: Call) -> Answer:
    market = _market(call)
    first = call.number("fromId", 0)
    start, end = call.number("startTime", 0), call.number("endTime", call.exchange.now_ms)
    found = [
        trade
        for trade in market.bars.trades
        if trade.trade_id >= first and start <= trade.at_ms <= end
    ]
    most = _rows(call, 500)
    kept = found[:most] if first else found[-most:]
    return Answer([agg_trade(market.listing.rules, trade) for trade in kept])


def klines(call: Call) -> Answer:
    market, interval = _market(call), _interval(call)
    rows = [kline_row(market.listing.rules, bar, interval) for bar in _bars(call, market, interval)]
    return Answer(rows)


def agg_klines(call: Call) -> Answer:
    market, interval = _by_contract(call, call.query.get("tokenAddress", "")), _interval(call)
    rows = []
    for bar in _bars(call, market, interval):
        figures = (bar.open, bar.high, bar.low, bar.close, bar.base)
        texts = [money.trimmed(value) for value in figures]
        rows.append([str(bar.opened_ms), *texts, str(closed(bar.opened_ms, interval))])
    return Answer({"klineInfos": rows})  # the wrapper was not captured; the name is a guess


def full_depth(call: Call) -> Answer:
    market = _market(call)
    rules, now_ms = market.listing.rules, call.exchange.now_ms
    bids, asks = market.published_book(call.exchange.settings)
    most = _rows(call, 500)
    return Answer(
        {
            "lastUpdateId": market.book_id,
            "symbol": rules.symbol,
            "bids": levels(rules, bids, most),
            "asks": levels(rules, asks, most),
            "E": now_ms,
            "T": now_ms,
        }
    )


def fee_rate(call: Call) -> Answer:
    _market(call)
    millionths = call.exchange.settings.fee_millionths
    return Answer({"buyerCommission": millionths, "sellerCommission": millionths})


def token_audit(call: Call) -> Answer:
    _by_contract(call, str(call.field("contractAddress")))
    audit: dict[str, Any] = {"riskLevelEnum": "LOW", "riskLevel": 1, "riskItems": []}
    return Answer(audit | {"extraInfo": {"buyTax": "0", "sellTax": "0"}})


def _markets(call: Call) -> list[Market]:
    return list(call.exchange.markets.values())


def _market(call: Call) -> Market:
    return call.exchange.market(call.query.get("symbol", "").upper())


def _by_contract(call: Call, address: str) -> Market:
    for market in _markets(call):
        if market.listing.token_row["contractAddress"].lower() == address.lower():
            return market
    raise Refusal(Code.NOT_FOUND)


def _interval(call: Call) -> str:
    interval = call.query.get("interval", "")
    if interval not in INTERVALS_MS:
        raise Refusal(Code.INVALID_FORMAT)
    return interval


def _bars(call: Call, market: Market, interval: str) -> list[Bar]:
    start, end = call.number("startTime", 0), call.number("endTime", call.exchange.now_ms)
    bars = [bar for bar in market.bars.klines(interval) if start <= bar.opened_ms <= end]
    return bars[-_rows(call, 500) :]


def _rows(call: Call, default: int) -> int:
    return max(1, min(call.number("limit", default), _MOST_ROWS))
