"""Messages over Celery: by task name, so that nothing here knows the tasks."""

import socket
import time
from urllib.parse import urlsplit, urlunsplit

import structlog
from celery import Celery
from kombu import Queue
from kombu.exceptions import OperationalError

from oto.application.ports import Wake

ADVANCE = "trading.advance"
ECHO = "maintenance.echo"
_EXPIRES_S = 120
"""A wake-up that waited longer is not needed: the sweeper has sent another."""
_ECHO_EXPIRES_S = 30

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


def shared_queues(app: Celery) -> tuple[str, ...]:
    """Return the queues that every worker takes from."""
    return tuple(app.conf.task_queues)


def node_name(worker: str) -> str:
    """Return the name of a worker on this host: Flower's, and that of a queue of its own.

    A worker reads all its queues with one command, so one that leaves its own unread reads none.
    """
    return f"{worker}@{socket.gethostname()}"


def add_queue(app: Celery, name: str) -> None:
    """Make a queue known beside the shared ones."""
    if name not in app.amqp.queues:
        app.amqp.queues.add(Queue(name, routing_key=name))


def ask_echo(app: Celery, queue: str, token: str) -> None:
    """Have whoever reads a queue write the token to Redis.

    Raises:
        OperationalError: Redis cannot be reached.
    """
    add_queue(app, queue)
    app.send_task(
        ECHO, args=(token,), queue=queue, expires=_ECHO_EXPIRES_S, ignore_result=True, retry=False
    )


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
