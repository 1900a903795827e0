"""Wake-ups over Celery: by task name, so that nothing here knows the tasks."""

import time
from urllib.parse import urlsplit, urlunsplit

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from oto.application.ports import Wake

ADVANCE = "trading.advance"
_EXPIRES_S = 120
"""A wake-up that waited longer is not needed: the sweeper has sent another."""

_log = structlog.get_logger(__name__)


def make_celery(redis_url: str) -> Celery:
    """Return the Celery application, whose queues live in their own Redis database."""
    app = Celery("oto", broker=broker_url(redis_url))
    app.config_from_object("celeryconfig")
    return app


def broker_url(redis_url: str) -> str:
    """Return the database after the one that holds ticks: a flush of either leaves the other."""
    parts = urlsplit(redis_url)
    number = parts.path.strip("/") or "0"
    following = f"/{int(number) + 1}" if number.isdigit() else parts.path
    return urlunsplit(parts._replace(path=following))


class CeleryDispatcher:
    """Sends wake-ups; one that cannot be sent is left to the sweeper."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def wake(self, wake: Wake, delay_s: float = 0) -> None:
        due_at = time.time() + delay_s
        try:
            self._app.send_task(
                ADVANCE,
                args=(wake.job_id, wake.epoch, due_at),
                countdown=delay_s or None,
                expires=delay_s + _EXPIRES_S,
                ignore_result=True,
                retry=False,
            )
        except OperationalError as error:
            _log.warning("wake_up_not_sent", job=wake.job_id, error=type(error).__name__)
