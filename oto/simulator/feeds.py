"""The market streams: which names exist, and what each of them pushes (PROTOCOL §2.2)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from oto.domain import money
from oto.simulator.bars import INTERVALS_MS
from oto.simulator.exchange import Exchange
from oto.simulator.market import Levels, Market
from oto.simulator.wire_market import contract_key, levels, ticker_list_item
from oto.simulator.wire_streams import (
    Payload,
    contract_kline_push,
    depth_push,
    kline_push,
    mini_ticker_push,
    ticker_push,
)

_SECOND_MS = 1_000
_GONE = Decimal(0)


@dataclass(slots=True)
class Feed:
    """One subscribed stream that pushes by itself; `payloads` may have nothing to tell.

    With a period of None it pushes whenever its symbol's book moves.
    """

    period_ms: int | None
    payloads: Callable[[], Sequence[Payload]]
    symbol: str = ""


class DepthFeed:
    """Changed levels since the last push; the first push is against the book at subscription."""

    def __init__(self, exchange: Exchange, market: Market) -> None:
        self._exchange = exchange
        self._market = market
        self._last = self._book()
        self._last_id = market.book_id

    def payloads(self) -> Sequence[Payload]:
        market = self._market
        bids, asks = self._book()
        changed_bids, changed_asks = _changes(self._last[0], bids), _changes(self._last[1], asks)
        if not (changed_bids or changed_asks):
            return ()
        push = depth_push(market, self._exchange.now_ms, changed_bids, changed_asks)
        # Ids are one global counter: the first id of a push is not the last one's plus one.
        push |= {
            "U": market.first_move_after(self._last_id),
            "u": market.book_id,
            "pu": self._last_id,
        }
        self._last, self._last_id = (bids, asks), market.book_id
        return (push,)

    def _book(self) -> tuple[Levels, Levels]:
        return self._market.published_book(self._exchange.settings)


class TopFeed:
    """Best bid and ask, whenever one of them changes."""

    def __init__(self, exchange: Exchange, market: Market) -> None:
        self._exchange = exchange
        self._market = market
        self._last: Payload = {}

    def payloads(self) -> Sequence[Payload]:
        market, now_ms = self._market, self._exchange.now_ms
        rules = market.listing.rules
        bids, asks = market.published_book(self._exchange.settings)
        top: Payload = {}
        for side, (price, quantity) in ((bids, ("b", "B")), (asks, ("a", "A"))):
            for at, of in levels(rules, side, 1) or [["0", "0"]]:
                top |= {price: at, quantity: of}
        if top == self._last:
            return ()
        self._last = top
        times = {"E": now_ms, "T": now_ms, "u": market.book_id}
        return ({"e": "bookTicker", **times, "s": market.symbol, **top},)


def find_feed(name: str, exchange: Exchange) -> Feed | None:
    """Return what a stream name pushes by itself, or None."""
    for pattern, make in _PATTERNS:
        if found := re.fullmatch(pattern, name):
            return make(exchange, found)
    return None


def _full_depth(exchange: Exchange, found: re.Match[str]) -> Feed | None:
    market = _market(exchange, found["symbol"])
    if market is None:
        return None
    return Feed(_period(found["period"]), DepthFeed(exchange, market).payloads, market.symbol)


def _partial_depth(exchange: Exchange, found: re.Match[str]) -> Feed | None:
    market = _market(exchange, found["symbol"])
    if market is None:
        return None
    most = int(found["levels"] or 20)
    last_id = market.book_id

    def payloads() -> Sequence[Payload]:
        nonlocal last_id
        if market.book_id == last_id:
            return ()
        rules = market.listing.rules
        bids, asks = market.published_book(exchange.settings)
        shown = levels(rules, bids, most), levels(rules, asks, most)
        push = {"e": "depthUpdate", "E": exchange.now_ms, "T": exchange.now_ms}
        first_id = market.first_move_after(last_id)
        push |= {"U": first_id, "u": market.book_id, "pu": last_id, "s": market.symbol}
        last_id = market.book_id
        return (push | {"b": shown[0], "a": shown[1]},)

    return Feed(_period(found["period"] or "500ms"), payloads, market.symbol)


def _top(exchange: Exchange, found: re.Match[str]) -> Feed | None:
    market = _market(exchange, found["symbol"])
    if market is None:
        return None
    return Feed(None, TopFeed(exchange, market).payloads, market.symbol)


def _all_tops(exchange: Exchange, found: re.Match[str]) -> Feed:
    del found
    feeds = [TopFeed(exchange, market) for market in exchange.markets.values()]
    return Feed(100, lambda: [push for feed in feeds for push in feed.payloads()])


def _kline(exchange: Exchange, found: re.Match[str]) -> Feed | None:
    market, interval = _market(exchange, found["symbol"]), found["interval"]
    if market is None or interval not in INTERVALS_MS:
        return None

    shown_ms = ended_ms = -1

    def payloads() -> Sequence[Payload]:
        """Push the last candle, and once more, closed, the one that was shown before it."""
        nonlocal shown_ms, ended_ms
        pushes = []
        bars = market.bars.last_two(interval)
        for bar in bars:
            if bar.opened_ms > ended_ms and (bar is bars[-1] or bar.opened_ms == shown_ms):
                pushes.append(kline_push(market, bar, interval, exchange.now_ms))
                shown_ms = bar.opened_ms
                ended_ms = shown_ms if pushes[-1]["k"]["x"] else ended_ms
        return pushes

    return Feed(_SECOND_MS, payloads)


def _contract_kline(exchange: Exchange, found: re.Match[str]) -> Feed | None:
    wanted, interval = found["contract"].lower(), found["interval"]
    for market in exchange.markets.values():
        short = market.listing.rules.base_asset.lower()
        if wanted in {contract_key(market).lower(), f"{short}@short"}:
            return Feed(_SECOND_MS, partial(contract_kline_push, market, interval))
    return None


def _day_tickers(exchange: Exchange, found: re.Match[str]) -> Feed | None:
    write = mini_ticker_push if "mini" in found["kind"] else ticker_push
    if found["symbol"] is None:
        markets = list(exchange.markets.values())
    else:
        one = _market(exchange, found["symbol"])
        if one is None:
            return None
        markets = [one]
    return Feed(_SECOND_MS, lambda: [write(market, exchange.now_ms) for market in markets])


def _token_tickers(exchange: Exchange, found: re.Match[str]) -> Feed:
    del found

    def payloads() -> Sequence[Payload]:
        markets = exchange.markets.values()
        rows = [ticker_list_item(market, exchange.now_ms) for market in markets]
        return ({"e": "tickerList", "d": rows},)

    return Feed(_SECOND_MS, payloads)


_SYMBOL = r"(?P<symbol>[a-z0-9_]+)"
_PATTERNS: list[tuple[str, Callable[[Exchange, re.Match[str]], Feed | None]]] = [
    (_SYMBOL + r"@fulldepth@(?P<period>0ms|100ms|500ms)", _full_depth),
    (_SYMBOL + r"@depth(?P<levels>5|10|20)?(@(?P<period>0ms|100ms|500ms))?", _partial_depth),
    (_SYMBOL + r"@bookTicker", _top),
    (r"!bookTicker", _all_tops),
    (_SYMBOL + r"@kline_(?P<interval>\w+)", _kline),
    (r"came@(?P<contract>[^@]+@[^@]+)@kline_(?P<interval>1s|1m|5m|15m|1h|4h|1d)", _contract_kline),
    (_SYMBOL + r"@(?P<kind>miniTicker|ticker)", _day_tickers),
    (r"!(?P<kind>miniTicker|ticker)@arr(?P<symbol>(?!))?", _day_tickers),
    (r"came@allTokens@ticker24", _token_tickers),
]


def _market(exchange: Exchange, lower: str) -> Market | None:
    return next((one for one in exchange.markets.values() if one.symbol.lower() == lower), None)


def _period(text: str) -> int | None:
    return int(text.removesuffix("ms")) or None


def _changes(before: Levels, now: Levels) -> Levels:
    gone = {price: money.Quantity(_GONE) for price in before if price not in now}
    return {price: of for price, of in now.items() if before.get(price) != of} | gone
