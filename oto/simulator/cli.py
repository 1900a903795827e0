"""`oto sim`: run the simulated exchange."""

from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

_LAST_MS = 4_102_444_800_000  # the year 2100
_MOST = Decimal(10) ** 12
_DELAY = click.IntRange(0, 600_000)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Positive(click.ParamType[Decimal]):
    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value} is not a number", param, ctx)
        if not number.is_finite() or not 0 < number <= _MOST:
            self.fail(f"{value} is not above zero, or too large", param, ctx)
        return number


@click.group()
def sim() -> None:
    """Simulate the exchange on this machine."""


@sim.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Port; 0 takes a free one.",
)
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the URLs here too.")
@click.option(
    "--tape",
    "tapes",
    multiple=True,
    help="Trades to replay: FILE, or SYMBOL=FILE; .csv[.gz] or a recorded socket .jsonl[.gz].",
)
@click.option("--price-scale", type=_Positive(), default="1", help="Multiply the tapes' prices.")
@click.option("--loop", is_flag=True, help="Play the tapes again when they end.")
@click.option(
    "--market",
    type=click.Choice(["calm", "choppy", "crash", "gap", "none"]),
    default="calm",
    show_default=True,
    help="What symbols without a tape do.",
)
@click.option(
    "--speed", type=_Positive(), default="1", show_default=True, help="Tape time per real time."
)
@click.option("--seed", default=1, show_default=True, help="Makes a run repeatable.")
@click.option("--stepped", is_flag=True, help="Move the clock only by POST /sim/step.")
@click.option(
    "--start-ms",
    type=click.IntRange(0, _LAST_MS),
    help="First time of the clock, Unix ms [default: now; 2026-01-01 if stepped].",
)
@click.option("--token-list", type=_EXISTING, help="A recorded token list to take symbols from.")
@click.option("--exchange-info", type=_EXISTING, help="The exchange info that goes with it.")
@click.option(
    "--users",
    type=click.IntRange(0, 10_000),
    default=0,
    show_default=True,
    help="Make accounts sim-1, sim-2, …",
)
@click.option("--balance", type=_Positive(), default="500", show_default=True, help="USDT of each.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path),
    default="sim-credentials.json",
    show_default=True,
    help="Where the accounts' headers and cookies are written, with --users.",
)
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Go on with the accounts and orders in this file, and keep them there.",
)
@click.option("--faults", type=_EXISTING, help="A JSON file of faults to switch on.")
@click.option(
    "--partial-fill",
    type=click.Choice(["pending_on_full_fill", "pending_on_partial", "void_on_cancel"]),
    default="pending_on_full_fill",
    show_default=True,
    help="What a partly filled working leg does to its pending leg.",
)
@click.option(
    "--match-delay-ms", type=_DELAY, default=0, show_default=True, help="From order to matching."
)
@click.option(
    "--report-delay-ms", type=_DELAY, default=0, show_default=True, help="From event to report."
)
@click.option("--parent", type=click.IntRange(2), help="End when the process of this id is gone.")
def serve(**options: object) -> None:
    """Serve the exchange until SIGTERM or Ctrl-C.

    Prints one JSON line with its URLs when it is ready.
    """
    from oto.simulator import serving  # noqa: PLC0415 - `oto --help` needs no web server

    try:
        serving.run(serving.ServeOptions(**options))  # type: ignore[arg-type]
    except serving.CannotServeError as error:
        raise click.ClickException(str(error)) from error
