"""Steps of jobs."""

from celery import shared_task

from oto.application.ports import Wake
from oto.domain.job import JobId
from tasks.house import house, servers_may_be_away


@shared_task(name="trading.advance", ignore_result=True)
def advance(job_id: int, epoch: int, due_at: float | None = None) -> None:
    """Take one turn of a job, if the wake-up is still worth one."""
    with servers_may_be_away():
        house().advance(Wake(JobId(job_id), epoch), due_at)
