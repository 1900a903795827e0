"""`oto user balance`: what the wallets hold, and what that is worth."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from oto.application.ports import Exchanges, NoCredentialsError
from oto.application.refresh import read_wallets
from oto.bootstrap import House, NotRunningError
from oto.domain import money
from oto.domain.errors import ExchangeError
from oto.domain.market import AlphaId, Symbol
from oto.domain.money import Price
from oto.domain.tokens import TokenInfo
from oto.infrastructure.database.users import Held, User
from oto.infrastructure.vault import VaultError
from oto.interface.cli.house import house_for_now
from oto.interface.cli.output import Row, console, local, print_json, table, usdt
from oto.interface.cli.prices import marks

_WATCH_EVERY_S = 5.0
_AT_A_TIME = 8
_COLUMNS = ("wallet", "asset", "free", "held", "price", "usdt")
_ONE = Price(Decimal(1))


@dataclass(frozen=True, slots=True)
class Position:
    """One asset of one wallet; the price is None where nobody lists one."""

    held: Held
    ticker: str
    price: Price | None

    @property
    def value(self) -> Decimal | None:
        if self.price is None:
            return None
        return money.half_up_to(self.price * (self.held.free + self.held.held), 8)


@dataclass(frozen=True, slots=True)
class Wallets:
    """One user's positions; `problem` says why they are not those of now."""

    user: str
    positions: Sequence[Position]
    problem: str

    @property
    def total(self) -> Decimal:
        return sum((one.value or Decimal(0) for one in self.positions), Decimal(0))

    @property
    def read_at(self) -> datetime | None:
        return min((one.held.read_at for one in self.positions), default=None)


@click.command()
@click.argument("name", required=False)
@click.option("--watch", is_flag=True, help="Show it anew every 5 s until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch one line a time.")
def balance(*, name: str | None, watch: bool, as_json: bool) -> None:
    """Show what the user NAME holds, or every user.

    it does not answer, what was stored last is shown with its age. Tokens are valued at the best
    it does not answer, what was stored last is shown with its age. Tokens are valued at the best
    bid or the last trade, whichever is lower, else at the price in the token list.
    """
    with house_for_now() as house:
        users = house.users.all() if name is None else [house.users.named(name)]
        if watch:
            _watch(house, users, as_json=as_json)
        found = _read_all(house, users)
    if as_json:
        print_json([_shown(one) for one in found])
    elif not found:
        click.echo("There are no users yet; add one with `oto user add NAME`.")
    else:
        console().print(_drawn(found))


def _watch(house: House, users: Sequence[User], *, as_json: bool) -> None:
    out = console()
    if as_json or not out.is_terminal:
        while True:
            found = _read_all(house, users)
            if as_json:
                print_json([_shown(one) for one in found], in_one_line=True)
            else:
                out.print(_drawn(found))
            time.sleep(_WATCH_EVERY_S)
    with Live(console=out, auto_refresh=False) as live:
        while True:
            live.update(_drawn(_read_all(house, users)), refresh=True)
            time.sleep(_WATCH_EVERY_S)


def _read_all(house: House, users: Sequence[User]) -> list[Wallets]:
    problems = _store_all(house, users)
    tokens = {one.token.alpha_id: one.token for one in house.catalog.all()}
    held = [house.users.held(one) for one in users]
    alpha = {one.asset for of_user in held for one in of_user if one.wallet == "alpha"}
    marked = marks(house, [_symbol(asset) for asset in alpha])
    return [
        Wallets(one.name, [_position(each, tokens, marked) for each in of_user], problem)
        for one, of_user, problem in zip(users, held, problems, strict=True)
    ]


def _store_all(house: House, users: Sequence[User]) -> list[str]:
    try:
        exchanges = house.exchanges
    except NotRunningError:
        return ["no exchange runs here; start one with `oto up`" for _ in users]
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return list(pool.map(lambda one: _store(house, exchanges, one), users))


def _store(house: House, exchanges: Exchanges, user: User) -> str:
    """Store what the exchange says of one user now; return why that failed, "" if it did not."""
    try:
        read_wallets(user.user_id, house.users, exchanges, house.clock)
    except NoCredentialsError:
        return f"no session is stored; bring one with `oto user login {user.name}`"
    except (ExchangeError, VaultError) as error:
        return str(error)
    return ""


def _position(
    held: Held, tokens: dict[AlphaId, TokenInfo], marked: dict[Symbol, Price]
) -> Position:
    if held.wallet != "alpha":
        return Position(held, held.asset, _ONE if held.asset == "USDT" else None)
    token = tokens.get(AlphaId(held.asset))
    if token is None:
        return Position(held, held.asset, None)
    return Position(held, token.ticker, marked.get(_symbol(held.asset), token.price))


def _symbol(asset: str) -> Symbol:
    return Symbol(f"{asset}USDT")


def _drawn(found: Sequence[Wallets]) -> RenderableType:
    parts: list[RenderableType] = []
    for one in found:
        if one.positions:
            title = f"{one.user}: {usdt(one.total)} USDT"
            parts.append(table(title, _COLUMNS, [_row(each) for each in one.positions]))
        if one.problem:
            since = f"; shown is {local(one.read_at)}" if one.read_at is not None else ""
            words = f"{one.user} was not read now: {one.problem}{since}."
            parts.append(Text(words, style="yellow"))
    return Group(*parts)


def _row(position: Position) -> Row:
    return {
        "wallet": position.held.wallet,
        "asset": position.ticker,
        "free": money.trimmed(position.held.free),
        "held": money.trimmed(position.held.held),
        "price": "" if position.price is None else money.trimmed(position.price),
        "usdt": "" if position.value is None else usdt(position.value),
    }


def _shown(wallets: Wallets) -> dict[str, object]:
    return {
        "user": wallets.user,
        "read_at": wallets.read_at,
        "problem": wallets.problem or None,
        "total_usdt": wallets.total,
        "positions": [
            {
                "wallet": one.held.wallet,
                "asset": one.held.asset,
                "ticker": one.ticker,
                "free": one.held.free,
                "held": one.held.held,
                "price_usdt": one.price,
                "value_usdt": one.value,
                "read_at": one.held.read_at,
            }
            for one in wallets.positions
        ],
    }
