"""Reading again what changes on the exchange without us: its lists, and wallets."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from oto.application.ports import Clock, Exchanges, NoCredentialsError
from oto.domain.account import AlphaHolding, AssetWallets
from oto.domain.errors import ExchangeError
from oto.domain.job import UserId
from oto.domain.market import Symbol, SymbolRules
from oto.domain.tokens import TokenInfo

_log = structlog.get_logger(__name__)


class Lists(Protocol):
    """The exchange's public lists."""

    def token_list(self) -> list[TokenInfo]: ...

    def exchange_info(self) -> dict[Symbol, SymbolRules]: ...


class CatalogStore(Protocol):
    def save(
        self, tokens: Iterable[TokenInfo], rules: Mapping[Symbol, SymbolRules], read_at: datetime
    ) -> int:
        """Store the lists and return how many pairs they have."""


class BalanceStore(Protocol):
    def trading(self) -> Sequence[UserId]: ...

    def save_wallets(self, user_id: UserId, wallets: AssetWallets, read_at: datetime) -> None: ...

    def save_alpha(
        self, user_id: UserId, holdings: Sequence[AlphaHolding], read_at: datetime
    ) -> None: ...


def refresh_catalog(lists: Lists, catalog: CatalogStore, clock: Clock) -> int:
    """Store what the exchange lists now; return how many pairs.

    Raises:
        ExchangeError: the lists could not be read; what was stored stays.
    """
    read_at = clock.now()
    return catalog.save(lists.token_list(), lists.exchange_info(), read_at)


def refresh_balances(store: BalanceStore, exchanges: Exchanges, clock: Clock) -> int:
    """Store what the wallets of every trading user hold; return how many were read."""
    read = 0
    for user_id in store.trading():
        try:
            read_wallets(user_id, store, exchanges, clock)
        except (ExchangeError, NoCredentialsError) as error:
            # The user's own jobs meet the same and say so.
            _log.info("wallets_not_read", user=user_id, error=type(error).__name__)
        else:
            read += 1
    return read


def read_wallets(user_id: UserId, store: BalanceStore, exchanges: Exchanges, clock: Clock) -> None:
    """Store what one user's wallets hold.

    Raises:
        ExchangeError: they could not be read.
        NoCredentialsError: nothing is stored to log in with.
    """
    exchange, read_at = exchanges.of(user_id), clock.now()
    wallets, holdings = exchange.usdt_wallets(), exchange.alpha_holdings()
    store.save_wallets(user_id, wallets, read_at)
    store.save_alpha(user_id, holdings, read_at)
