"""`oto drill`: the whole system against the simulator while everything goes wrong."""

import signal
import time
from decimal import Decimal
from pathlib import Path

import click

from oto.infrastructure.logs import configure_logging
from oto.interface.cli.numbers import DECIMAL
from workers.drill import report
from workers.drill.run import drill as run
from workers.drill.schedule import chosen
from workers.drill.stage import Wanted

_SECONDS = 60


@click.command()
@click.option(
    "--cycles",
    type=click.IntRange(1, 1_000_000),
    default=300,
    show_default=True,
    help="How many to trade, all users together.",
)
@click.option(
    "--users", type=click.IntRange(1, 100), default=5, show_default=True, help="How many trade."
)
@click.option("--seed", default=1, show_default=True, help="Makes the schedule repeatable.")
@click.option(
    "--faults",
    default="all",
    show_default=True,
    help="Which may strike: all, none, or names with commas between.",
)
@click.option(
    "--minutes",
    type=DECIMAL,
    default="10",
    show_default=True,
    help="Then the faults end, whether the cycles are done or not.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Leave the log and the exchange's truth in this folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing while it runs.")
def drill(
    *,
    cycles: int,
    users: int,
    seed: int,
    faults: str,
    minutes: Decimal,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Kill, cut and lie to the real system on a simulated exchange, then audit every order.

    A schedule of faults follows from the seed. Exits with 0 only if no order was placed twice or
    lost, no fill was lost or counted twice, every user is flat or parked with a reason, and all
    figures equal the exchange's own. Nothing is left running.
    """
    configure_logging(json=False, level="ERROR")
    # A drill that is told to end leaves nothing behind either, also where Ctrl-C was ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    wanted = Wanted(
        users=users,
        cycles=cycles,
        seed=seed,
        faults=chosen(faults),
        seconds=float(minutes) * _SECONDS,
        keep=keep,
    )
    began = time.monotonic()

    def say(step: str) -> None:
        if not as_json:
            click.echo(f"{time.monotonic() - began:6.1f} s  {step}")

    outcome = run(wanted, say)
    if keep is not None:
        report.write(outcome, keep / "report.json")
    report.show(outcome, json=as_json)
    click.get_current_context().exit(0 if outcome.found.good else 1)
