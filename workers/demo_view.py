"""What `oto demo` shows: steps, a live table of users, a summary."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

import click
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from oto.application.audit import Audit
from oto.domain.job import JobState
from oto.infrastructure.database.jobs import JobView

_STYLES = {
    JobState.COMPLETED: "green",
    JobState.RUNNING: "cyan",
    JobState.WAITING: "yellow",
    JobState.NEEDS_HUMAN: "bold red",
    JobState.FAILED: "bold red",
}
_NEXT = "oto up        # the whole system, to stay: add users, start jobs, watch them"
_PLAIN_EVERY_S = 5.0


class View:
    """Writes to the terminal; plain lines where there is none, nothing if quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._console = Console()
        self._live: Live | None = None
        self._said_at = -_PLAIN_EVERY_S

    def say(self, step: str) -> None:
        if not self._quiet:
            self._console.print(Text(f"· {step}", style="dim"))

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show the table live while the block runs, if this is a terminal."""
        if self._quiet or not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=8, transient=True) as self._live:
            yield
        self._live = None

    def show(self, jobs: Sequence[JobView], seconds: float) -> None:
        if self._live is not None:
            self._live.update(table(jobs, f"{seconds:.0f} s"))
        elif not self._quiet and seconds - self._said_at >= _PLAIN_EVERY_S:
            self._said_at = seconds
            for job in jobs:
                click.echo(
                    f"{seconds:4.0f} s  {job.user}  {job.progress.bought:.2f} USDT  {words(job)}"
                )

    def summarise(
        self, jobs: Sequence[JobView], audited: Audit, *, seconds: float, flat: bool
    ) -> None:
        """Say how it ended."""
        cycles = sum(job.finished for job in jobs)
        bought = sum((job.progress.bought for job in jobs), Decimal(0))
        lines = [
            f"{cycles} cycles, {bought:.2f} USDT bought in {seconds:.1f} s.",
            f"{audited.placed} orders placed, {audited.duplicates} of them twice.",
            f"{audited.orphans} orders unknown to the ledger.",
            "Every user is flat." if flat else "Not every user is flat.",
            "The ledger equals the exchange's own record, order by order and fill by fill."
            if audited.equal
            else "The ledger differs from the exchange's own record:",
            *(f"  {text}" for text in audited.differences[:10]),
        ]
        self._console.print(
            Group(table(jobs, f"{seconds:.1f} s"), *lines, "", f"Try next:  {_NEXT}")
        )
        sys.stdout.flush()


def table(jobs: Sequence[JobView], title: str) -> RenderableType:
    """Draw one line for each job."""
    drawn = Table(title=title, box=box.SIMPLE, title_justify="left", expand=False)
    for name in ("user", "token"):
        drawn.add_column(name)
    drawn.add_column("progress", width=24)
    for name in ("bought", "cycles", "left", "wear", "bps"):
        drawn.add_column(name, justify="right")
    drawn.add_column("state", overflow="fold")
    for job in jobs:
        target = float(job.job.target.value)
        bps = job.wear.bps_half_up() if job.cycle is None else None
        drawn.add_row(
            job.user,
            job.token.ticker if job.token is not None else job.job.symbol,
            ProgressBar(total=target, completed=min(float(job.progress.bought), target), width=24),
            f"{job.progress.bought:.2f}",
            str(job.finished),
            str(job.cycles_needed),
            f"{job.wear.cost:.4f}" if job.cycle is None else "…",
            "" if bps is None else f"{bps:.2f}",
            Text(words(job), style=_STYLES.get(job.job.state, "")),
        )
    return drawn


def words(job: JobView) -> str:
    """Say where a job stands, and why."""
    phase = "" if job.cycle is None else f" · {job.cycle.phase.value}"
    why = "" if job.job.reason is None else f": {job.job.reason.value}"
    detail = f" ({job.detail})" if job.detail else ""
    return f"{job.job.state.value}{phase}{why}{detail}"
