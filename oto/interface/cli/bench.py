"""`oto bench`: measure this program on this machine; docs/benchmarks.md tells what was measured."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from oto.interface.cli import bench_load
from oto.interface.cli.bench_memory import memory_of_play
from oto.interface.cli.bench_parse import parse_costs
from oto.interface.cli.bench_wire import simulator
from oto.interface.cli.output import Row, print_rows

_TAPE = click.Path(exists=True, dir_okay=False, path_type=Path)
_COUNT = click.IntRange(min=1, max=1_000)
_SECONDS = click.FloatRange(min=0.1, max=3_600)

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def bench() -> None:
    """Measure speed and memory on this machine.

    A simulator runs as a process of its own and is loaded over loopback.
    """


@bench.command("simulator")
@click.option("--connections", type=_COUNT, default=8, show_default=True)
@click.option("--seconds", type=_SECONDS, default=5.0, show_default=True, help="Per measurement.")
@_as_json
def simulator_command(*, connections: int, seconds: float, as_json: bool) -> None:
    """Requests per second at full load, and latency at half of it.

    The CPU columns are percents of one core: what counts is the simulator's where it is near 100
    and the client's is below.
    """

    async def measure() -> list[Row]:
        async with simulator() as running:
            return await bench_load.rest_load(running, connections, seconds)

    _print("Simulator, REST", asyncio.run(measure()), as_json=as_json)


@bench.command()
@click.option("--sockets", type=_COUNT, default=200, show_default=True)
@click.option("--rounds", type=_COUNT, default=9, show_default=True, help="Of a single event.")
@click.option("--burst", type=click.IntRange(1, 100), default=20, show_default=True)
@_as_json
def fanout(*, sockets: int, rounds: int, burst: int, as_json: bool) -> None:
    """Time from one trade until every socket has heard of it.

    Once with a private socket per account, whose order the trade fills, and once with market
    sockets on one stream. Times count from the request that prints the trade.
    """

    async def measure() -> list[Row]:
        rows: list[Row] = []
        for load in (bench_load.user_fan_out, bench_load.market_fan_out):
            async with simulator("--market", "none") as running:
                rows += await load(running, sockets, rounds, burst)
        return rows

    _print("Simulator, pushes to many sockets", asyncio.run(measure()), as_json=as_json)


@bench.command()
@click.option("--repeats", type=_COUNT, default=15, show_default=True)
@click.option("--frames", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True)
@_as_json
def parse(*, repeats: int, frames: int, as_json: bool) -> None:
    """Time in which the adapter turns one frame into a domain value."""
    _print("Adapter, one frame", parse_costs(repeats, frames), as_json=as_json)


@bench.command()
@click.option("--seconds", type=_SECONDS, default=60.0, show_default=True)
@click.option("--speed", type=click.IntRange(1, 1_000), default=60, show_default=True)
@click.option(
    "--market",
    type=click.Choice(["calm", "choppy", "crash", "gap"]),
    default="choppy",
    show_default=True,
    help="What symbols without a tape do.",
)
@click.option("--tape", "tapes", type=_TAPE, multiple=True, help="Trades to play in a loop.")
@click.option("--price-scale", default="1", show_default=True, help="Of the tapes.")
@click.option("--subscribers", type=_COUNT, default=3, show_default=True)
@click.option("--samples", type=click.IntRange(4, 1_000), default=12, show_default=True)
@_as_json
def memory(
    *,
    seconds: float,
    speed: int,
    market: str,
    tapes: Sequence[Path],
    price_scale: str,
    subscribers: int,
    samples: int,
    as_json: bool,
) -> None:
    """Resident memory of a simulator that plays its markets faster than time.

    The last row's growth is what a run of this length adds after its first quarter.
    """
    options = ["--speed", str(speed), "--market", market, "--price-scale", price_scale, "--loop"]
    options += [f"--tape={tape}" for tape in tapes]

    async def measure() -> list[Row]:
        async with simulator(*options) as running:
            return await memory_of_play(running, subscribers, seconds, speed, samples)

    _print(f"Simulator, memory at ×{speed}", asyncio.run(measure()), as_json=as_json)


def _print(title: str, rows: Sequence[Row], *, as_json: bool) -> None:
    print_rows(title, list(rows[0]), rows, as_json=as_json)
