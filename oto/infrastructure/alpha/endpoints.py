"""Every call that the adapter makes, in its 2026 form (PROTOCOL §1, §7)."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class WritePurpose(Enum):
    """What a write does; cancels go first."""

    PLACE = "place"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call: its name in logs and errors, and where it goes."""

    name: str
    method: Literal["GET", "POST"]
    path: str
    needs_session: bool


@dataclass(frozen=True, slots=True)
class ReadEndpoint(Endpoint):
    """A call that changes nothing and may be repeated; some reads are POSTs."""


@dataclass(frozen=True, slots=True)
class WriteEndpoint(Endpoint):
    """A call that may have an effect even when it seems to fail; it is sent once."""

    purpose: WritePurpose


_TRADE = "/bapi/defi/v1/public/alpha-trade"
_TOKENS = "/bapi/defi/v1/public/wallet-direct/buw/wallet/cex/alpha"
_ASSETS = "/bapi/asset/v2/private/asset-service/wallet"
_WALLET = "/bapi/defi/v1/private/wallet-direct"
_ORDERS = "/bapi/defi/v1/private/alpha-trade"
_PLACING = "/bapi/asset/v1/private/alpha-trade"


def _public(name: str, path: str) -> ReadEndpoint:
    return ReadEndpoint(name, "GET", path, needs_session=False)


def _private(name: str, path: str, method: Literal["GET", "POST"] = "GET") -> ReadEndpoint:
    return ReadEndpoint(name, method, path, needs_session=True)


def _write(name: str, path: str, purpose: WritePurpose) -> WriteEndpoint:
    return WriteEndpoint(name, "POST", path, needs_session=True, purpose=purpose)


TOKEN_LIST = _public("token list", f"{_TOKENS}/all/token/list")
TOKEN_INFO = _public("token info", f"{_TOKENS}/token/full/info")
PAIR_ASSETS = _public("pair assets", f"{_TOKENS}/token/pair/cfg/list")
QUOTE_ASSETS = _public("quote assets", f"{_TRADE}/get-from-asset")
TICKERS = _public("tickers", f"{_TRADE}/aggTicker24")
EXCHANGE_INFO = _public("exchange info", f"{_TRADE}/get-exchange-info")
TICKER = _public("ticker", f"{_TRADE}/ticker")
FEE_RATES = _public("fee rates", f"{_TRADE}/get-fee-rate")
FULL_DEPTH = _public("full depth", f"{_TRADE}/fullDepth")
AGG_TRADES = _public("aggregate trades", f"{_TRADE}/agg-trades")
KLINES = _public("klines", f"{_TRADE}/klines")
AGG_KLINES = _public("aggregate klines", f"{_TRADE}/agg-klines")

LOGIN_PROBE = _private("login probe", "/bapi/accounts/v1/private/account/get-user-base-info")
TERMS = _private("terms accepted", f"{_WALLET}/swap/terms-agreement")
ASSET_WALLETS = _private(
    "asset wallets", "/bapi/asset/v3/private/asset-service/asset/get-wallet-asset", "POST"
)
WALLETS_BY_ACCOUNT = _private("wallets by account", f"{_ASSETS}/balance")
ASSET_TOTALS = _private("asset totals", f"{_ASSETS}/asset")
ALPHA_WALLET = _private("alpha wallet", f"{_WALLET}/cloud-wallet/alpha")
AVERAGE_COSTS = _private("average costs", "/bapi/apex/v1/private/apex/alpha/pnl/avg-cost", "POST")
DAY_VOLUME = _private("day volume", f"{_WALLET}/buw/wallet/today/user-volume")
USER_SCORE = _private("user score", f"{_WALLET}/buw/tge/common/user-score")
OPEN_ORDERS = _private("open orders", f"{_ORDERS}/order/get-open-order")
ORDER_HISTORY = _private("order history", f"{_ORDERS}/order/get-order-history-merge")
USER_TRADES = _private("user trades", f"{_ORDERS}/order/get-user-trades")
LISTEN_KEY = _private("listen key", f"{_ORDERS}/get-listen-key", "POST")

PLACE = _write("place", f"{_PLACING}/order/place", WritePurpose.PLACE)
PLACE_OTO = _write("place OTO", f"{_PLACING}/oto-order/place", WritePurpose.PLACE)
CANCEL = _write("cancel", f"{_ORDERS}/order/cancel", WritePurpose.CANCEL)
CANCEL_ALL = _write("cancel all", f"{_ORDERS}/order/cancel-all", WritePurpose.CANCEL)

READS = (
    TOKEN_LIST,
    TOKEN_INFO,
    PAIR_ASSETS,
    QUOTE_ASSETS,
    TICKERS,
    EXCHANGE_INFO,
    TICKER,
    FEE_RATES,
    FULL_DEPTH,
    AGG_TRADES,
    KLINES,
    AGG_KLINES,
    LOGIN_PROBE,
    TERMS,
    ASSET_WALLETS,
    WALLETS_BY_ACCOUNT,
    ASSET_TOTALS,
    ALPHA_WALLET,
    AVERAGE_COSTS,
    DAY_VOLUME,
    USER_SCORE,
    OPEN_ORDERS,
    ORDER_HISTORY,
    USER_TRADES,
    LISTEN_KEY,
)
WRITES = (PLACE, PLACE_OTO, CANCEL, CANCEL_ALL)
