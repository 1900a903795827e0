"""The whole system on one machine, in the foreground: `oto up`."""

import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click

from oto.application.refresh import refresh_catalog
from oto.bootstrap import House, NotRunningError, plain, simulator_file
from oto.domain.errors import ExchangeError
from oto.infrastructure import servers
from oto.infrastructure.database import schema
from oto.infrastructure.dispatch import node_name, shared_queues
from oto.infrastructure.logs import configure_logging
from oto.infrastructure.redis_store.beats import ORDERS, SWEEP
from oto.infrastructure.settings import Exchange, Settings, load_settings
from workers.canary import Canary
from workers.supervisor import Program, Supervisor, end_with_supervisor, stopped_by_signals

SIMULATOR_STATE = "simulator-state.json"
SIMULATOR_USERS = "sim-credentials.json"
_LOOK_EVERY_S = 0.2
_READY_WITHIN_S = 60.0


class NotReadyError(NotRunningError):
    """A part of the system did not come up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run. `simulator` are the arguments of `oto sim serve`, None for none.

    `without` names processes that are not started: another machine has them, or none should.
    """

    settings: Settings
    simulator: tuple[str, ...] | None
    workers: int = 1
    threads: int | None = None
    flower: bool = True
    standby: bool = False
    durable: bool = True
    output: IO[bytes] | None = None
    without: frozenset[str] = frozenset()


@dataclass(slots=True)
class System:
    """A running system."""

    house: House
    supervisor: Supervisor
    began_at: datetime

    def wait_until_ready(self, most_s: float = _READY_WITHIN_S) -> None:
        """Wait until the streams, a worker and beat have given signs of life.

        Raises:
            NotReadyError: one of them does not.
        """
        deadline = time.monotonic() + most_s
        while late := self._late():
            if time.monotonic() > deadline:
                raise NotReadyError(f"No sign of life from {', '.join(late)} in {most_s:g} s.")
            self.supervisor.watch()
            time.sleep(0.05)

    def run(self, until: threading.Event) -> None:
        """Keep the processes running until the event is set, or the embedded servers are gone."""
        given = self.house.settings
        embedded = given.database_url is None or given.redis_url is None
        while not until.wait(_LOOK_EVERY_S):
            self.supervisor.watch()
            if embedded and servers.running(given.home) is None:
                return

    def _late(self) -> list[str]:
        beats = self.house.beats
        found = {
            "the price-streamer": self.house.ticks.last_beat(),
            "the order-streamer": beats.last(ORDERS),
            "beat and a worker": beats.last(SWEEP),
        }
        return [name for name, at in found.items() if at is None or at < self.began_at]


@contextmanager
def running(plan: Plan, say: Callable[[str], None]) -> Iterator[System]:
    """Run the whole system until the block ends; `say` is told of each step.

    Raises:
        ServersError: an embedded server cannot be started.
        NotReadyError: the simulator does not come up.
    """
    settings, began_at = plan.settings, datetime.now(UTC)
    with ExitStack() as stack:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        stack.enter_context(_servers(plan))
        say("servers are up")
        house = House(settings)
        stack.callback(house.close)
        schema.upgrade(house.engine)
        supervisor = Supervisor(_environment(settings), plan.output)
        stack.callback(supervisor.stop)
        if plan.simulator is not None:
            _start_simulator(supervisor, settings.home, plan.simulator)
            say("the simulated exchange is up")
        _read_lists(house, say)
        for program in _programs(plan):
            if program.name not in plan.without:
                supervisor.start(program)
        stack.callback(_watch_queues(plan, house, supervisor).stop)
        say("streams, worker and beat are started")
        try:
            yield System(house, supervisor, began_at)
        finally:
            # The exchange outlives those who trade on it.
            supervisor.stop([one for one in supervisor.pids if one != "simulator"])


def _servers(plan: Plan) -> AbstractContextManager[object]:
    settings = plan.settings
    return servers.started(
        settings.home,
        durable=plan.durable,
        database=settings.database_url is None,
        redis=settings.redis_url is None,
    )


def _read_lists(house: House, say: Callable[[str], None]) -> None:
    try:
        refresh_catalog(house.public, house.catalog, house.clock)
    except ExchangeError as error:
        say(f"the exchange's lists could not be read: {error}; a worker tries again each minute")


def _programs(plan: Plan) -> Iterator[Program]:
    threads = () if plan.threads is None else (f"--threads={plan.threads}",)
    for suffix in ("", "-standby") if plan.standby else ("",):
        yield Program(f"price-streamer{suffix}", ("stream", "prices"))
        yield Program(f"order-streamer{suffix}", ("stream", "orders"))
        yield Program(f"beat{suffix}", ("beat",))
    for name in _workers(plan):
        yield Program(name, ("worker", f"--name={name}", *threads))
    if plan.flower:
        yield Program("flower", ("flower",))


def _workers(plan: Plan) -> list[str]:
    return [f"worker-{number}" for number in range(1, plan.workers + 1)]


def _watch_queues(plan: Plan, house: House, supervisor: Supervisor) -> Canary:
    """Have workers that are silent started again."""
    owners = {node_name(name): name for name in _workers(plan) if name in supervisor.pids}
    canary = Canary(house.celery, house.beats, shared_queues(house.celery), owners)
    supervisor.silent = canary.silent
    canary.start()
    return canary


def _environment(settings: Settings) -> dict[str, str]:
    """Return what the processes' own settings must agree with."""
    return {
        "OTO_HOME": str(settings.home),
        "OTO_EXCHANGE": settings.exchange.value,
        "OTO_LOG_LEVEL": settings.log_level,
        "OTO_LOG_JSON": str(settings.log_json).lower(),
        "OTO_DATABASE_URL": plain(settings.database_url),
        "OTO_REDIS_URL": plain(settings.redis_url),
        "OTO_REST_URL": settings.rest_url or "",
        "OTO_WS_URL": settings.ws_url or "",
    }


def _start_simulator(supervisor: Supervisor, home: Path, arguments: tuple[str, ...]) -> None:
    ready = simulator_file(home)
    ready.unlink(missing_ok=True)
    own = ("serve", f"--ready-file={ready}", f"--parent={os.getpid()}", *arguments)
    # By its own door, which loads nothing of the rest.
    supervisor.start(Program("simulator", own, module="oto.simulator"))
    deadline = time.monotonic() + _READY_WITHIN_S
    while not ready.exists():
        if supervisor.ended("simulator") or time.monotonic() > deadline:
            raise NotReadyError("The simulated exchange did not start; its message is above.")
        time.sleep(0.02)


@click.command()
@click.option(
    "--simulator/--live",
    "simulated",
    default=None,
    help="Trade on a simulated exchange of this machine, or on the real one [OTO_EXCHANGE].",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 32),
    default=1,
    show_default=True,
    help="How many processes.",
)
@click.option("--standby", is_flag=True, help="Run a stand-by of both streamers and of beat too.")
@click.option("--flower/--no-flower", default=True, show_default=True, help="Run Flower too.")
@click.option(
    "--simulator-options",
    default="--users 3",
    show_default=True,
    help="Options of `oto sim serve` for the simulated exchange.",
)
def up(
    *,
    simulated: bool | None,
    workers: int,
    standby: bool,
    flower: bool,
    simulator_options: str,
) -> None:
    """Run the whole system until Ctrl-C.

    Servers, the simulated exchange unless --live, streams, workers, beat and Flower. Jobs go on
    where they were. Everything it keeps is in the home folder (OTO_HOME).
    """
    end_with_supervisor()  # such as the drill
    settings = load_settings()
    if simulated is not None:
        chosen = Exchange.SIMULATOR if simulated else Exchange.LIVE
        settings = settings.model_copy(update={"exchange": chosen})
    configure_logging(json=settings.log_json, level=settings.log_level)
    own_simulator = settings.exchange is Exchange.SIMULATOR and settings.exchange_urls is None
    arguments = _simulator_arguments(settings.home, simulator_options) if own_simulator else None
    plan = Plan(
        settings=settings, simulator=arguments, workers=workers, flower=flower, standby=standby
    )
    stopping = stopped_by_signals()
    began = time.monotonic()
    with running(plan, lambda step: click.echo(f"{time.monotonic() - began:5.1f} s  {step}")) as it:
        _tell(it, settings, flower=flower)
        it.run(stopping)
        click.echo("Ending; jobs go on with the next `oto up`.")


def _simulator_arguments(home: Path, options: str) -> tuple[str, ...]:
    kept = (f"--state={home / SIMULATOR_STATE}", f"--credentials={home / SIMULATOR_USERS}")
    return (*kept, *shlex.split(options))


def _tell(system: System, settings: Settings, *, flower: bool) -> None:
    lines = [f"Exchange   {system.house.exchange_urls.rest} ({settings.exchange.value})"]
    if settings.exchange is Exchange.SIMULATOR and settings.exchange_urls is None:
        lines.append(f"Accounts   {settings.home / SIMULATOR_USERS}")
    if flower:
        lines.append(f"Flower     http://127.0.0.1:{settings.flower_port}")
    lines.append("Next       oto user add NAME · oto user login NAME · oto job start --help")
    click.echo("\n".join(lines))
    click.echo("Running. Ctrl-C ends it.")
