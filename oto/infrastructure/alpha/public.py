"""Market data of Binance Alpha, which needs no session."""

from datetime import datetime
from types import TracebackType
from typing import Self

import structlog

from oto.domain.market import (
    AggTrade,
    BookSnapshot,
    DayTicker,
    FeeRates,
    Kline,
    Symbol,
    SymbolRules,
)
from oto.domain.tokens import PairAssets, TokenDetails, TokenInfo
from oto.infrastructure.alpha import endpoints, parse_market
from oto.infrastructure.alpha.limits import Budget
from oto.infrastructure.alpha.times import in_ms
from oto.infrastructure.alpha.transport import DEFAULT_SETTINGS, Settings, Transport

_AGGREGATE = {"dataType": "aggregate"}

_log = structlog.get_logger(__name__)


class PublicAlpha:
    """The exchange's public half over REST; every call may raise an ExchangeError."""

    def __init__(
        self, base_url: str, *, budget: Budget | None = None, settings: Settings = DEFAULT_SETTINGS
    ) -> None:
        self._transport = Transport(base_url, budget=budget, settings=settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def token_list(self) -> list[TokenInfo]:
        """List every Alpha token, tradable or not."""
        return self._transport.read(endpoints.TOKEN_LIST, parse_market.tokens)

    def tickers(self) -> list[TokenInfo]:
        """List every Alpha token with fresh prices."""
        return self._transport.read(endpoints.TICKERS, parse_market.tokens, _AGGREGATE)

    def ticker(self, symbol: Symbol) -> DayTicker:
        query = {"symbol": symbol}
        return self._transport.read(endpoints.TICKER, parse_market.day_ticker, query)

    def token_info(self, chain_id: str, contract: str) -> TokenDetails:
        """Return one token's figures; whether it can be traded is in the token list only."""
        query = {"chainId": chain_id, "contractAddress": contract}
        return self._transport.read(endpoints.TOKEN_INFO, parse_market.token_details, query)

    def quote_assets(self) -> list[str]:
        """List the assets that tokens are paid with."""
        return self._transport.read(endpoints.QUOTE_ASSETS, parse_market.quote_assets)

    def pair_assets(self) -> PairAssets:
        return self._transport.read(endpoints.PAIR_ASSETS, parse_market.pair_assets)

    def exchange_info(self) -> dict[Symbol, SymbolRules]:
        """Return every symbol's rules; log, once, the symbols that could not be read."""
        found = self._transport.read(endpoints.EXCHANGE_INFO, parse_market.exchange_rules)
        if found.unreadable:
            _log.warning("exchange_info.unreadable_symbols", symbols=found.unreadable)
        return found.rules

    def fee_rates(self, symbol: Symbol) -> FeeRates:
        query = {"symbol": symbol}
        return self._transport.read(endpoints.FEE_RATES, parse_market.fee_rates, query)

    def full_depth(self, symbol: Symbol, limit: int = 500) -> BookSnapshot:
        """Return the book; `limit` is 5, 10, 20, 50, 100, 500 or 1000 levels a side."""
        query = _window(symbol, limit, None, None)
        return self._transport.read(endpoints.FULL_DEPTH, parse_market.full_depth, query)

    def agg_trades(
        self,
        symbol: Symbol,
        limit: int = 500,
        *,
        from_id: int | None = None,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
    ) -> list[AggTrade]:
        query = _window(symbol, limit, start_at, end_at)
        if from_id is not None:
            query["fromId"] = from_id
        return self._transport.read(
            endpoints.AGG_TRADES, lambda data: parse_market.agg_trades(data, symbol), query
        )

    def klines(
        self,
        symbol: Symbol,
        interval: str,
        limit: int = 500,
        *,
        start_at: datetime | None = None,
        end_at: datetime | None = None,
    ) -> list[Kline]:
        """Return candles; for the words of `interval` see PROTOCOL §1.3.3."""
        query = _window(symbol, limit, start_at, end_at) | {"interval": interval}
        return self._transport.read(
            endpoints.KLINES, lambda data: parse_market.klines(data, interval), query
        )

    def agg_klines(
        self, chain_id: str, contract: str, interval: str, limit: int = 500
    ) -> list[Kline]:
        """Return candles of a token over all its pairs, without their quote volume."""
        query = {"chainId": chain_id, "tokenAddress": contract, "interval": interval}
        return self._transport.read(
            endpoints.AGG_KLINES,
            lambda data: parse_market.agg_klines(data, interval),
            query | {"limit": str(limit)} | _AGGREGATE,
        )


def _window(
    symbol: Symbol, limit: int, start_at: datetime | None, end_at: datetime | None
) -> dict[str, str | int]:
    query: dict[str, str | int] = {"symbol": symbol, "limit": limit}
    if start_at is not None:
        query["startTime"] = in_ms(start_at)
    if end_at is not None:
        query["endTime"] = in_ms(end_at)
    return query
