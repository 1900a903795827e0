"""The folder of a run: who may use it now, and where its servers are."""

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from oto.infrastructure.servers.errors import AlreadyRunningError
from oto.infrastructure.servers.guard import RECORD

LOCK = "servers.lock"
# Servers of a run that has just been killed take a moment to stop.
LOCK_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """Where the embedded servers are; "" for one that is not ours. Its text shows no password."""

    database_url: str
    redis_url: str

    def __repr__(self) -> str:
        shown = (re.sub(r":[^:@/]*@", ":***@", url) for url in (self.database_url, self.redis_url))
        return f"{type(self).__name__}({', '.join(map(repr, shown))})"


@contextmanager
def locked(home: Path) -> Iterator[int]:
    """Make the folder if it is missing, and keep other runs off it.

    The lock lives in the descriptor that is given: it is held until the block and every process
    that has inherited the descriptor have ended.

    Raises:
        AlreadyRunningError: another run uses the folder.
        OSError: the folder cannot be used.
    """
    until = time.monotonic() + LOCK_PATIENCE_S
    while (fd := _try_lock(home)) is None:
        if time.monotonic() > until:
            raise AlreadyRunningError(
                f"Process {(home / LOCK).read_text() or '?'} already runs the embedded servers of "
                f"{home}: stop it first, or set OTO_HOME to another folder."
            )
        time.sleep(0.02)
    try:
        yield fd
    finally:
        os.close(fd)


def _try_lock(home: Path) -> int | None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(home / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    # A run that leaves nothing behind may have removed the file since it was opened.
    if not _is_free(fd) or os.fstat(fd).st_nlink == 0:
        os.close(fd)
        return None
    os.truncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
    return fd


def _is_free(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_record(home: Path, urls: ServerUrls) -> None:
    """Store where the servers are, for their owner only, whole or not at all."""
    half = home / f"{RECORD}.half"
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(urls), file)
    half.replace(home / RECORD)


def forget_record(home: Path) -> None:
    (home / RECORD).unlink(missing_ok=True)


def read_record(home: Path) -> ServerUrls | None:
    """Return where the servers of a run that is alive are; None if there is no such run."""
    try:
        lock = os.open(home / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        if _is_free(lock):
            return None
        return ServerUrls(**json.loads((home / RECORD).read_text()))
    except FileNotFoundError:
        return None  # they are being started or stopped
    finally:
        os.close(lock)
