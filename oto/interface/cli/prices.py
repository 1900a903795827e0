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


def bids(house: House, symbols: Collection[Symbol]) -> dict[Symbol, Price]:
    """Return the best bid of each symbol that is streamed now."""
    found = ticks(house, symbols)
    return {symbol: tick.bid.price for symbol, tick in found.items() if tick.bid is not None}
