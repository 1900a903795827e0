"""What the tasks of this process work with: opened with the first task, not at import."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import redis
import structlog

from oto.application.ports import LedgerUnavailableError
from oto.bootstrap import House, open_house
from oto.infrastructure.database.ledger import reachable

_log = structlog.get_logger(__name__)
_lock = threading.Lock()
_opened: list[House] = []


def house() -> House:
    """Return the house of this process."""
    with _lock:
        if not _opened:
            _opened.append(open_house())
        return _opened[0]


def close_house() -> None:
    """Close it, if a task has opened it."""
    with _lock:
        while _opened:
            _opened.pop().close()


@contextmanager
def servers_may_be_away() -> Iterator[None]:
    """Say in one line that a task found no database or no Redis: the next sweep makes up for it."""
    try:
        with reachable():
            yield
    except (LedgerUnavailableError, redis.RedisError) as error:
        _log.warning("server_away", error=str(error).splitlines()[0])
