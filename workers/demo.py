"""`oto demo`: the whole system on a simulated exchange, from nothing to an audited end."""

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import httpx

from oto.application.audit import UserLedger, audit
from oto.bootstrap import House
from oto.domain.job import ACTIVE, Job, JobId, Target, TargetKind, Wish
from oto.domain.money import Amount
from oto.domain.tick import Tick
from oto.infrastructure.database.jobs import JobView
from oto.infrastructure.logs import configure_logging
from oto.infrastructure.pasted import read_login
from oto.infrastructure.settings import Exchange, load_settings
from oto.interface.cli.numbers import DECIMAL
from oto.interface.cli.prices import ticks
from workers import demo_view, usage
from workers.demo_result import STAGES, Result
from workers.supervisor import stopped_by_signals
from workers.system import SIMULATOR_USERS, Plan, System, running

_SYMBOL = "ALPHA_971USDT"
_TAPE_SYMBOL = "ALPHA_373USDT"
_SPARE = Decimal(3)
_LOOK_EVERY_S = 0.25
_STOP_WITHIN_S = 60.0
_MILLISECONDS = 1000
_SECONDS = 60
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to demonstrate; `seconds` is how long the jobs may take.

    `delays_ms` are the exchange's own: from an order to its match, from an event to its report.
    """

    users: int
    volume: Decimal
    order_size: Decimal
    tape: Path | None
    price_scale: Decimal
    market: str
    speed: Decimal
    seed: int
    seconds: float
    workers: int = 1
    delays_ms: tuple[int, int] = (0, 0)

    @property
    def symbol(self) -> str:
        return _SYMBOL if self.tape is None else _TAPE_SYMBOL

    @property
    def balance(self) -> Decimal:
        """Enough for two orders beside what may be lost or parked on the way."""
        return max(self.order_size * _SPARE, Decimal(10)) + self.volume / 10


def demonstrate(wanted: Wanted, view: demo_view.View) -> Result:
    """Run the system in a folder of its own, trade every user to the target, audit, clean up."""
    home = Path(tempfile.mkdtemp(prefix="oto-demo-"))
    settings = load_settings().model_copy(
        update={
            "home": home,
            "exchange": Exchange.SIMULATOR,
            "rest_url": None,
            "ws_url": None,
            "database_url": None,
            "redis_url": None,
            "log_level": "WARNING",
        }
    )
    try:
        with (home / "log").open("wb") as log:
            plan = Plan(
                settings=settings,
                simulator=_simulator_arguments(wanted, home),
                workers=wanted.workers,
                flower=False,
                durable=False,
                output=log,
            )
            with running(plan, view.say) as system:
                return _trade(wanted, system, view)
    except BaseException:
        view.say(f"what the processes said:\n{_tail(home / 'log')}")
        raise
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _trade(wanted: Wanted, system: System, view: demo_view.View) -> Result:
    house = system.house
    system.wait_until_ready()
    view.say("all of them are ready")
    jobs = [_start(wanted, house, f"sim-{number}") for number in range(1, wanted.users + 1)]
    house.latencies.clear()
    before = usage.of_children(system.supervisor.pids)
    began = time.monotonic()
    tick = _watch(system, view, jobs, wanted.seconds)
    seconds = time.monotonic() - began
    used = usage.since(before, usage.of_children(system.supervisor.pids))
    return _result(house, jobs, wanted, tick, used=used, seconds=seconds)


def _watch(
    system: System, view: demo_view.View, jobs: Sequence[JobId], most_s: float
) -> Tick | None:
    """Show the jobs until they have ended or their time is over; return the last tick."""
    house, stopping, tick = system.house, stopped_by_signals(), None
    began = time.monotonic()
    with view.live():
        while True:
            views = house.jobs.views(job_ids=jobs)[::-1]
            tick, seconds = _tick(house, views) or tick, time.monotonic() - began
            view.show(views, tick, seconds)
            if all(one.job.state not in ACTIVE for one in views):
                return tick
            if stopping.is_set() or seconds > most_s:
                _end(house, jobs)
                return tick
            system.supervisor.watch()
            stopping.wait(_LOOK_EVERY_S)


def _start(wanted: Wanted, house: House, name: str) -> JobId:
    user = house.users.add(name)
    login = read_login((house.settings.home / SIMULATOR_USERS).read_text(), name)
    house.users.keep_credentials(user, house.vault.seal(login))
    job = Job(
        JobId(0),
        user.user_id,
        house.catalog.named(wanted.symbol).rules.symbol,
        Target(TargetKind.VOLUME, wanted.volume),
        Amount(wanted.order_size),
        "cross",
        300,
    )
    wake = house.jobs.start(job)
    house.dispatcher.wake(wake)
    return wake.job_id


def _tick(house: House, jobs: Sequence[JobView]) -> Tick | None:
    symbol = jobs[0].job.symbol
    return ticks(house, {symbol}).get(symbol)


def _end(house: House, jobs: Sequence[JobId]) -> None:
    """Stop what still runs, and wait until it is flat or says what it holds."""
    for view in house.jobs.views(job_ids=jobs, active=True):
        house.dispatcher.wake(house.jobs.wish(view.job.job_id, Wish.STOP))
    deadline = time.monotonic() + _STOP_WITHIN_S
    while house.jobs.views(job_ids=jobs, active=True) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)


def _result(
    house: House,
    jobs: Sequence[JobId],
    wanted: Wanted,
    tick: Tick | None,
    *,
    used: dict[str, usage.Usage],
    seconds: float,
) -> Result:
    views = house.jobs.views(job_ids=jobs)[::-1]
    truth = httpx.get(f"{house.exchange_urls.rest}/sim/truth", timeout=30).json()
    ledgers = [
        UserLedger(
            view.user,
            view.job.symbol,
            view.token.alpha_id if view.token is not None else "",
            wanted.balance,
            house.jobs.cycles(view.job.job_id),
        )
        for view in views
    ]
    counts = house.jobs.counts(jobs)
    cycles = max(sum(view.finished for view in views), 1)
    time.sleep(2 * _LOOK_EVERY_S)  # the processes send their samples twice a second
    return Result(
        jobs=views,
        tick=_tick(house, views) or tick,
        audited=audit(truth, ledgers),
        refused=counts.get("refused", 0),
        unknown=counts.get("lost", 0),
        latency_ms=house.latencies.percentiles((*STAGES, "stale")),
        cpu_ms_per_cycle=_total(used).cpu_s * _MILLISECONDS / cycles,
        used=used,
        seconds=seconds,
    )


def _total(used: dict[str, usage.Usage]) -> usage.Usage:
    return sum(used.values(), usage.Usage())


def _simulator_arguments(wanted: Wanted, home: Path) -> tuple[str, ...]:
    arguments = [
        f"--users={wanted.users}",
        f"--balance={wanted.balance}",
        f"--credentials={home / SIMULATOR_USERS}",
        f"--market={wanted.market}",
        f"--speed={wanted.speed}",
        f"--seed={wanted.seed}",
        f"--match-delay-ms={wanted.delays_ms[0]}",
        f"--report-delay-ms={wanted.delays_ms[1]}",
    ]
    if wanted.tape is not None:
        arguments += [
            f"--tape={_TAPE_SYMBOL}={wanted.tape.absolute()}",
            f"--price-scale={wanted.price_scale}",
            "--loop",
        ]
    return tuple(arguments)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


@click.command()
@click.option(
    "--users", type=click.IntRange(1, 100), default=3, show_default=True, help="How many trade."
)
@click.option("--volume", type=DECIMAL, default="200", show_default=True, help="USDT each buys.")
@click.option("--order-size", type=DECIMAL, default="20", show_default=True, help="USDT a cycle.")
@click.option("--tape", type=_FILE, help="Recorded trades to replay instead of a made-up market.")
@click.option(
    "--price-scale", type=DECIMAL, default="1", show_default=True, help="Multiply its prices."
)
@click.option(
    "--market",
    type=click.Choice(["calm", "choppy", "crash", "gap"]),
    default="calm",
    show_default=True,
    help="What the made-up market does.",
)
@click.option("--speed", type=DECIMAL, default="1", show_default=True, help="Market time per time.")
@click.option("--seed", default=1, show_default=True, help="Makes the market repeatable.")
@click.option(
    "--minutes",
    type=DECIMAL,
    default="10",
    show_default=True,
    help="Then the jobs are stopped where they are.",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Also draw what it shows into this SVG file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing while it runs.")
def demo(
    *,
    as_json: bool,
    minutes: Decimal,
    picture: Path | None,
    **wanted: Any,  # noqa: ANN401 - options
) -> None:
    """Trade on a simulated exchange, and audit every order.

    Everything runs on this machine; no account is needed. Exits with 0 only if every job reached
    its target, every user is flat, and the ledger equals the exchange's own record order by order
    and fill by fill. Nothing is left running.
    """
    configure_logging(json=False, level="WARNING")
    view = demo_view.View(quiet=as_json, pictured=picture is not None)
    seconds = float(minutes) * _SECONDS
    result = demonstrate(Wanted(**wanted, seconds=seconds), view)
    view.summarise(result)
    if picture is not None:
        view.save_picture(picture, "oto demo")
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=1))
    click.get_current_context().exit(0 if result.good else 1)
