"""`oto worker`, `oto beat`, `oto stream …`, `oto flower`: each process alone."""

import os
import secrets
import sys
import threading
import warnings

import click

from oto.bootstrap import House, open_house
from oto.infrastructure.database.roles import Role
from oto.infrastructure.dispatch import add_queue, node_name, shared_queues
from oto.infrastructure.logs import configure_logging
from oto.infrastructure.redis_store.client import redis_client
from oto.infrastructure.redis_store.ticks import TickStore
from workers.order_streamer import OrderStreamer
from workers.price_streamer import ANSWER_WITHIN_S, PriceStreamer
from workers.standby import holding
from workers.supervisor import end_with_supervisor, stopped_by_signals

_LOOK_EVERY_S = 0.5
_SWITCH_S = 0.0005
_FLOWER_USER = "oto"


def opened() -> House:
    """Open the house of a process that runs on its own, with its logs."""
    house = open_house()
    configure_logging(json=house.settings.log_json, level=house.settings.log_level)
    end_with_supervisor()
    # These processes wait for answers in many threads: each answer would wait up to 5 ms for the
    # interpreter.
    sys.setswitchinterval(_SWITCH_S)
    return house


@click.command()
@click.option("--name", default="worker", show_default=True, help="Name that Flower shows.")
@click.option(
    "--threads", type=click.IntRange(1, 256), help="Steps at a time [OTO_WORKER_THREADS]."
)
def worker(*, name: str, threads: int | None) -> None:
    """Take steps of jobs until SIGTERM; running steps finish."""
    from workers.app import app  # noqa: PLC0415 - reads where the broker is

    house = opened()
    _ = house.urls  # says in one sentence if nothing runs
    # Celery warns of running as root because of pickle, which is not accepted here.
    warnings.filterwarnings("ignore", module="celery.platforms")
    node = node_name(name)
    queues = (*shared_queues(app), node)
    add_queue(app, node)
    number = threads or house.settings.worker_threads
    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=threads",
            f"--concurrency={number}",
            f"--queues={','.join(queues)}",
            f"--hostname={node}",
            "--without-gossip",
            "--without-mingle",
            "--loglevel=WARNING",
        ]
    )


@click.command()
def beat() -> None:
    """Send the scheduled tasks until SIGTERM; a second one stands by."""
    from workers.app import app  # noqa: PLC0415 - reads where the broker is

    house = opened()
    schedule = house.settings.home / "beat-schedule"
    arguments = ["beat", f"--schedule={schedule}", "--pidfile=", "--loglevel=WARNING"]
    with holding(house.roles, Role.BEAT, stopped_by_signals()) as token:
        if token is not None:
            app.start(["--quiet", *arguments])


@click.group()
def stream() -> None:
    """Follow the exchange's streams."""


@stream.command()
def prices() -> None:
    """Keep the latest prices that jobs need in Redis, until SIGTERM; a second one stands by."""
    house = opened()
    stopping = stopped_by_signals()
    with holding(house.roles, Role.PRICES, stopping) as token:
        if token is not None:
            _stream_prices(house, token, stopping)


def _stream_prices(house: House, token: int, stopping: threading.Event) -> None:
    store = TickStore(redis_client(house.urls.redis_url, ANSWER_WITHIN_S), token)
    streamer = PriceStreamer(house.exchange_urls.ws, store, house.latencies, house.catalog.wanted)
    house.latencies.start()
    streamer.start()
    while not stopping.wait(_LOOK_EVERY_S) and streamer.running:
        pass
    streamer.stop()
    house.latencies.stop()
    if not stopping.is_set():
        raise click.ClickException("The price-streamer's thread ended; the log says why.")


@stream.command()
def orders() -> None:
    """Bring the reports of orders into the ledger, until SIGTERM; a second one stands by."""
    house = opened()
    stopping = stopped_by_signals()
    with holding(house.roles, Role.ORDERS, stopping) as token:
        if token is not None:
            _stream_orders(house, stopping)


def _stream_orders(house: House, stopping: threading.Event) -> None:
    streamer = OrderStreamer(
        house.exchange_urls.ws,
        alpha_of=house.exchanges.alpha,
        trading=house.users.trading,
        ledger=house.ledger,
        dispatcher=house.dispatcher,
        latencies=house.latencies,
        beats=house.beats,
    )
    streamer.start()
    stopping.wait()
    streamer.stop()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port [OTO_FLOWER_PORT].")
def flower(*, host: str, port: int | None) -> None:
    """Show workers and tasks in a browser, until SIGTERM.

    The user is `oto`; without OTO_FLOWER_PASSWORD a new password is shown.
    """
    from workers.app import app  # noqa: PLC0415 - reads where the broker is

    house = opened()
    _ = house.urls
    given = house.settings.flower_password
    password = given.get_secret_value() if given is not None else secrets.token_urlsafe(12)
    if given is None:
        click.echo(f"Flower: user {_FLOWER_USER}, password {password}", err=True)
    os.environ["FLOWER_BASIC_AUTH"] = f"{_FLOWER_USER}:{password}"
    number = port or house.settings.flower_port
    app.start(["flower", f"--address={host}", f"--port={number}", "--logging=warning"])
