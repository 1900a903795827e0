"""Every read of the adapter, made once, timed, and told in a line each."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from oto.domain.account import AssetWallets, DayVolume, UserScore
from oto.domain.errors import ExchangeError
from oto.domain.market import BookSnapshot, FeeRates, Symbol, SymbolRules, SymbolStatus
from oto.domain.money import trimmed
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.public import PublicAlpha
from oto.interface.cli.output import Row

T = TypeVar("T")

COLUMNS = ("call", "result", "ms", "summary")


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    result: str
    took_ms: int | None
    summary: str

    def row(self) -> Row:
        return {
            "call": self.name,
            "result": self.result,
            "ms": self.took_ms,
            "summary": self.summary,
        }


@dataclass(slots=True)
class Probe:
    """Collects calls as they are made; an error of one does not stop the next."""

    clock: Callable[[], float] = time.monotonic
    calls: list[Call] = field(default_factory=list)

    @property
    def all_ok(self) -> bool:
        return all(call.result != "failed" for call in self.calls)

    def make(self, name: str, call: Callable[[], T], summary: Callable[[T], str]) -> T | None:
        """Make a call; return its value, or None if it failed."""
        started = self.clock()
        try:
            value = call()
        except ExchangeError as error:
            self._note(name, "failed", started, f"{type(error).__name__}: {error}")
            return None
        self._note(name, "ok", started, summary(value))
        return value

    def skip(self, name: str, why: str) -> None:
        self.calls.append(Call(name, "skipped", None, why))

    def _note(self, name: str, result: str, started: float, summary: str) -> None:
        took_ms = round((self.clock() - started) * 1000)
        self.calls.append(Call(name, result, took_ms, " ".join(summary.split())))


def probe_public(probe: Probe, alpha: PublicAlpha, symbol: Symbol | None) -> None:
    """Make every public read, those of one symbol for the given or the first trading one."""
    probe.make("token list", alpha.token_list, _count("tokens"))
    probe.make("tickers", alpha.tickers, _count("tokens"))
    rules = probe.make("exchange info", alpha.exchange_info, _count("symbols"))
    chosen = symbol or _first_trading(rules or {})
    if chosen is None:
        for name in ("fee rates", "full depth", "aggregate trades", "klines"):
            probe.skip(name, "no symbol to ask for")
        return
    probe.make("fee rates", lambda: alpha.fee_rates(chosen), _fees)
    probe.make("full depth", lambda: alpha.full_depth(chosen), _book)
    probe.make("aggregate trades", lambda: alpha.agg_trades(chosen), _count(f"of {chosen}"))
    probe.make("klines", lambda: alpha.klines(chosen, "1m"), _count(f"of {chosen}"))


def probe_private(probe: Probe, alpha: PrivateAlpha) -> None:
    """Make every private read; of the listen key nothing is shown."""
    probe.make("login probe", alpha.login_probe, lambda _: "the session is alive")
    probe.make("terms accepted", alpha.terms_accepted, lambda yes: "yes" if yes else "no")
    probe.make("asset wallets", alpha.asset_wallets, _wallets)
    probe.make("alpha wallet", alpha.alpha_wallet, _count("tokens"))
    probe.make("day volume", alpha.day_volume, _volume)
    probe.make("user score", alpha.user_score, _score)
    probe.make("open orders", alpha.open_orders, _count("orders"))
    now = datetime.now(UTC)
    history = probe.make(
        "order history",
        lambda: alpha.order_history(now - timedelta(days=1), now),
        _count("orders in 24 hours"),
    )
    if history:
        last = history[0]
        probe.make(
            "user trades", lambda: alpha.user_trades(last.symbol, last.order_id), _count("fills")
        )
    else:
        probe.skip("user trades", "no past order to ask for")
    probe.make("listen key", alpha.listen_key, lambda _: "received")


def _first_trading(rules: dict[Symbol, SymbolRules]) -> Symbol | None:
    trading = (one.symbol for one in rules.values() if one.status is SymbolStatus.TRADING)
    return next(trading, None)


def _count(noun: str) -> Callable[[Any], str]:
    return lambda found: f"{len(found)} {noun}"


def _fees(rates: FeeRates) -> str:
    return f"buyer {trimmed(rates.buyer * 100)} %, seller {trimmed(rates.seller * 100)} %"


def _book(book: BookSnapshot) -> str:
    if not book.bids or not book.asks:
        return f"{book.symbol}: {len(book.bids)} bids, {len(book.asks)} asks"
    bid, ask = book.bids[0].price, book.asks[0].price
    crossed = ", crossed" if bid >= ask else ""
    return f"{book.symbol}: bid {trimmed(bid)}, ask {trimmed(ask)}{crossed}"


def _wallets(found: AssetWallets) -> str:
    wallets = {"funding": found.funding, "spot": found.spot, "earn": found.earn}
    held = ", ".join(f"{name} {trimmed(wallet.total)}" for name, wallet in wallets.items())
    return f"{found.asset}: {held}"


def _volume(volume: DayVolume) -> str:
    return f"{trimmed(volume.counted_usd)} USD counted today"


def _score(score: UserScore) -> str:
    return f"{score.total} points, {score.first_day} to {score.last_day}"
