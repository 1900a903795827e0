"""`oto job`: targets, and what becomes of them."""

import sys
from collections.abc import Sequence
from decimal import Decimal

import click

from oto.application import jobs
from oto.application.jobs import Asked
from oto.application.refresh import refresh_catalog
from oto.bootstrap import House
from oto.domain import money
from oto.domain.cycle import Cycle
from oto.domain.job import ACTIVE, FINISHED, JobId, JobState, TargetKind, Wish
from oto.domain.money import Amount, Price
from oto.domain.pricing.profiles import PROFILES
from oto.infrastructure.database.catalog import Listed, UnknownTokenError
from oto.infrastructure.database.jobs import JobView
from oto.infrastructure.database.users import User
from oto.interface.cli import job_log, job_view, job_watch
from oto.interface.cli.house import house_for_now, house_running
from oto.interface.cli.job_wishes import WITHIN_S, Chosen, carry_out
from oto.interface.cli.job_write_off import write_off
from oto.interface.cli.numbers import DECIMAL
from oto.interface.cli.output import console, print_fields, print_json, print_rows, table, usdt
from oto.interface.cli.prices import marks

_MOST_POINTS = 40
_NEWEST_CYCLES = 10
_UNFINISHED = frozenset(JobState) - FINISHED
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def job() -> None:
    """Start jobs, look at them, pause, resume and stop them.

    A job buys and sells one token for one user, in pairs of orders, until a target is reached.
    Amounts are in USDT.
    """


@job.command()
@click.option("--user", "name", required=True, help="For whom; see `oto user list`.")
@click.option("--token", required=True, help="Ticker, Alpha id (ALPHA_373) or symbol.")
@click.option("--volume", type=DECIMAL, help="Target: USDT bought.")
@click.option("--counted", type=DECIMAL, help="Target: USDT bought times the token's multiplier.")
@click.option(
    "--points",
    type=click.IntRange(1, _MOST_POINTS),
    help="Target: volume points of this UTC day, with what the exchange has counted of it so far.",
)
@click.option("--order-size", type=DECIMAL, required=True, help="USDT that each order buys.")
@click.option(
    "--max-slip-bps",
    type=click.IntRange(1, 9_999),
    default=300,
    show_default=True,
    help="How far below its buy price a token may be sold; below that it is kept.",
)
@click.option(
    "--profile",
    type=click.Choice(sorted(PROFILES)),
    default="cross",
    show_default=True,
    help="How orders are priced.",
)
@_JSON
def start(
    *,
    name: str,
    token: str,
    volume: Decimal | None,
    counted: Decimal | None,
    points: int | None,
    order_size: Decimal,
    max_slip_bps: int,
    profile: str,
    as_json: bool,
) -> None:
    """Start a job; say exactly one of --volume, --counted and --points.

    It begins at once and goes on until its target is reached, also over restarts. Example:

        oto job start --user ann --token NEX --points 15 --order-size 50
    """
    kind, value = _target(volume, counted, points)
    asked = Asked(
        kind=kind,
        value=value,
        order_size=Amount(order_size),
        most_slip_bps=max_slip_bps,
        profile=profile,
    )
    with house_running() as house:
        planned = _plan(house, asked, house.users.named(name), _listed(house, token))
        view = house.jobs.view(jobs.start(planned, house.jobs, house.dispatcher))
    if as_json:
        shown = job_view.job_json(view, None)
        print_json({**shown, "least_fees_usdt": planned.least_fees})
    else:
        click.echo(_started(view, planned))


@job.command(name="list")
@click.option("--user", "name", help="Only this user's.")
@click.option("--all", "every", is_flag=True, help="Also those that have ended.")
@_JSON
def list_(*, name: str | None, every: bool, as_json: bool) -> None:
    """List jobs, the newest first: those that have not ended, or all."""
    with house_for_now() as house:
        if name is not None:
            house.users.named(name)
        views = house.jobs.views(user=name, states=None if every else _UNFINISHED)
        marked = marks(house, {view.job.symbol for view in views})
    priced = [(view, job_view.price_of(view, marked.get(view.job.symbol))) for view in views]
    if as_json:
        print_json([job_view.job_json(*one) for one in priced])
    elif views:
        rows = [job_view.list_row(*one) for one in priced]
        print_rows("Jobs", job_view.LIST_COLUMNS, rows, as_json=False)
    else:
        more = "" if every else "; --all shows those that have ended"
        click.echo(f"There are no jobs{more}. Start one with `oto job start`.")


@job.command()
@click.argument("job_id", type=int)
@_JSON
def show(*, job_id: int, as_json: bool) -> None:
    """Show one job and its newest cycles.

    Wear counts what was bought less what was received; dust counts as worn, and tokens of an
    unfinished cycle at the best bid, or the last trade where that is lower.
    """
    with house_for_now() as house:
        view = house.jobs.view(JobId(job_id))
        cycles = house.jobs.cycles(view.job.job_id, newest=_NEWEST_CYCLES)[::-1]
        marked = marks(house, [view.job.symbol])
    price = job_view.price_of(view, marked.get(view.job.symbol))
    if as_json:
        shown = job_view.job_json(view, price)
        shown["unfinished_cycle"] = None if view.cycle is None else job_view.cycle_json(view.cycle)
        shown["newest_cycles"] = [job_view.cycle_json(cycle) for cycle in cycles]
        print_json(shown)
    else:
        _print(view, price, cycles)


@job.command()
@click.argument("job_ids", type=int, nargs=-1, metavar="[JOB_ID]...")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each change.")
@click.pass_context
def watch(ctx: click.Context, *, job_ids: tuple[int, ...], as_json: bool) -> None:
    """Follow jobs until none of them is active.

    Without numbers those that are active now. In a terminal a table that moves, else a line for
    each change. The exit code is 1 if a job failed or needs a human.
    """
    with house_running() as house:
        chosen = [house.jobs.view(JobId(job_id)) for job_id in job_ids]
        chosen = chosen or house.jobs.views(states=ACTIVE)
        if not chosen:
            click.echo("No job is active. Start one with `oto job start`.", err=as_json)
            return
        ended = job_watch.watch(house, [one.job.job_id for one in chosen], as_json=as_json)
    troubled = {JobState.FAILED, JobState.NEEDS_HUMAN}
    ctx.exit(1 if any(view.job.state in troubled for view in ended) else 0)


def _wishing(name: str, wish: Wish, told: str) -> None:
    @job.command(name=name, help=told)
    @click.argument("job_ids", type=int, nargs=-1, metavar="[JOB_ID]...")
    @click.option("--user", help="All jobs of this user that it applies to.")
    @click.option("--all", "every", is_flag=True, help="All jobs that it applies to.")
    @click.option(
        "--wait/--no-wait",
        default=None,
        help=f"Wait {WITHIN_S:.0f} s at most until it has happened [in a terminal].",
    )
    @_JSON
    @click.pass_context
    def command(
        ctx: click.Context,
        *,
        job_ids: tuple[int, ...],
        user: str | None,
        every: bool,
        wait: bool | None,
        as_json: bool,
    ) -> None:
        chosen = Chosen(job_ids, user, every)
        chosen.check()
        waits = sys.stdout.isatty() if wait is None else wait
        with house_running() as house:
            done = carry_out(house, chosen, wish, wait=waits, as_json=as_json)
        ctx.exit(0 if done else 1)


_wishing(
    "pause",
    Wish.PAUSE,
    "Pause jobs until `oto job resume`.\n\nThe open buy is cancelled and what was bought is sold, "
    "then they stand still. With --wait it tells whether each is flat or what it still holds, and "
    "exits with 1 if one is not paused.",
)
_wishing(
    "resume",
    Wish.RUN,
    "Let jobs go on that are paused or needed a human.\n\nWhat was wrong is looked at anew. A job "
    "that was stopped while it held tokens is taken up again to sell them, if named by number.",
)
_wishing(
    "stop",
    Wish.STOP,
    "End jobs before their targets.\n\nThe open buy is cancelled, and what was bought is sold. "
    "With --wait it tells whether each is flat or what it still holds, and exits with 1 if one has "
    "not ended.",
)


for _command in (job_log.log, job_log.replay, job_log.explain, write_off):
    job.add_command(_command)


def _target(
    volume: Decimal | None, counted: Decimal | None, points: int | None
) -> tuple[TargetKind, Decimal]:
    given = {
        TargetKind.VOLUME: volume,
        TargetKind.COUNTED: counted,
        TargetKind.POINTS: None if points is None else Decimal(points),
    }
    found = [(kind, value) for kind, value in given.items() if value is not None]
    if len(found) != 1:
        raise click.UsageError("Say exactly one of --volume, --counted and --points.")
    return found[0]


def _plan(house: House, asked: Asked, trader: User, listed: Listed) -> jobs.Plan:
    return jobs.plan(
        asked,
        trader,
        listed.token,
        listed.rules,
        counted_today=lambda: house.exchanges.of(trader.user_id).counted_today(),
        now=house.clock.now(),
        live=house.live,
    )


def _started(view: JobView, planned: jobs.Plan) -> str:
    number, size = view.job.job_id, money.trimmed(view.job.order_size)
    return (
        f"Job {number}: {view.user} buys {usdt(planned.to_buy)} USDT of {job_view.ticker(view)} "
        f"({view.job.symbol}) in about {planned.cycles} cycles of {size} USDT, for at least "
        f"{usdt(planned.least_fees, 4)} USDT of fees ({jobs.FEE_FLOOR_BPS} bps). Follow it with "
        f"`oto job watch {number}`."
    )


def _print(view: JobView, price: Price | None, cycles: Sequence[Cycle]) -> None:
    job_id, out = view.job.job_id, console()
    title = f"Job {job_id}: {view.user} buys {job_view.ticker(view)} ({view.job.symbol})"
    print_fields(title, job_view.fields(view, price))
    if view.cycle is not None:
        legs = [job_view.leg_row(leg) for leg in view.cycle.legs]
        heading = f"\nUnfinished cycle {view.cycle.number}"
        out.print(table(heading, job_view.LEG_COLUMNS, legs))
    if cycles:
        rows = [job_view.cycle_row(cycle) for cycle in cycles]
        out.print(table("\nNewest cycles", job_view.CYCLE_COLUMNS, rows))


def _listed(house: House, token: str) -> Listed:
    """Return a token, also one that the exchange listed since its lists were read last."""
    try:
        return house.catalog.named(token)
    except UnknownTokenError:
        refresh_catalog(house.public, house.catalog, house.clock)
    return house.catalog.named(token)
