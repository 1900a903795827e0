"""The machine that is disturbed: one `oto up`, its processes and servers, seen from outside."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, TypeVar

import kombu.exceptions
import psutil
import redis
from sqlalchemy.exc import SQLAlchemyError

from oto.application.ports import LedgerUnavailableError
from oto.bootstrap import House, NotRunningError
from oto.infrastructure.redis_store.beats import ORDERS, SWEEP
from oto.infrastructure.settings import Settings
from workers.supervisor import PARENT
from workers.system import NotReadyError

T = TypeVar("T")

AWAY = (
    LedgerUnavailableError,
    NotRunningError,
    OSError,
    SQLAlchemyError,
    kombu.exceptions.OperationalError,
    redis.RedisError,
)
"""What a server that is down just now makes of a call."""

_UP_WITHIN_S = 180.0
_DOWN_WITHIN_S = 20.0
_STOPPED_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.1
_WORDS = {
    "worker-1": "--name=worker-1",
    "worker-2": "--name=worker-2",
    "order-streamer": "stream orders",
    "price-streamer": "stream prices",
    "beat": "-m cli beat",
}
_SERVERS = {"postgres": "postgres", "redis": "valkey-server"}


@dataclass(slots=True)
class Machine:
    """Starts, kills and shows one system on a home that lasts."""

    settings: Settings
    workers: int
    output: IO[bytes]
    left_behind: list[str] = field(default_factory=list)
    """Command lines of what went on running after its supervisor was killed."""
    ended: list[str] = field(default_factory=list)
    """When the system ended although nobody killed its supervisor, or did not when it should."""
    _up: "subprocess.Popen[bytes] | None" = None
    _house: House | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start the system and wait until all of it has given signs of life.

        Raises:
            NotReadyError: it has not.
        """
        began_at = datetime.now(UTC)
        command = [sys.executable, "-m", "cli", "up", "--no-flower", f"--workers={self.workers}"]
        self._up = subprocess.Popen(  # noqa: S603 - this very program
            command,
            env={**os.environ, **self.environment()},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
            start_new_session=True,
        )
        deadline = time.monotonic() + _UP_WITHIN_S
        while not self._is_ready(began_at):
            if self._up.poll() is not None or time.monotonic() > deadline:
                raise NotReadyError("The system did not come up.")
            time.sleep(_LOOK_EVERY_S)

    def stop(self) -> None:
        """Stop it as its user does; kill it if that takes too long."""
        if self._up is not None and self._up.poll() is None:
            self._up.terminate()
            try:
                self._up.wait(_STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.ended.append("oto up did not stop when it was asked to")
                self.kill()
        self.forget_house()

    def kill(self) -> None:
        """Kill the supervisor, and wait until everything that it ran is gone."""
        if self._up is None:
            return
        children = self.everything()[1:]
        self._up.kill()
        self._up.wait()
        self.forget_house()
        self._end(children)

    def _end(self, children: Sequence[psutil.Process]) -> None:
        _, alive = psutil.wait_procs(children, timeout=_DOWN_WITHIN_S)
        for child in alive:
            with suppress(psutil.Error):
                self.left_behind.append(" ".join(child.cmdline()))
                child.kill()

    def kill_guard(self) -> None:
        """Kill the servers' guard, on which servers and system must come down by themselves."""
        everything = self.everything()
        for one in everything:
            if _is_guard(one):
                one.kill()
        if self._up is not None:
            try:
                self._up.wait(_STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.ended.append("oto up went on without its servers")
                self.kill()
        self.forget_house()
        self._end(everything[1:])

    @property
    def alive(self) -> bool:
        return self._up is not None and self._up.poll() is None

    def processes(self) -> Mapping[str, psutil.Process]:
        """Return the processes and servers that run now, by name."""
        found: dict[str, psutil.Process] = {}
        for child in self.everything():
            with suppress(psutil.Error):
                line, name = " ".join(child.cmdline()), child.name()
                for word, part in _WORDS.items():
                    if part in line:
                        found[word] = child
                for server, program in _SERVERS.items():
                    if name == program and (parent := child.parent()) and parent.name() != program:
                        found[server] = child
        return found

    def everything(self) -> Sequence[psutil.Process]:
        """Return every process of the system that runs now."""
        if self._up is None:
            return ()
        with suppress(psutil.Error):
            up = psutil.Process(self._up.pid)
            return [up, *up.children(recursive=True)]
        return ()

    def signal(self, name: str, number: signal.Signals) -> str:
        """Send a signal to a process; return what was done."""
        process = self.processes().get(name)
        if process is None:
            return f"{name} was not running"
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        return f"{number.name} to {name}"

    @property
    def house(self) -> House:
        """Return the house as this process sees it."""
        with self._lock:
            if self._house is None:
                self._house = House(self.settings)
            return self._house

    def forget_house(self) -> None:
        """Look anew for where the servers are."""
        with self._lock:
            if self._house is not None:
                with suppress(Exception):
                    self._house.close()
            self._house = None

    def patiently(self, act: Callable[[House], T], most_s: float = 90.0) -> T:
        """Act again until no server is away."""
        deadline = time.monotonic() + most_s
        while True:
            try:
                return act(self.house)
            except AWAY:
                if time.monotonic() > deadline:
                    raise
                self.forget_house()
                time.sleep(_LOOK_EVERY_S)

    def _is_ready(self, began_at: datetime) -> bool:
        try:
            beats = self.house.beats
            signs = (self.house.ticks.last_beat(), beats.last(ORDERS), beats.last(SWEEP))
        except AWAY:
            self.forget_house()
            return False
        return all(at is not None and at > began_at for at in signs)

    def keepers(self) -> Sequence[psutil.Process]:
        """Return who starts again what has ended: the supervisor, and the servers' guard."""
        return [one for one in self.everything() if _is_keeper(one)]

    def environment(self) -> dict[str, str]:
        """Return what a command of this system needs to know."""
        urls = self.settings.exchange_urls
        return {
            "OTO_HOME": str(self.settings.home),
            "OTO_EXCHANGE": self.settings.exchange.value,
            "OTO_REST_URL": urls.rest if urls else "",
            "OTO_WS_URL": urls.ws if urls else "",
            "OTO_DRILL": str(self.settings.drill or ""),
            "OTO_LOG_LEVEL": self.settings.log_level,
            "OTO_DATABASE_URL": "",
            "OTO_REDIS_URL": "",
            PARENT: str(os.getpid()),
        }


def _is_guard(process: psutil.Process) -> bool:
    return "servers/guard.py" in _line(process)


def _is_keeper(process: psutil.Process) -> bool:
    return _is_guard(process) or "-m cli up" in _line(process)


def _line(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
