"""`oto job watch`: jobs as they go on, live in a terminal, else a line for each change."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import click
from rich import box
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from oto.bootstrap import House
from oto.domain import money
from oto.domain.job import ACTIVE, JobState
from oto.domain.market import Symbol
from oto.domain.tick import Tick
from oto.infrastructure.database.jobs import JobView
from oto.interface.cli import job_view
from oto.interface.cli.output import console, print_json, usdt
from oto.interface.cli.prices import mark, ticks

_EVERY_S = 0.5
_BAR_WIDTH = 24
_STYLES = {
    JobState.COMPLETED: "green",
    JobState.RUNNING: "cyan",
    JobState.WAITING: "yellow",
    JobState.NEEDS_HUMAN: "bold red",
    JobState.FAILED: "bold red",
}

Look = tuple[Sequence[JobView], Mapping[Symbol, Tick]]


def watch(house: House, job_ids: Sequence[int], *, as_json: bool) -> Sequence[JobView]:
    """Show jobs until none of them is active; return how they stand then."""
    looks = _looks(house, job_ids)
    out = console()
    if as_json:
        return _on_changes(
            looks, lambda view, tick: print_json(_json(view, tick), in_one_line=True)
        )
    if not out.is_terminal:
        return _on_changes(looks, lambda view, tick: click.echo(_line(view, tick)))
    views: Sequence[JobView] = []
    with Live(console=out, auto_refresh=False) as live:
        for views, found in looks:
            live.update(_drawn(views, found), refresh=True)
    return views


def _looks(house: House, job_ids: Sequence[int]) -> Iterator[Look]:
    while True:
        views = house.jobs.views(job_ids=job_ids)[::-1]
        yield views, ticks(house, {view.job.symbol for view in views})
        if all(view.job.state not in ACTIVE for view in views):
            return
        time.sleep(_EVERY_S)


def _on_changes(
    looks: Iterator[Look], show: Callable[[JobView, Tick | None], None]
) -> Sequence[JobView]:
    shown: dict[int, object] = {}
    views: Sequence[JobView] = []
    for views, found in looks:
        for view in views:
            news = view.job, view.detail, view.finished, view.cycle and view.cycle.phase
            if shown.get(view.job.job_id) != news:
                shown[view.job.job_id] = news
                show(view, found.get(view.job.symbol))
    return views


def _drawn(views: Sequence[JobView], found: Mapping[Symbol, Tick]) -> Table:
    drawn = Table(box=box.SIMPLE)
    for name in ("job", "user", "token"):
        drawn.add_column(name)
    drawn.add_column("progress", width=_BAR_WIDTH)
    for name in ("bought", "left", "price", "wear", "bps"):
        drawn.add_column(name, justify="right")
    drawn.add_column("state", overflow="fold")
    for view in views:
        tick = found.get(view.job.symbol)
        cost = job_view.worn(view, job_view.price_of(view, mark(tick)))
        drawn.add_row(
            str(view.job.job_id),
            view.user,
            job_view.ticker(view),
            ProgressBar(completed=float(job_view.percent_done(view)), width=_BAR_WIDTH),
            usdt(cost.spent),
            usdt(view.remaining),
            _last(tick),
            usdt(cost.cost, 4),
            str(cost.bps_half_up() or ""),
            Text(_state(view), style=_STYLES.get(view.job.state, "")),
        )
    return drawn


def _line(view: JobView, tick: Tick | None) -> str:
    cost = job_view.worn(view, job_view.price_of(view, mark(tick)))
    percent = money.half_up_to(job_view.percent_done(view), 1)
    return (
        f"job {view.job.job_id}  {view.user}  {job_view.ticker(view)}  {percent} %  "
        f"bought {usdt(cost.spent)}  price {_last(tick) or '?'}  "
        f"wear {usdt(cost.cost, 4)} USDT  {_state(view)}"
    )


def _json(view: JobView, tick: Tick | None) -> dict[str, object]:
    last = None if tick is None else tick.trade_price
    return {**job_view.job_json(view, job_view.price_of(view, mark(tick))), "last_price": last}


def _state(view: JobView) -> str:
    phase = "" if view.cycle is None else f" · {view.cycle.phase.value.replace('_', ' ')}"
    return f"{job_view.state_words(view)}{phase}"


def _last(tick: Tick | None) -> str:
    return "" if tick is None or tick.trade_price is None else money.trimmed(tick.trade_price)
