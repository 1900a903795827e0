"""One user's exchange as the trading loop sees it: approved orders in, domain values out."""

from collections.abc import Callable, Sequence
from datetime import datetime

from oto.domain.account import AlphaHolding, AssetWallets
from oto.domain.errors import RefusalReason, RefusedError
from oto.domain.leg import LegFill
from oto.domain.market import AlphaId, Symbol
from oto.domain.money import Amount
from oto.domain.orders import Fill, LimitOrder, OrderId, OrderRow, OtoOrder, PlacedOto
from oto.domain.risk.verdict import Approved
from oto.infrastructure.alpha.private import PrivateAlpha


class UserExchange:
    """The port `Exchange` over one user's session."""

    def __init__(self, alpha: PrivateAlpha) -> None:
        self._alpha = alpha

    def place_oto(self, approved: Approved[OtoOrder], may_send: Callable[[], bool]) -> PlacedOto:
        return self._alpha.place_oto(approved.order, may_send)

    def place_exit(self, approved: Approved[LimitOrder], may_send: Callable[[], bool]) -> OrderId:
        try:
            return self._alpha.place(approved.order, may_send)
        except RefusedError as error:
            # The exchange has one code for both; what a SELL needs is not USDT.
            if error.reason is not RefusalReason.INSUFFICIENT_BALANCE:
                raise
            tokens = RefusalReason.INSUFFICIENT_TOKENS
            raise RefusedError(tokens, error.code, error.message) from error

    def cancel(self, symbol: Symbol, order_id: OrderId) -> None:
        self._alpha.cancel(symbol, order_id)

    def open_orders(self) -> Sequence[OrderRow]:
        return self._alpha.open_orders()

    def closed_orders(
        self, base_asset: AlphaId | None, start_at: datetime, end_at: datetime
    ) -> Sequence[OrderRow]:
        return self._alpha.order_history(start_at, end_at, base_asset=base_asset)

    def fills(self, symbol: Symbol, order_id: OrderId) -> Sequence[LegFill]:
        return [leg_fill(fill) for fill in self._alpha.user_trades(symbol, order_id)]

    def usdt_wallets(self) -> AssetWallets:
        return self._alpha.asset_wallets("USDT")

    def alpha_holdings(self) -> Sequence[AlphaHolding]:
        return self._alpha.alpha_wallet()

    def terms_accepted(self) -> bool:
        return self._alpha.terms_accepted()

    def counted_today(self) -> Amount:
        return self._alpha.day_volume().counted_usd


def leg_fill(fill: Fill) -> LegFill:
    """Return a fill row of REST as the ledger keeps it."""
    return LegFill(
        trade_id=fill.trade_id,
        price=fill.price,
        quantity=fill.quantity,
        quote=fill.quote,
        fee=fill.fee,
        fee_asset=fill.fee_asset,
        filled_at=fill.filled_at,
        page_id=fill.page_id,
    )
