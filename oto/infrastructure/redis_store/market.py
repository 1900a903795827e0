"""Prices for the trading loop: no Redis is no price, and no price is a wait."""

import redis
import structlog

from oto.domain.market import Symbol
from oto.domain.tick import Tick
from oto.infrastructure.redis_store.ticks import TickStore

_log = structlog.get_logger(__name__)


class RedisMarket:
    """The port `MarketData` over the tick store."""

    def __init__(self, ticks: TickStore) -> None:
        self._ticks = ticks

    def read(self, symbol: Symbol) -> Tick | None:
        try:
            return self._ticks.read(symbol)
        except redis.RedisError as error:
            _log.warning("price_not_read", symbol=symbol, error=type(error).__name__)
            return None
