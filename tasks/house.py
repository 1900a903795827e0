"""What the tasks of this process work with: opened with the first task, not at import."""

import threading

from oto.bootstrap import House, open_house

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
