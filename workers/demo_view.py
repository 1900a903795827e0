"""What `oto demo` shows: steps, a live table of users, a summary, and a picture of all that."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from rich import box
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from oto.domain import money
from oto.domain.job import JobState
from oto.domain.tick import Tick
from oto.infrastructure.database.jobs import JobView
from oto.interface.cli import job_view
from oto.interface.cli.output import console, usdt
from workers.demo_result import Result, worn

_STYLES = {
    JobState.COMPLETED: "green",
    JobState.RUNNING: "cyan",
    JobState.WAITING: "yellow",
    JobState.NEEDS_HUMAN: "bold red",
    JobState.FAILED: "bold red",
}
_NEXT = "oto up    # the whole system, to stay: users, jobs, Flower"
_PLAIN_EVERY_S = 5.0
_BAR_WIDTH = 16
_PICTURE_WIDTH = 90
_MOST_DIFFERENCES = 10


class View:
    """Writes to the terminal; plain lines where there is none, nothing if quiet.

    With `pictured` the same is drawn, with one table of halfway, for `save_picture`.
    """

    def __init__(self, *, quiet: bool, pictured: bool = False) -> None:
        self._quiet = quiet
        self._console = console()
        self._recorder = _recorder() if pictured else None
        self._live: Live | None = None
        self._said_at = -_PLAIN_EVERY_S
        self._drew_halfway = False

    def say(self, step: str) -> None:
        self._print(Text(f"· {step}", style="dim"))

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show the table live while the block runs, if this is a terminal."""
        if self._quiet or not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=8, transient=True) as self._live:
            yield
        self._live = None

    def show(self, jobs: Sequence[JobView], tick: Tick | None, seconds: float) -> None:
        """Show how the jobs stand; all of them trade the token of the tick."""
        when = f"{seconds:.0f} s"
        if self._live is not None:
            self._live.update(table(jobs, tick, when))
        elif not self._quiet and seconds - self._said_at >= _PLAIN_EVERY_S:
            self._said_at = seconds
            for job in jobs:
                self._console.print(_line(job, seconds))
        if self._recorder is not None and not self._drew_halfway and _is_halfway(jobs):
            self._drew_halfway = True
            self._recorder.print(table(jobs, tick, when))

    def summarise(self, result: Result) -> None:
        """Say how it ended."""
        audited, seconds = result.audited, result.seconds
        bought = sum((job.progress.bought for job in result.jobs), Decimal(0))
        self._print(table(result.jobs, result.tick, f"{seconds:.1f} s"))
        for line in (
            f"{result.cycles} cycles, {usdt(bought)} USDT bought in {seconds:.1f} s.",
            f"{audited.placed} orders placed, {audited.duplicates} of them twice.",
            f"{audited.orphans} orders unknown to the ledger.",
            "Every user is flat." if result.flat else "Not every user is flat.",
            "The ledger equals the exchange's own record, order by order and fill by fill."
            if audited.equal
            else "The ledger differs from the exchange's own record:",
            *(f"  {difference}" for difference in audited.differences[:_MOST_DIFFERENCES]),
            "",
            f"Try next:  {_NEXT}",
        ):
            self._print(Text(line))

    def save_picture(self, file: Path, title: str) -> None:
        """Write what was drawn as an SVG that needs nothing from elsewhere.

        Raises:
            OSError: the file cannot be written.
        """
        if self._recorder is None:
            return
        drawn = self._recorder.export_svg(title=title, unique_id="demo")
        # Rich names fonts of a web site, which a page that embeds the picture does not load.
        file.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))

    def _print(self, drawn: RenderableType) -> None:
        if not self._quiet:
            self._console.print(drawn)
        if self._recorder is not None:
            self._recorder.print(drawn)


def table(jobs: Sequence[JobView], tick: Tick | None, when: str) -> Table:
    """Draw one line for each job, within 80 columns as long as nothing is wrong."""
    drawn = Table(
        title=_title(jobs, tick, when),
        title_style="bold",
        title_justify="left",
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    drawn.add_column("user", no_wrap=True)
    drawn.add_column("progress", width=_BAR_WIDTH)
    for name in ("bought", "cycles", "wear", "bps"):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("state", overflow="fold")
    for job in jobs:
        drawn.add_row(*_cells(job, tick))
    return drawn


def _cells(job: JobView, tick: Tick | None) -> tuple[RenderableType, ...]:
    cost = worn(job, tick)
    bps = cost.bps_half_up()
    return (
        job.user,
        ProgressBar(
            completed=float(job_view.percent_done(job)),
            width=_BAR_WIDTH,
            complete_style="cyan",
            finished_style="green",
        ),
        usdt(job.progress.bought),
        f"{job.finished}/{_cycles_in_all(job)}",
        usdt(cost.cost, 4),
        "" if bps is None else f"{bps:.2f}",
        Text(_words(job), style=_STYLES.get(job.job.state, "")),
    )


def _cycles_in_all(job: JobView) -> int:
    unfinished = job.cycle is not None and job.cycle.bought > 0
    return job.finished + unfinished + job.cycles_needed


def _title(jobs: Sequence[JobView], tick: Tick | None, when: str) -> str:
    ticker = job_view.ticker(jobs[0])
    if tick is None or tick.trade_price is None:
        return f"{ticker}, {when}"
    return f"{ticker} at {money.trimmed(tick.trade_price)}, {when}"


def _line(job: JobView, seconds: float) -> str:
    return f"{seconds:4.0f} s  {job.user}  {usdt(job.progress.bought)} USDT  {_words(job)}"


def _words(job: JobView) -> str:
    phase = "" if job.cycle is None else f" · {job.cycle.phase.value.replace('_', ' ')}"
    return f"{job_view.state_words(job)}{phase}"


def _is_halfway(jobs: Sequence[JobView]) -> bool:
    return sum(job_view.percent_done(job) for job in jobs) >= 50 * len(jobs)


def _recorder() -> Console:
    return Console(
        record=True,
        file=io.StringIO(),
        width=_PICTURE_WIDTH,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        highlight=False,
    )
