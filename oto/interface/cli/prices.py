"""Prices to value with, from what the price-streamer wrote last."""

from collections.abc import Collection

import redis

from oto.bootstrap import House
from oto.domain.market import Symbol
from oto.domain.money import Price
from oto.domain.tick import Tick


def ticks(house: House, symbols: Collection[Symbol]) -> dict[Symbol, Tick]:
    """Return the latest ticks of the symbols that are streamed now.

    Without Redis there are none: a value at an older price is better than no answer.
    """
    try:
        found = house.ticks.read_many(symbols)
    except redis.RedisError:
        return {}
    return {symbol: tick for symbol, tick in found.items() if tick.connected}


def mark(tick: Tick | None) -> Price | None:
    """Return what tokens are valued at: the best bid, or the last trade where that is lower.

    The published book can hold bids far above the market that nobody can sell to.
    """
    if tick is None or tick.bid is None:
        return None
    bid = tick.bid.price
    return min(bid, tick.trade_price or bid)


def marks(house: House, symbols: Collection[Symbol]) -> dict[Symbol, Price]:
    """Return the mark of each symbol that is streamed now."""
    found = {symbol: mark(tick) for symbol, tick in ticks(house, symbols).items()}
    return {symbol: price for symbol, price in found.items() if price is not None}
