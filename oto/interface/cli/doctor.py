"""`oto doctor`: does everything run that must, and what to do if not."""

from contextlib import closing

import click

from oto.application import checks
from oto.application.checks import Finding, Result
from oto.infrastructure.clock import SystemClock
from oto.infrastructure.logs import configure_logging
from oto.interface.checks import Looks, all_checks
from oto.interface.cli.output import Row, print_rows

_WITHIN_S = 9.0
_COLUMNS = ("check", "result", "ms", "detail", "advice")
_NAMES = tuple(check.name for check in all_checks(Looks()))


@click.command()
@click.option(
    "--only", "names", multiple=True, type=click.Choice(_NAMES), help="Show this one; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, *, names: tuple[str, ...], as_json: bool) -> None:
    """Check the system, and say what to do about what is wrong.

    Looks at settings, database, schema, Redis, master keys, exchange, clock, both streams, workers,
    beat, and at users who need you, for 10 s at most. The exit code is 0 if nothing failed.
    """
    configure_logging(json=False, level="CRITICAL")
    with closing(Looks()) as looks:
        chosen = checks.with_needed(all_checks(looks), names or _NAMES)
        found = checks.run(chosen, SystemClock(), _WITHIN_S)
    shown = [one for one in found if not names or one.check in names]
    print_rows("Checks", _COLUMNS, [_row(one) for one in shown], as_json=as_json)
    ctx.exit(1 if any(one.found.result is Result.FAILED for one in shown) else 0)


def _row(finding: Finding) -> Row:
    return {
        "check": finding.check,
        "result": finding.found.result.value,
        "ms": finding.took_ms,
        "detail": finding.found.detail,
        "advice": finding.found.advice,
    }
