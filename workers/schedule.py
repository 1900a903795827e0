"""Beat's schedule, which says in one line that something could not be sent."""

import structlog
from celery.beat import PersistentScheduler, ScheduleEntry, SchedulingError
from kombu import Producer

_log = structlog.get_logger(__name__)


class OneLineScheduler(PersistentScheduler):
    """Celery's own writes two stack traces for each message while Redis is away."""

    def apply_entry(self, entry: ScheduleEntry, producer: Producer | None = None) -> None:
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            _log.warning("schedule_not_sent", error=str(error))
