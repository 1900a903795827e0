"""`oto reconcile`: our orders and tokens against the exchange's, one by one."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import click

from oto.application.catch_up import CatchUp
from oto.application.ports import Exchange, NoCredentialsError
from oto.application.reconcile import Comparison, observe
from oto.bootstrap import House
from oto.domain.errors import ExchangeError
from oto.infrastructure.database.users import User
from oto.infrastructure.vault import VaultError
from oto.interface.cli import reconcile_view as view
from oto.interface.cli.house import house_for_now
from oto.interface.cli.output import console, print_json, table
from oto.interface.cli.reconcile_view import CaughtUp, UserSides

_EVERYONE = "all"
_AT_A_TIME = 8
_MOST_READINGS = 3
_APART_S = 1.0


@click.command()
@click.option("--user", "name", default=_EVERYONE, help="Only this user [all].")
@click.option("--observe", "only_observe", is_flag=True, help="Write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def reconcile(ctx: click.Context, *, name: str, only_observe: bool, as_json: bool) -> None:
    """Compare our orders and tokens with the exchange's, and say how each stands.

    Every unfinished cycle is read anew first, whatever state its job is in, as the job's own turn
    would: lost orders are adopted or proven absent, fills are taken. With --observe nothing is
    written. Places and cancels nothing, with or without.

    The exit code is 0 if everything agrees or settles by itself, 1 if something needs a human or a
    user could not be compared.
    """
    with house_for_now() as house:
        users = house.users.all() if name == _EVERYONE else [house.users.named(name)]
        found = _all(house, users, only_observe=only_observe)
    if as_json:
        print_json([view.sides_json(one) for one in found])
    elif not found:
        click.echo("There are no users yet; add one with `oto user add NAME`.")
    else:
        for one in found:
            _print(one)
    ctx.exit(1 if any(one.needs_human for one in found) else 0)


def _all(house: House, users: Sequence[User], *, only_observe: bool) -> list[UserSides]:
    # Made before the threads ask for them.
    _ = house.exchanges, house.sides, house.ledger
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return list(pool.map(lambda one: _one(house, one, only_observe=only_observe), users))


def _one(house: House, user: User, *, only_observe: bool) -> UserSides:
    read_at, caught = house.clock.now(), CaughtUp()
    try:
        if not only_observe:
            caught = _catch_up(house, user)
        compared = _steady(house, user, house.exchanges.of(user.user_id))
    except NoCredentialsError:
        problem = f"no session is stored; bring one with `oto user login {user.name}`"
    except (ExchangeError, VaultError) as error:
        problem = str(error)
    else:
        return UserSides(user.name, read_at, compared, caught.changes(compared))
    return UserSides(user.name, read_at, None, problem=problem)


def _catch_up(house: House, user: User) -> CaughtUp:
    catch_up = CatchUp(house.ledger, house.exchanges, house.clock, time.sleep)
    before = house.sides.of(user.user_id, house.clock.now()).unfinished
    return CaughtUp([(own, catch_up(own.job.job_id)) for own in before])


def _steady(house: House, user: User, exchange: Exchange) -> Comparison:
    """Compare; what alarms is looked at again, as lists of the exchange lag by seconds."""
    for _ in range(_MOST_READINGS - 1):
        compared = observe(user.user_id, exchange, house.sides, house.clock)
        if not compared.needs_human:
            return compared
        time.sleep(_APART_S)
    return observe(user.user_id, exchange, house.sides, house.clock)


def _print(sides: UserSides) -> None:
    out = console()
    for change in sides.changes:
        click.echo(change)
    if (found := sides.comparison) is not None:
        tickers = {one.symbol: one.ticker for one in found.tokens}
        shown = [view.order_row(one, tickers) for one in found.orders if view.worth_showing(one)]
        if shown:
            out.print(table(f"{sides.user}: orders", view.ORDER_COLUMNS, shown))
        tokens = [view.token_row(one) for one in found.tokens]
        if tokens:
            out.print(table(f"{sides.user}: tokens", view.TOKEN_COLUMNS, tokens))
        if not shown and not tokens:
            click.echo(f"{sides.user}: nothing is open and nothing is held, on both sides.")
    for sentence in view.sentences(sides):
        click.echo(sentence)
