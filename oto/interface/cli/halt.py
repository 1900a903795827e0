"""`oto halt` and `oto unhalt`: take everything out of the market, and let it back."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import click

from oto.application.halt import Account, Fence, Halt, Left
from oto.bootstrap import House
from oto.domain.halting import Scope
from oto.domain.job import UserId
from oto.interface.cli.house import house_for_now
from oto.interface.cli.output import Row, local, print_json, print_rows, usdt

_WITHIN_S = 60
_MILLISECONDS = 1000
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_USER = click.option("--user", "name", help="Only this user; see `oto user list`.")
_TOKEN = click.option("--token", help="Only this token: ticker, Alpha id or symbol.")
_LEFT = ("user", "symbol", "job", "open_orders", "holds", "why")
_ACCOUNTS = ("user", "open_ours", "open_others", "usdt_free", "problem")


@click.command()
@_USER
@_TOKEN
@click.option("--flatten", is_flag=True, help="Also sell what is held.")
@click.option(
    "--max-slip-bps",
    type=click.IntRange(1, 9_999),
    default=300,
    show_default=True,
    help="With --flatten: how far below its buy price it may be sold.",
)
@click.option("--why", default="", help="Reason that jobs show while the halt stands.")
@click.option(
    "--within",
    "within_s",
    type=click.IntRange(1, 3600),
    default=_WITHIN_S,
    show_default=True,
    help="Seconds after which it reports, flat or not.",
)
@click.option("--list", "only_list", is_flag=True, help="Only show the halts that stand.")
@_JSON
def halt(
    *,
    name: str | None,
    token: str | None,
    flatten: bool,
    max_slip_bps: int,
    why: str,
    within_s: int,
    only_list: bool,
    as_json: bool,
) -> None:
    """Halt trading: nothing new is sent, and every open order of ours is cancelled.

    Needs the database and the exchange only: Redis, workers and streams may be dead. Covers
    everything, or one user, or one token, and stands until `oto unhalt`. Exits with 0 if nothing
    is open or held any more, with 1 if something is; the report says what and why.
    """
    with house_for_now() as house:
        if only_list:
            _show_standing(house, as_json=as_json)
            return
        scope = _scope(house, name, token)
        report = _Report(house, as_json=as_json)
        halted = house.halt()
        fence = halted.raise_fence(scope, why or _why(name, token))
        report.raised(fence)
        report.stood(fence, halted.wait_until_it_stands(scope, fence))
        jobs = house.halts.affected(scope)
        report.left(halted.clear(jobs, max_slip_bps if flatten else None, within_s))
        report.accounts(_accounts(house, halted, scope, {job.user_id for job in jobs}))
        report.end(flatten=flatten)
    click.get_current_context().exit(0 if report.flat else 1)


@click.command()
@_USER
@_TOKEN
@click.option("--all", "every", is_flag=True, help="Every halt, also of single users and tokens.")
@_JSON
def unhalt(*, name: str | None, token: str | None, every: bool, as_json: bool) -> None:
    """Lift a halt: of everything, or of one user or token; jobs go on by themselves."""
    with house_for_now() as house:
        if every and (name or token):
            raise click.UsageError("Say --all, or --user, or --token.")
        number = house.halts.lift(None if every else _scope(house, name, token))
        standing = house.halts.standing()
    if as_json:
        print_json({"lifted": number, "standing": len(standing)})
        return
    click.echo(f"Lifted {number}." if number else "No such halt stands.")
    if standing:
        click.echo(f"{len(standing)} still stand; `oto halt --list` shows them.")


def _scope(house: House, name: str | None, token: str | None) -> Scope:
    if name and token:
        raise click.UsageError("Say --user or --token, not both: a halt covers one of them.")
    if name:
        return Scope(user_id=house.users.named(name).user_id)
    return Scope(symbol=house.catalog.named(token).rules.symbol) if token else Scope()


def _why(name: str | None, token: str | None) -> str:
    of = f" of {name}" if name else f" of {token}" if token else ""
    return f"`oto halt`{of}"


def _accounts(house: House, halted: Halt, scope: Scope, affected: set[UserId]) -> list[Account]:
    """Read every user whom the halt covers and who has a session."""
    if scope.symbol is not None:
        covered = affected
    else:
        users = (user for user in house.users.all() if user.logged_in_at is not None)
        covered = {user.user_id for user in users if scope.user_id in {None, user.user_id}}
    return halted.accounts(sorted(covered | affected))


def _show_standing(house: House, *, as_json: bool) -> None:
    rows: list[Row] = [
        {
            "user": one.user or "all",
            "symbol": one.symbol or "all",
            "why": one.why,
            "halted_at": one.halted_at,
        }
        for one in house.halts.standing()
    ]
    if rows or as_json:
        print_rows("Halts", ("user", "symbol", "why", "halted_at"), rows, as_json=as_json)
    else:
        click.echo("No halt stands.")


class _Report:
    """Tells of a halt while it happens; as JSON, once at its end."""

    def __init__(self, house: House, *, as_json: bool) -> None:
        self._names: Mapping[UserId, str] = {user.user_id: user.name for user in house.users.all()}
        self._as_json = as_json
        self._json: dict[str, object] = {}
        self._flat = True

    @property
    def flat(self) -> bool:
        return self._flat

    def raised(self, fence: Fence) -> None:
        self._json["halted_at"] = fence.raised_at
        self._say(f"Halted since {local(fence.raised_at)}: nothing new is sent.")

    def stood(self, fence: Fence, stood_at: datetime) -> None:
        late_ms = int((stood_at - fence.raised_at).total_seconds() * _MILLISECONDS)
        self._json |= {"stood_at": stood_at, "stood_after_ms": late_ms}
        self._say(f"No order can reach the exchange any more, {late_ms} ms later.")

    def left(self, jobs: Sequence[Left]) -> None:
        rows: list[Row] = [
            {
                "user": self._names[left.job.user_id],
                "symbol": left.job.symbol,
                "job": left.job.job_id,
                "open_orders": len(left.open_orders),
                "holds": left.exposure,
                "why": left.why,
            }
            for left in jobs
        ]
        self._flat &= all(left.flat for left in jobs)
        self._json["jobs"] = rows
        if rows:
            self._say_rows("What the halt met", _LEFT, rows)

    def accounts(self, accounts: Sequence[Account]) -> None:
        rows: list[Row] = [
            {
                "user": self._names[one.user_id],
                "open_ours": one.open_ours,
                "open_others": one.open_others,
                "usdt_free": None if one.usdt_free is None else usdt(one.usdt_free),
                "problem": one.problem,
            }
            for one in accounts
        ]
        self._flat &= all(not (one.open_ours or one.problem) for one in accounts)
        self._json["accounts"] = rows
        if rows:
            self._say_rows("What the exchange shows", _ACCOUNTS, rows)

    def end(self, *, flatten: bool) -> None:
        self._json["flat"] = self.flat
        if self._as_json:
            print_json(self._json)
        elif self.flat:
            click.echo("Flat: nothing of ours is open or held. `oto unhalt` lets jobs go on.")
        else:
            sell = "" if flatten else " `oto halt --flatten` sells what is held."
            click.echo(f"NOT flat: see above.{sell} Run it again to try again.")

    def _say(self, sentence: str) -> None:
        if not self._as_json:
            click.echo(sentence)

    def _say_rows(self, title: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        if not self._as_json:
            print_rows(title, columns, rows, as_json=False)
