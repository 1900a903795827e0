"""The public market streams, and what they are called (PROTOCOL §2.2)."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from oto.domain.market import AlphaId, Symbol
from oto.infrastructure.alpha.socket import StreamListener, StreamSocket
from oto.infrastructure.alpha.states import STANDARD_TIMINGS, StreamTimings

PATH = "/w3w/wsa/stream"
ALL_TOKENS_TICKER = "came@allTokens@ticker24"

DepthInterval: TypeAlias = Literal["0ms", "100ms", "500ms"]


def agg_trade(symbol: Symbol) -> str:
    return f"{symbol.lower()}@aggTrade"


def book_ticker(symbol: Symbol) -> str:
    return f"{symbol.lower()}@bookTicker"


def full_depth(symbol: Symbol, interval: DepthInterval = "500ms") -> str:
    """Name the changes of the whole book; `LocalBook` needs this one, not the partial depth."""
    return f"{symbol.lower()}@fulldepth@{interval}"


def kline(symbol: Symbol, interval: str) -> str:
    """Name a pair's candles, 1m to 1M."""
    return f"{symbol.lower()}@kline_{interval}"


def contract_kline(contract_address: str, chain_id: str, interval: str) -> str:
    """Name a token's candles over all its pairs, 1s to 1d."""
    return f"came@{contract_address}@{chain_id}@kline_{interval}"


def short_kline(alpha_id: AlphaId, interval: str) -> str:
    """Name a token's candles by its Alpha id, as the web page does."""
    return f"came@{alpha_id.lower()}@short@kline_{interval}"


class MarketStream(StreamSocket):
    """Market streams of any number of symbols over one socket."""

    def __init__(
        self,
        ws_base_url: str,
        listener: StreamListener,
        timings: StreamTimings = STANDARD_TIMINGS,
    ) -> None:
        super().__init__(ws_base_url.rstrip("/") + PATH, listener, timings, name="market")

    def watch(self, symbol: Symbol) -> None:
        """Follow a symbol's aggregate trades and best bid and ask."""
        self.subscribe(_watched(symbol))

    def unwatch(self, symbol: Symbol) -> None:
        """Follow this symbol's trades and best prices no more."""
        self.unsubscribe(_watched(symbol))


def _watched(symbol: Symbol) -> Iterable[str]:
    return agg_trade(symbol), book_ticker(symbol)
