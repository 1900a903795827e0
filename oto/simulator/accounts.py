"""Accounts of the simulated exchange: credentials, wallets, volume, score."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from oto.domain.money import Amount, Quantity
from oto.domain.orders import Side

if TYPE_CHECKING:
    from oto.simulator.orders import Order

_NOTHING = Decimal(0)
_DAY_MS = 86_400_000


class InsufficientError(Exception):
    """A wallet does not hold what an order needs."""


@dataclass(slots=True)
class Wallet:
    """What is free and what open orders hold of one asset."""

    free: Decimal = _NOTHING
    locked: Decimal = _NOTHING

    def lock(self, much: Decimal) -> None:
        """Move from free to locked.

        Raises:
            InsufficientError: less is free.
        """
        if much > self.free:
            raise InsufficientError
        self.free -= much
        self.locked += much

    def unlock(self, much: Decimal) -> None:
        self.locked -= much
        self.free += much


@dataclass(slots=True)
class Account:
    """One customer. `funding` is the USDT that orders pay from (wallet type CARD)."""

    name: str
    number: int
    seed: str
    funding: Wallet
    spot: Wallet = field(default_factory=Wallet)
    earn: Wallet = field(default_factory=Wallet)
    tokens: dict[str, Wallet] = field(default_factory=dict)
    terms_accepted: bool = True
    session_live: bool = True
    # (time ms, asset, counted USDT) of today's BUY fills: the published total lags behind them.
    volume: list[tuple[int, str, Amount]] = field(default_factory=list)
    # Pruned of closed orders when it is read.
    open_orders: "list[Order]" = field(default_factory=list)
    listen_key: str = ""
    listen_keys_made: int = 0

    def token(self, asset: str) -> Wallet:
        return self.tokens.setdefault(asset, Wallet())

    def free_to_pay(self, asset: str, side: Side) -> Decimal:
        """Return what is free to pay an order on a token with: USDT or the token."""
        if side is Side.BUY:
            return self.funding.free
        return self.tokens[asset].free if asset in self.tokens else _NOTHING

    @property
    def session_token(self) -> str:
        """The session cookie `p20t`, which names the account on every private call."""
        return f"web.{self.number}.{self._digest('p20t').upper()}"

    @property
    def csrf_seed(self) -> str:
        return self._digest("cr00").upper()

    @property
    def csrf_token(self) -> str:
        """What the `csrftoken` header must be (PROTOCOL §0, fact 2)."""
        return hashlib.md5(self.csrf_seed.encode(), usedforsecurity=False).hexdigest()

    def new_listen_key(self) -> str:
        self.listen_keys_made += 1
        self.listen_key = self._digest(f"listen {self.listen_keys_made}")
        return self.listen_key

    def credentials(self) -> Mapping[str, Any]:
        """Return what a user would copy from a browser: headers and cookies."""
        device = self._digest("device")
        return {
            "name": self.name,
            "headers": {
                "clienttype": "web",
                "csrftoken": self.csrf_token,
                "lang": "en",
                "bnc-uuid": device,
                "user-agent": "Mozilla/5.0 (simulated)",
            },
            "cookies": {
                "p20t": self.session_token,
                "cr00": self.csrf_seed,
                "logined": "y",
                "bnc-uuid": device,
                "BNC_FV_KEY": self._digest("fv"),
                "BNC_FV_KEY_T": self._digest("fvt"),
            },
        }

    def count_volume(self, at_ms: int, asset: str, counted: Amount) -> None:
        if self.volume and self.volume[0][0] // _DAY_MS != at_ms // _DAY_MS:
            self.volume.clear()
        self.volume.append((at_ms, asset, counted))

    def volume_of_day(self, now_ms: int, lag_ms: int) -> dict[str, Amount]:
        """Return today's counted USDT per asset as far as the lagging counter has seen it."""
        totals: dict[str, Amount] = {}
        for at_ms, asset, counted in self.volume:
            if at_ms // _DAY_MS == now_ms // _DAY_MS and at_ms <= now_ms - lag_ms:
                totals[asset] = Amount(totals.get(asset, _NOTHING) + counted)
        return totals

    def sweep_to_earn(self) -> Amount:
        """Move idle funding USDT into earn, as the real exchange does now and then."""
        swept = Amount(self.funding.free)
        self.earn.free += swept
        self.funding.free = _NOTHING
        return swept

    def redeem_from_earn(self) -> None:
        """Move back what was swept, as the account's owner does."""
        self.funding.free += self.earn.free
        self.earn.free = _NOTHING

    def receive(self, asset: str, quantity: Quantity) -> None:
        self.token(asset).free += quantity

    def _digest(self, what: str) -> str:
        text = f"{self.seed} {self.number} {what}"
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
