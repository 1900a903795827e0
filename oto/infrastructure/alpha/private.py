"""One user's half of Binance Alpha over REST: wallets, orders, volume, score."""

from collections.abc import Callable, Collection
from datetime import datetime
from types import TracebackType
from typing import Self

from oto.domain.account import AlphaHolding, AssetTotal, AssetWallets, DayVolume, UserScore
from oto.domain.errors import UnexpectedShapeError
from oto.domain.market import AlphaId, Symbol
from oto.domain.money import Price
from oto.domain.orders import (
    Fill,
    LimitOrder,
    OrderId,
    OrderRow,
    OtoOrder,
    PlacedOto,
    Side,
)
from oto.infrastructure.alpha import endpoints, parse_account, parse_orders, requests
from oto.infrastructure.alpha.client import Query, always
from oto.infrastructure.alpha.credentials import Credentials, ListenKey
from oto.infrastructure.alpha.limits import Budget
from oto.infrastructure.alpha.times import in_ms
from oto.infrastructure.alpha.transport import DEFAULT_SETTINGS, Settings, Transport

_TERMS = {"termType": "ALPHA_CEX_ORDER_DISCLAIMER"}
_BALANCES = {"quoteAsset": "USDT", "needBalanceDetail": "true", "needEuFuture": "true"}
_TOTALS = {"needAlphaAsset": "1", "quoteAsset": "USDT"}
_CLOSED = "FILLED,PARTIALLY_FILLED,EXPIRED,CANCELED,REJECTED"
_ROWS = 500
_MOST_PAGES = 200


class PrivateAlpha:
    """The exchange as one user's session sees it; every call may raise an ExchangeError.

    `place`, `place_oto`, `cancel` and `cancel_all` are sent at most once. OutcomeUnknownError
    means that they may have had their effect, any other error that they had none.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        budget: Budget | None = None,
        settings: Settings = DEFAULT_SETTINGS,
    ) -> None:
        self._transport = Transport(base_url, credentials, budget, settings)

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

    def login_probe(self) -> None:
        """Return if the session is alive; what the answer says of the person is dropped."""
        self._transport.read(endpoints.LOGIN_PROBE, parse_account.nothing)

    def terms_accepted(self) -> bool:
        """Tell whether the user accepted the terms that limit orders need once."""
        return self._transport.read(endpoints.TERMS, parse_account.terms_accepted, _TERMS)

    def asset_wallets(self, asset: str = "USDT") -> AssetWallets:
        """Return the funding, spot and earn wallets of one asset."""
        return self._transport.read(
            endpoints.ASSET_WALLETS,
            lambda data: parse_account.asset_wallets(data, asset),
            body=requests.WALLETS,
        )

    def wallets_by_account(self, asset: str = "USDT") -> AssetWallets:
        """Return the same as `asset_wallets` by another call, for when that one fails."""
        return self._transport.read(
            endpoints.WALLETS_BY_ACCOUNT,
            lambda data: parse_account.wallets_by_account(data, asset),
            _BALANCES,
        )

    def asset_totals(self) -> list[AssetTotal]:
        """List every asset with its total over all wallets, Alpha tokens among them."""
        return self._transport.read(endpoints.ASSET_TOTALS, parse_account.asset_totals, _TOTALS)

    def average_costs(self, alpha_ids: Collection[AlphaId]) -> dict[AlphaId, Price]:
        """Return the average cost of each token that has one."""
        return self._transport.read(
            endpoints.AVERAGE_COSTS,
            parse_account.average_costs,
            body=requests.average_costs(alpha_ids),
        )

    def alpha_wallet(self) -> list[AlphaHolding]:
        return self._transport.read(endpoints.ALPHA_WALLET, parse_account.alpha_wallet)

    def day_volume(self) -> DayVolume:
        """Return today's BUY volume as the exchange counts it, multiplied and seconds late."""
        return self._transport.read(endpoints.DAY_VOLUME, parse_account.day_volume)

    def user_score(self) -> UserScore:
        return self._transport.read(endpoints.USER_SCORE, parse_account.user_score)

    def listen_key(self) -> ListenKey:
        """Return a key of the user stream; asking again is also how it is renewed."""
        return self._transport.read(
            endpoints.LISTEN_KEY, parse_account.listen_key, body=requests.EMPTY
        )

    def place(self, order: LimitOrder, may_send: Callable[[], bool] = always) -> OrderId:
        """Place a plain order, unless `may_send` forbids it at the last moment."""
        return self._transport.write(
            endpoints.PLACE, requests.limit_order(order), parse_orders.order_id, may_send
        )

    def place_oto(self, order: OtoOrder, may_send: Callable[[], bool] = always) -> PlacedOto:
        """Place both legs of an OTO, unless `may_send` forbids it at the last moment."""
        return self._transport.write(
            endpoints.PLACE_OTO, requests.oto_order(order), parse_orders.placed_oto, may_send
        )

    def cancel(self, symbol: Symbol, order_id: OrderId) -> None:
        """Cancel an order; the working order's id cancels an unfilled OTO as a whole."""
        self._transport.write(
            endpoints.CANCEL, requests.cancel(symbol, order_id), parse_account.nothing
        )

    def cancel_all(self) -> None:
        """Cancel every open order of this user, on all symbols."""
        self._transport.write(endpoints.CANCEL_ALL, requests.EMPTY, parse_account.nothing)

    def open_orders(self, side: Side | None = None) -> list[OrderRow]:
        query = {"side": side.value if side else ""}
        return self._transport.read(endpoints.OPEN_ORDERS, parse_orders.order_rows, query)

    def order_history(
        self, start_at: datetime, end_at: datetime, *, base_asset: str | None = None
    ) -> list[OrderRow]:
        """Return all limit orders of a window that are no longer new, newest first, over all pages.

        Raises:
            UnexpectedShapeError: the pages do not come to an end.
        """
        query: dict[str, str | int] = {
            "rows": _ROWS,
            "orderStatus": _CLOSED,
            "startTime": in_ms(start_at),
            "endTime": in_ms(end_at),
            "kind": "LIMIT",
        }
        return self._all_pages(query | ({"baseAsset": base_asset} if base_asset else {}))

    def _all_pages(self, query: dict[str, str | int]) -> list[OrderRow]:
        # Orders that arrive meanwhile push rows to the next page, so rows come twice. What closes
        # while the pages are read can be missing: the next read has it.
        found: dict[tuple[Symbol, OrderId], OrderRow] = {}
        for page in range(1, _MOST_PAGES + 1):
            rows, total = self._page(query | {"page": page})
            before = len(found)
            for row in rows:
                found.setdefault((row.symbol, row.order_id), row)
            if not rows or (total is not None and len(found) >= total):
                return list(found.values())
            if len(found) == before:
                raise UnexpectedShapeError("order history: a page brought nothing new")
        raise UnexpectedShapeError(f"order history: no end within {_MOST_PAGES} pages")

    def _page(self, query: Query) -> tuple[list[OrderRow], int | None]:
        return self._transport.read_page(
            endpoints.ORDER_HISTORY,
            lambda data, total: (parse_orders.order_rows(data), total),
            query,
        )

    def user_trades(self, symbol: Symbol, order_id: OrderId) -> list[Fill]:
        """Return the fills of one order, newest first; only their page id is unique."""
        query = {"orderId": order_id, "symbol": symbol}
        return self._transport.read(endpoints.USER_TRADES, parse_orders.fills, query)
