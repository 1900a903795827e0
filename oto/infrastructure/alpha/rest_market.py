"""Prices over REST: for when the stream, or Redis, is not there."""

import threading
import time

import structlog

from oto.application.ports import Clock
from oto.domain.errors import ExchangeError
from oto.domain.market import Symbol
from oto.domain.tick import Tick
from oto.infrastructure.alpha.public import PublicAlpha

_KEPT_S = 0.5
_LEVELS = 5

_log = structlog.get_logger(__name__)


class RestMarket:
    """The port `MarketData`, asked anew at most twice a second for each symbol."""

    def __init__(self, public: PublicAlpha, clock: Clock) -> None:
        self._public = public
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Symbol, tuple[float, Tick | None]] = {}

    def read(self, symbol: Symbol) -> Tick | None:
        with self._lock:
            asked_at, tick = self._kept.get(symbol, (0.0, None))
            if time.monotonic() - asked_at < _KEPT_S:
                return tick
            tick = self._ask(symbol)
            self._kept[symbol] = (time.monotonic(), tick)
            return tick

    def _ask(self, symbol: Symbol) -> Tick | None:
        try:
            book = self._public.full_depth(symbol, _LEVELS)
            trades = self._public.agg_trades(symbol, 1)
        except ExchangeError as error:
            _log.warning("price_not_read", symbol=symbol, error=type(error).__name__)
            return None
        last = max(trades, key=lambda trade: trade.trade_id, default=None)
        return Tick(
            symbol=symbol,
            sequence=book.last_update_id,
            connected=True,
            received_at=self._clock.now(),
            trade_price=None if last is None else last.price,
            traded_at=None if last is None else last.traded_at,
            bid=book.bids[0] if book.bids else None,
            ask=book.asks[0] if book.asks else None,
            book_changed_at=book.taken_at,
        )
