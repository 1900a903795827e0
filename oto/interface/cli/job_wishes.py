"""`oto job pause|resume|stop`: say what is wanted of jobs, and see that it happens."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from oto.application import jobs
from oto.application.jobs import JobNotChangedError
from oto.application.ports import Wake
from oto.bootstrap import House
from oto.domain.job import ACTIVE, JobId, JobState, Wish
from oto.infrastructure.database.jobs import JobView
from oto.interface.cli import job_view
from oto.interface.cli.output import print_json
from oto.interface.cli.prices import marks

WITHIN_S = 60.0
_LOOK_EVERY_S = 0.2

_REACHED: Mapping[Wish, frozenset[JobState]] = {
    Wish.RUN: ACTIVE | {JobState.COMPLETED},
    Wish.PAUSE: frozenset({JobState.PAUSED, JobState.STOPPED, JobState.COMPLETED}),
    Wish.STOP: frozenset({JobState.STOPPED, JobState.COMPLETED}),
}
_TO_BE = {Wish.RUN: "resumed", Wish.PAUSE: "paused", Wish.STOP: "stopped"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which jobs are meant: exactly one of the three."""

    job_ids: Sequence[int]
    user: str | None
    every: bool

    def check(self) -> None:
        """Raise UsageError if it is not exactly one."""
        if bool(self.job_ids) + (self.user is not None) + self.every != 1:
            raise click.UsageError("Name jobs by their numbers, or say --user, or --all.")


def carry_out(house: House, chosen: Chosen, wish: Wish, *, wait: bool, as_json: bool) -> bool:
    """Send a wish to jobs and tell what became of it; return whether all are as wished."""
    views = _views(house, chosen, wish)
    if not views and not as_json:
        click.echo(f"There is no job to be {_TO_BE[wish]}.")
        return True
    problems: dict[int, str] = {}
    wakes = _send(house, views, wish, problems)
    if wait:
        _wait(house, wakes, wish)
    job_ids = [view.job.job_id for view in views]
    now = house.jobs.views(job_ids=job_ids)[::-1] if job_ids else []
    _tell(house, now, wish, problems, wait=wait, as_json=as_json)
    return not problems and (not wait or all(view.job.state in _REACHED[wish] for view in now))


def _views(house: House, chosen: Chosen, wish: Wish) -> list[JobView]:
    if chosen.job_ids:
        return [house.jobs.view(JobId(job_id)) for job_id in dict.fromkeys(chosen.job_ids)]
    if chosen.user is not None:
        house.users.named(chosen.user)
    return house.jobs.views(user=chosen.user, states=jobs.CONCERNED[wish])


def _send(
    house: House, views: Sequence[JobView], wish: Wish, problems: dict[int, str]
) -> dict[int, Wake]:
    wakes: dict[int, Wake] = {}
    for view in views:
        if jobs.granted(view.job, wish):
            continue
        try:
            wake = house.jobs.wish(view.job.job_id, wish)
        except JobNotChangedError as error:
            problems[view.job.job_id] = str(error)
            continue
        wakes[view.job.job_id] = wake
        house.dispatcher.wake(wake)
    return wakes


def _wait(house: House, wakes: Mapping[int, Wake], wish: Wish) -> None:
    deadline = time.monotonic() + WITHIN_S
    while wakes and time.monotonic() < deadline:
        views = house.jobs.views(job_ids=list(wakes))
        if all(_answered(view, wakes[view.job.job_id], wish) for view in views):
            return
        time.sleep(_LOOK_EVERY_S)


def _answered(view: JobView, wake: Wake, wish: Wish) -> bool:
    if view.job.state not in ACTIVE:
        return True
    # A job that is to go on says with its next turn whether it can.
    return wish is Wish.RUN and view.epoch > wake.epoch and not view.in_turn


def _tell(
    house: House,
    views: Sequence[JobView],
    wish: Wish,
    problems: Mapping[int, str],
    *,
    wait: bool,
    as_json: bool,
) -> None:
    marked = marks(house, {view.job.symbol for view in views})
    shown = []
    for view in views:
        price, job_id = job_view.price_of(view, marked.get(view.job.symbol)), view.job.job_id
        as_wished = view.job.state in _REACHED[wish] and job_id not in problems
        shown.append({**job_view.job_json(view, price), "as_wished": as_wished})
        if as_json:
            continue
        held = job_view.held_words(view, price)
        click.echo(problems.get(job_id) or _sentence(view, held, wish, wait=wait, done=as_wished))
    if as_json:
        print_json(shown)


def _sentence(view: JobView, held: str, wish: Wish, *, wait: bool, done: bool) -> str:
    job_id, state = view.job.job_id, job_view.state_words(view)
    if view.job.state not in ACTIVE or (done and wait):
        return f"Job {job_id} is {state}; {held}."
    if not wait:
        return f"Job {job_id} is to be {_TO_BE[wish]}; see `oto job show {job_id}`."
    return (
        f"Job {job_id} was not {_TO_BE[wish]} within {WITHIN_S:.0f} s and is {state}; {held}. It "
        "goes on trying; `oto doctor` says whether a worker runs."
    )
