"""A worker's consumer that looks for a lost Redis each second, however long it was away."""

import structlog
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection

_PAUSE_S = 1

_log = structlog.get_logger(__name__)


class QuickConsumer(Consumer):
    """Celery's own waits 2 s first and up to 32 s later, and no setting changes that."""

    def ensure_connected(self, conn: Connection) -> Connection:
        conn.ensure_connection(
            _not_connected,
            interval_start=_PAUSE_S,
            interval_step=0,
            interval_max=_PAUSE_S,
            callback=maybe_shutdown,
        )
        self.first_connection_attempt = False
        return conn

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:
            # kombu gives messages back through a transport that is gone; the worker would end.
            _log.warning("messages_not_given_back", error=str(error))


def _not_connected(error: Exception, pause_s: float) -> None:
    _log.warning("redis_not_connected", error=type(error).__name__, again_in_s=pause_s)
