"""Runs the system's processes on one machine: starts them, starts them again, ends them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

import structlog

PARENT = "ALPHA_OTO_SUPERVISOR"
"""Holds the supervisor's pid in its children's environment."""

STOP_WITHIN_S = 4.0
ORPHAN_STOPS_WITHIN_S = 15.0
"""How long a process may take to stop whose supervisor is gone: its requests end within 12 s."""

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 15.0
_STABLE_AFTER_S = 10.0
_LOOK_EVERY_S = 0.2
_START_WITHIN_S = 60.0
_FINISH_WITHIN_S = 10.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its name, and the module and arguments that run it."""

    name: str
    arguments: tuple[str, ...]
    module: str = "cli"


@dataclass(slots=True)
class _Running:
    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    failures: int = 0
    restart_at: float | None = None
    kill_at: float | None = None


class Supervisor:
    """Keeps programs running until `stop`; `output` takes what they print.

    `silent` names those that live and do not work: they are ended and started again, unless they
    are younger than `start_within_s`.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        output: IO[bytes] | None = None,
        start_within_s: float = _START_WITHIN_S,
    ) -> None:
        self._environment = {**os.environ, **environment, PARENT: str(os.getpid())}
        self._output = output
        self._start_within_s = start_within_s
        self._running: dict[str, _Running] = {}
        self.silent: Callable[[], Collection[str]] = tuple

    @property
    def pids(self) -> dict[str, int]:
        return {name: one.process.pid for name, one in self._running.items()}

    def start(self, program: Program) -> None:
        self._running[program.name] = _Running(program, self._spawn(program), time.monotonic())

    def ended(self, name: str) -> bool:
        """Tell whether a process is not running now."""
        return self._running[name].process.poll() is not None

    def watch(self) -> None:
        """Start again what has ended, with growing pauses; call it often."""
        now = time.monotonic()
        for name in self.silent():
            self._end_silent(self._running[name], now)
        for one in self._running.values():
            if one.kill_at is not None and now >= one.kill_at:
                one.process.kill()
            if one.restart_at is None and (code := one.process.poll()) is not None:
                one.failures = 0 if now - one.started_at > _STABLE_AFTER_S else one.failures + 1
                pause_s = _pause_s(one.failures)
                one.restart_at = now + pause_s
                _log.warning("process_ended", name=one.program.name, code=code, again_in_s=pause_s)
            if one.restart_at is not None and now >= one.restart_at:
                one.restart_at = one.kill_at = None
                one.process = self._spawn(one.program)
                one.started_at = now

    def _end_silent(self, one: _Running, now: float) -> None:
        if one.kill_at is not None or now - one.started_at < self._start_within_s:
            return
        _log.error("process_silent", name=one.program.name, why="it takes no messages: restarted")
        # Running steps may finish.
        one.process.send_signal(signal.SIGTERM)
        one.kill_at = now + _FINISH_WITHIN_S

    def stop(self, names: Sequence[str] | None = None) -> None:
        """End processes: ask them all, wait a little, end those that are left."""
        chosen = [one for name, one in self._running.items() if names is None or name in names]
        for one in chosen:
            self._running.pop(one.program.name)
            if one.process.poll() is None:
                one.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN_S
        for one in chosen:
            try:
                one.process.wait(max(deadline - time.monotonic(), 0.01))
            except subprocess.TimeoutExpired:
                _log.warning("process_killed", name=one.program.name)
                one.process.kill()
                one.process.wait()

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C reaches the supervisor alone, which ends the others in order.
        return subprocess.Popen(  # noqa: S603 - this very program with arguments of ours
            [sys.executable, "-m", program.module, *program.arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output or subprocess.DEVNULL,
            stderr=self._output,
            start_new_session=True,
        )


def _pause_s(failures: int) -> float:
    """Return how long to wait with the next start: not at all after a run that was sound."""
    grown = _FIRST_PAUSE_S * 2 ** min(failures - 1, 10)
    return min(grown, _LONGEST_PAUSE_S) if failures else 0.0


def end_with_supervisor() -> None:
    """Make this process end when the supervisor that started it is gone; without one do nothing."""
    parent = os.environ.get(PARENT)
    if parent is None:
        return

    def look() -> None:
        while os.getppid() == int(parent):
            time.sleep(_LOOK_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)
        # A worker whose broker is gone too may wait for ever in its warm stop.
        time.sleep(ORPHAN_STOPS_WITHIN_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=look, name="oto-parent", daemon=True).start()


def stopped_by_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopping = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping
