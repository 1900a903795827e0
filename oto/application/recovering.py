"""What a turn settles before it decides: what an earlier one left half done, and the day."""

from oto.application.ports import Work
from oto.domain import placing, points
from oto.domain.events import EventKind


def recover(work: Work) -> None:
    """Settle an intent whose outcome nobody stored, and begin a new UTC day of a target."""
    cycle, job = work.cycle, work.job
    if cycle is not None and (found := placing.recovered(cycle, work.now)) != cycle:
        work.save(found)
        work.note(EventKind.LOST, why="an earlier turn ended between its intent and its outcome")
    today = points.day_of(work.now)
    if job.target.day is not None and job.target.day < today:
        work.roll_day(today)
