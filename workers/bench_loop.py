"""`oto bench loop`: the trading loop at full speed, simulator included."""

from decimal import Decimal

import click

from oto.infrastructure.logs import configure_logging
from oto.interface.cli.bench import bench
from oto.interface.cli.numbers import DECIMAL
from oto.interface.cli.output import Row, print_rows
from workers.demo import Wanted, demonstrate
from workers.demo_result import STAGES, Result
from workers.demo_view import View

_SECONDS = 600.0


@click.command()
@click.option(
    "--users", type=click.IntRange(1, 100), default=10, show_default=True, help="How many trade."
)
@click.option("--volume", type=DECIMAL, default="600", show_default=True, help="USDT each buys.")
@click.option("--order-size", type=DECIMAL, default="20", show_default=True, help="USDT a cycle.")
@click.option("--speed", type=DECIMAL, default="5", show_default=True, help="Market time per time.")
@click.option(
    "--workers", type=click.IntRange(1, 8), default=2, show_default=True, help="How many processes."
)
@click.option(
    "--match-delay-ms",
    type=click.IntRange(0, 10_000),
    default=250,
    show_default=True,
    help="From order to match; as captured once.",
)
@click.option(
    "--report-delay-ms",
    type=click.IntRange(0, 10_000),
    default=160,
    show_default=True,
    help="From event to report; as captured once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def loop(
    *,
    users: int,
    volume: Decimal,
    order_size: Decimal,
    speed: Decimal,
    workers: int,
    match_delay_ms: int,
    report_delay_ms: int,
    as_json: bool,
) -> None:
    """Trade many users at once, and measure the trading loop.

    Each stage, the CPU per cycle, the memory of each process. A tick to a POST counts from the
    later of tick and wake-up.
    """
    configure_logging(json=False, level="WARNING")
    wanted = Wanted(
        users=users,
        volume=volume,
        order_size=order_size,
        tape=None,
        price_scale=Decimal(1),
        market="calm",
        speed=speed,
        seed=1,
        seconds=_SECONDS,
        workers=workers,
        delays_ms=(match_delay_ms, report_delay_ms),
    )
    result = demonstrate(wanted, View(quiet=True))
    figures, processes = _figures(result), _processes(result)
    if as_json:
        print_rows("", ("figure", "value"), [*figures, *processes], as_json=True)
        return
    print_rows(f"{users} users at once", ("figure", "value"), figures, as_json=False)
    columns = ("process", "cpu_ms_per_cycle", "resident_mib")
    print_rows("Processes", columns, processes, as_json=False)


def _figures(result: Result) -> list[Row]:
    shown = result.as_json()
    rows: list[Row] = [
        {"figure": "cycles", "value": result.cycles},
        {"figure": "cycles per second", "value": shown["cycles_per_s"]},
        {"figure": "tasks per cycle", "value": shown["tasks_per_cycle"]},
        {"figure": "CPU per cycle, all processes", "value": f"{result.cpu_ms_per_cycle:.0f} ms"},
        {"figure": "every target, flat, equal", "value": "yes" if result.good else "NO"},
    ]
    for stage in STAGES:
        found = result.latency_ms.get(stage)
        if found is not None:
            three = " / ".join(f"{found[name]:.1f}" for name in ("p50", "p95", "p99"))
            rows.append({"figure": f"{stage}, ms: p50 / p95 / p99", "value": three})
    return rows


def _processes(result: Result) -> list[Row]:
    return [
        {
            "process": name,
            "cpu_ms_per_cycle": round(one.cpu_s * 1000 / max(result.cycles, 1), 1),
            "resident_mib": one.resident >> 20,
        }
        for name, one in sorted(result.used.items())
    ]


bench.add_command(loop)
