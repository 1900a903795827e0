"""What a turn settles before it decides: what an earlier one left half done, and the day."""

from oto.application.ports import Work
from oto.domain import placing, points
from oto.domain.events import EventKind
from oto.domain.leg import LegState


def recover(work: Work) -> None:
    """Settle an intent whose outcome nobody stored, and begin a new UTC day of a target."""
    cycle, job = work.cycle, work.job
    if cycle is not None and (found := placing.recovered(cycle, work.now)) != cycle:
        sent = any(leg.state is LegState.SENDING for leg in cycle.legs)
        work.save(found)
        if sent:
            work.note(EventKind.LOST, detail="the process ended before it had stored the answer")
        else:
            work.note(EventKind.HELD_BACK, why="the process ended before it had sent it")
    today = points.day_of(work.now)
    if job.target.day is not None and job.target.day < today:
        work.roll_day(today)
