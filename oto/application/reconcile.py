"""Both sides of a user: our cycles and what the exchange shows, and a verdict on each order.

`observe` writes nothing and sends nothing but reads.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from oto.application.looking import is_missing
from oto.application.ports import Clock, Exchange
from oto.domain import comparing, matching
from oto.domain.account import AlphaHolding
from oto.domain.comparing import Compared, OrderKey, OwnCycle, Shown, Verdict
from oto.domain.job import UserId
from oto.domain.market import AlphaId, Symbol
from oto.domain.money import Quantity
from oto.domain.orders import OrderRow

LOOK_BACK = timedelta(hours=24)
"""How far back finished orders are compared; unfinished ones are at any age."""

_NOTHING = Quantity(Decimal(0))


@dataclass(frozen=True, slots=True)
class OurSide:
    """What the ledger has of one user.

    `cycles` are the unfinished ones and those of the last day; `reported` are rows made of reports
    whose order nobody has claimed; `dust` is what finished cycles left; `base_assets` names the
    token of each symbol.
    """

    cycles: Sequence[OwnCycle]
    reported: Sequence[OrderRow] = ()
    dust: Mapping[Symbol, Quantity] = field(default_factory=dict)
    base_assets: Mapping[Symbol, AlphaId] = field(default_factory=dict)

    @property
    def unfinished(self) -> list[OwnCycle]:
        return [one for one in self.cycles if not one.cycle.finished]


class Records(Protocol):
    """What is read of the ledger."""

    def of(self, user_id: UserId, since: datetime) -> OurSide: ...

    def owned(self, user_id: UserId, keys: Collection[OrderKey]) -> Collection[OrderKey]:
        """Return which of these orders the ledger has."""


@dataclass(frozen=True, slots=True)
class TokenSides:
    """One token on both sides: what unfinished cycles hold of it, by their fills, and the wallet.

    `short` says that the wallet holds less than the cycles, and that no untold fill explains it.
    """

    alpha_id: AlphaId
    ticker: str
    symbol: Symbol
    held: Quantity
    dust: Quantity
    wallet: Decimal
    short: bool

    @property
    def rest(self) -> Decimal:
        """What the wallet holds beyond our cycles and their dust: not ours, or unexplained."""
        return self.wallet - self.held - self.dust


@dataclass(frozen=True, slots=True)
class Comparison:
    """One user on both sides; `cycles` are ours as they stood when all was read."""

    cycles: Sequence[OwnCycle]
    orders: Sequence[Compared]
    tokens: Sequence[TokenSides]

    @property
    def needs_human(self) -> bool:
        return any(one.needs_human for one in self.orders) or any(one.short for one in self.tokens)


def observe(user_id: UserId, exchange: Exchange, records: Records, clock: Clock) -> Comparison:
    """Compare both sides of a user.

    Raises:
        ExchangeError: the exchange could not be read.
    """
    read_at = clock.now()
    before = records.of(user_id, read_at - LOOK_BACK)
    rows = _rows(exchange, before, clock)
    holdings = exchange.alpha_holdings()
    later = records.of(user_id, read_at - LOOK_BACK)
    shown = Shown(read_at, rows, later.reported)
    owned = records.owned(user_id, rows.keys())
    orders = comparing.compare(before.cycles, shown, later.cycles, owned)
    return Comparison(later.cycles, orders, _tokens(before, later, holdings, orders))


def _rows(exchange: Exchange, ours: OurSide, clock: Clock) -> dict[OrderKey, OrderRow]:
    """Read all open orders, then the past ones of every symbol that we traded."""
    now = clock.now()
    rows = list(exchange.open_orders())
    shown = {(row.symbol, row.order_id) for row in rows}
    began: dict[Symbol, datetime] = {}
    for own in ours.cycles:
        symbol, cycle = own.job.symbol, own.cycle
        of_symbol = {order_id for of, order_id in shown if of == symbol}
        at_least = now - LOOK_BACK
        if any(is_missing(leg, of_symbol) for leg in cycle.legs):
            at_least = min(cycle.planned_at, at_least)
        began[symbol] = min(began.get(symbol, at_least), at_least)
    for symbol, start_at in began.items():
        asset = ours.base_assets.get(symbol)
        end_at = clock.now() + matching.SKEW
        rows += exchange.closed_orders(asset, start_at - matching.SKEW, end_at)
    return comparing.rows_of(rows)


def _tokens(
    before: OurSide, later: OurSide, holdings: Sequence[AlphaHolding], orders: Sequence[Compared]
) -> list[TokenSides]:
    wallet = {one.alpha_id: one for one in holdings}
    symbols = {asset: symbol for symbol, asset in later.base_assets.items()}
    behind = {one.symbol for one in orders if one.verdict is Verdict.AHEAD}
    held_before, held = _held(before), _held(later)
    found = []
    for asset in sorted({*wallet, *symbols}):
        symbol = symbols.get(asset, Symbol(f"{asset}USDT"))
        ours, total = held.get(symbol, _NOTHING), _total(wallet.get(asset))
        least = min(held_before.get(symbol, _NOTHING), ours)
        dust = later.dust.get(symbol, _NOTHING)
        if total or ours or dust:
            ticker = wallet[asset].ticker if asset in wallet else asset
            short = total < least and symbol not in behind
            found.append(TokenSides(asset, ticker, symbol, ours, dust, total, short))
    return found


def _held(side: OurSide) -> dict[Symbol, Quantity]:
    """Return what unfinished cycles hold; at most one of a symbol is unfinished."""
    return {one.job.symbol: one.cycle.exposure for one in side.unfinished}


def _total(holding: AlphaHolding | None) -> Decimal:
    return _NOTHING if holding is None else holding.holding.total


def waits_until(one: Compared) -> datetime | None:
    """Return when a lost order is settled at the earliest; None if that is not awaited."""
    if one.verdict is not Verdict.UNSETTLED or one.leg is None or one.leg.sent_at is None:
        return None
    return one.leg.sent_at + matching.SETTLING
