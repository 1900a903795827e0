"""Every read of the adapter, made once, timed, and told in a line each."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from oto.domain.account import AssetWallets, DayVolume, UserScore
from oto.domain.errors import ExchangeError, HumanNeededError, SessionOverError
from oto.domain.market import (
    BookSnapshot,
    DayTicker,
    FeeRates,
    Symbol,
    SymbolRules,
    SymbolStatus,
)
from oto.domain.money import trimmed
from oto.domain.tokens import PairAssets, TokenDetails, TokenInfo
from oto.infrastructure.alpha.client import NoConnectionError
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.public import PublicAlpha
from oto.interface.cli.output import Row

T = TypeVar("T")

COLUMNS = ("call", "result", "ms", "summary")

_OF_A_SYMBOL = ("fee rates", "ticker", "full depth", "aggregate trades", "klines")
_OF_A_TOKEN = ("token info", "aggregate klines")
# After these, asking on is of no use or makes it worse.
_LAST_WORDS = (NoConnectionError, SessionOverError, HumanNeededError)


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
    """Collects calls as they are made; only an error that the next would share ends them."""

    clock: Callable[[], float] = time.monotonic
    calls: list[Call] = field(default_factory=list)
    ended_by: ExchangeError | None = None

    def problem(self) -> str | None:
        """Say in a sentence what went wrong, if anything did."""
        failed = [call.name for call in self.calls if call.result == "failed"]
        if self.ended_by is not None:
            return f"stopped at {failed[-1]!r}, the rest was not tried: {self.ended_by}."
        if failed:
            made = sum(call.result != "skipped" for call in self.calls)
            return f"{len(failed)} of {made} reads failed."
        return None

    def make(self, name: str, call: Callable[[], T], summary: Callable[[T], str]) -> T | None:
        """Make a call; return its value, or None if it failed or was not tried."""
        if self.ended_by is not None:
            return None
        started = self.clock()
        try:
            value = call()
        except ExchangeError as error:
            self._note(name, "failed", started, f"{type(error).__name__}: {error}")
            self.ended_by = error if isinstance(error, _LAST_WORDS) else None
            return None
        self._note(name, "ok", started, summary(value))
        return value

    def skip(self, name: str, why: str) -> None:
        if self.ended_by is None:
            self.calls.append(Call(name, "skipped", None, why))

    def skip_all(self, names: Iterable[str], why: str) -> None:
        for name in names:
            self.skip(name, why)

    def _note(self, name: str, result: str, started: float, summary: str) -> None:
        took_ms = round((self.clock() - started) * 1000)
        self.calls.append(Call(name, result, took_ms, " ".join(summary.split())))


def probe_public(probe: Probe, alpha: PublicAlpha, symbol: Symbol | None) -> None:
    """Make every public read, those of one symbol for the given or the first trading one."""
    tokens = probe.make("token list", alpha.token_list, _count("tokens"))
    probe.make("tickers", alpha.tickers, _count("tokens"))
    rules = probe.make("exchange info", alpha.exchange_info, _count("symbols"))
    probe.make("quote assets", alpha.quote_assets, ", ".join)
    probe.make("pair assets", alpha.pair_assets, _pair_assets)
    chosen = symbol or _first_trading(rules or {})
    if chosen is None:
        probe.skip_all((*_OF_A_SYMBOL, *_OF_A_TOKEN), "no symbol to ask for")
        return
    _probe_symbol(probe, alpha, chosen)
    if token := _token_of(chosen, rules or {}, tokens or []):
        _probe_token(probe, alpha, token)
    else:
        probe.skip_all(_OF_A_TOKEN, f"no token of {chosen} is listed")


def _probe_symbol(probe: Probe, alpha: PublicAlpha, symbol: Symbol) -> None:
    probe.make("fee rates", lambda: alpha.fee_rates(symbol), _fees)
    probe.make("ticker", lambda: alpha.ticker(symbol), _ticker)
    probe.make("full depth", lambda: alpha.full_depth(symbol), _book)
    probe.make("aggregate trades", lambda: alpha.agg_trades(symbol), _count("trades"))
    probe.make("klines", lambda: alpha.klines(symbol, "1m"), _count("candles of a minute"))


def _probe_token(probe: Probe, alpha: PublicAlpha, token: TokenInfo) -> None:
    at = (token.chain_id, token.contract_address)
    probe.make("token info", lambda: alpha.token_info(*at), _details)
    probe.make(
        "aggregate klines",
        lambda: alpha.agg_klines(*at, "1m"),
        _count(f"candles of a minute of {token.ticker}"),
    )


def probe_private(probe: Probe, alpha: PrivateAlpha) -> None:
    """Make every private read; of the listen key nothing is shown."""
    probe.make("login probe", alpha.login_probe, lambda _: "the session is alive")
    probe.make("terms accepted", alpha.terms_accepted, lambda yes: "yes" if yes else "no")
    _probe_wallets(probe, alpha)
    probe.make("day volume", alpha.day_volume, _volume)
    probe.make("user score", alpha.user_score, _score)
    _probe_orders(probe, alpha)
    probe.make("listen key", alpha.listen_key, lambda _: "received")


def _probe_wallets(probe: Probe, alpha: PrivateAlpha) -> None:
    probe.make("asset wallets", alpha.asset_wallets, _wallets)
    probe.make("wallets by account", alpha.wallets_by_account, _wallets)
    probe.make("asset totals", alpha.asset_totals, _count("assets"))
    held = probe.make("alpha wallet", alpha.alpha_wallet, _count("tokens"))
    if held:
        ids = [one.alpha_id for one in held]
        probe.make("average costs", lambda: alpha.average_costs(ids), _count("tokens"))
    else:
        probe.skip("average costs", "no token to ask for")


def _probe_orders(probe: Probe, alpha: PrivateAlpha) -> None:
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


def _token_of(
    symbol: Symbol, rules: dict[Symbol, SymbolRules], tokens: list[TokenInfo]
) -> TokenInfo | None:
    alpha_id = rules[symbol].base_asset if symbol in rules else None
    return next((token for token in tokens if token.alpha_id == alpha_id), None)


def _first_trading(rules: dict[Symbol, SymbolRules]) -> Symbol | None:
    trading = (one.symbol for one in rules.values() if one.status is SymbolStatus.TRADING)
    return next(trading, None)


def _count(noun: str) -> Callable[[Any], str]:
    return lambda found: f"{noun}: {len(found)}"


def _fees(rates: FeeRates) -> str:
    return f"buyer {trimmed(rates.buyer * 100)} %, seller {trimmed(rates.seller * 100)} %"


def _pair_assets(pair: PairAssets) -> str:
    return f"stock: {', '.join(pair.stock) or 'none'}; token: {', '.join(pair.token) or 'none'}"


def _ticker(day: DayTicker) -> str:
    change = trimmed(day.change_percent)
    return f"{day.symbol}: last {trimmed(day.last)}, {change} %, {day.trade_count} trades"


def _details(token: TokenDetails) -> str:
    return f"{token.ticker}: {trimmed(token.price)} USD, {trimmed(token.change_24h_percent)} %"


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
