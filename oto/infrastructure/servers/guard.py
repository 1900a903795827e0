"""Keep the embedded servers alive while the app lives, and leave none behind it.

Run as a script with the standard library only, in a session of its own, so that neither a Ctrl-C
nor the end of a terminal reaches it. Standard input brings the plan as one line of JSON; its end
means that the app has stopped or is gone. Standard output tells the app, an object a line, what
happened to the servers.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

APP_CHECK_S = 0.5
QUICK_S = 2.0  # a server that lived less than this failed quickly
QUICK_FAILURES = 8  # as many in a row are not mended by yet another start
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
STOP_S = 5.0
LOG_TAIL_LINES = 12
LOG_TAIL_BYTES = 8192
RECORD = "servers.json"

# The app's own environment may hold keys, and its locale would change what the servers write.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True)
class Server:
    """How one server is run; what goes to its standard input is not shown."""

    name: str
    argv: list[str]
    log: str
    stop_signal: int
    config: str = field(default="", repr=False)
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run for whom, and what to remove after it."""

    app_pid: int
    servers: list[Server]
    fds: list[int]  # the servers inherit them: what they lock is locked while any of them lives
    home: str
    remove: list[str]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        fields = json.loads(text)
        return cls(**fields | {"servers": [Server(**server) for server in fields["servers"]]})


@dataclass(frozen=True)
class Ended:
    """A server ended by itself; it is started again, or the guard gave up and stops all."""

    server: str
    code: int | None  # None: it could not be run at all
    said: str  # the end of its log, or why it could not be run
    gave_up: bool

    def __str__(self) -> str:
        return f"{self.server} ended (exit code {self.code}) and said:\n{self.said}"


class EndedEarlyError(Exception):
    """The servers are to stop although the app did not ask for it."""


class Signals:
    """Signals as something to select on: of ended children, and of being told to stop."""

    def __init__(self) -> None:
        self.stop = False
        self.fd, wake = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, *_: object) -> None:
        self.stop = True

    def clear(self) -> None:
        with suppress(BlockingIOError):
            os.read(self.fd, 4096)


class Keeper:
    """Runs one server, again whenever it ends, unless it fails too often too quickly."""

    def __init__(self, server: Server, fds: list[int]) -> None:
        self._server = server
        self._fds = fds
        self._bind = die_with_parent(server.stop_signal)
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._due_at = 0.0
        self._failures = 0

    def tend(self, now: float) -> float:
        """Start the server if it is due, notice its end, return after how long to look again.

        Raises:
            EndedEarlyError: it failed quickly too many times in a row.
        """
        if self._process is None and now >= self._due_at:
            self._started_at = now
            try:
                self._process = self._start()
            except OSError as error:
                self._note_end(None, str(error), now)
        elif self._process is not None and (code := self._process.poll()) is not None:
            self._process = None
            self._note_end(code, log_tail(self._server.log), now)
        return APP_CHECK_S if self._process else max(0.0, self._due_at - now)

    def _start(self) -> "subprocess.Popen[bytes]":
        server = self._server
        with Path(server.log).open("ab") as log, filled_pipe(server.config) as config:
            return subprocess.Popen(  # noqa: S603 - the plan is the app's
                server.argv,
                stdin=config,
                stdout=log,
                stderr=log,
                cwd="/",
                env=ENVIRONMENT,
                pass_fds=self._fds,
                user=server.uid,
                group=server.gid,
                extra_groups=None if server.uid is None else [],
                preexec_fn=self._bind,  # noqa: PLW1509 - the guard has a single thread
            )

    def _note_end(self, code: int | None, said: str, now: float) -> None:
        quick = now - self._started_at < QUICK_S
        self._failures = self._failures + 1 if quick else 1
        self._due_at = now + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._failures - 1))
        gave_up = self._failures >= QUICK_FAILURES
        tell(Ended(self._server.name, code, said, gave_up))
        if gave_up:
            raise EndedEarlyError

    def ask_to_stop(self) -> None:
        if self._process:
            self._process.send_signal(self._server.stop_signal)

    def end(self, until: float) -> None:
        """Wait for the server's end, and kill it if that takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def filled_pipe(text: str) -> BinaryIO:
    """Return the read end of a pipe that holds a text short enough for its buffer."""
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    return os.fdopen(read, "rb")


def die_with_parent(stop_signal: int) -> Callable[[], None]:
    """Return what a child calls before it becomes a server: it then ends when the guard does.

    Only Linux can. Elsewhere the servers survive a guard that is killed, but not an app that is.
    """
    guard_pid = os.getpid()
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def bind() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, stop_signal, 0, 0, 0)
        if os.getppid() != guard_pid:
            os._exit(1)  # the guard was killed before the kernel knew

    return bind


def log_tail(path: str) -> str:
    try:
        with Path(path).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - LOG_TAIL_BYTES))
            return last_lines(log.read().decode(errors="replace"))
    except OSError as error:
        return str(error)


def last_lines(text: str) -> str:
    return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])


def tell(ended: Ended) -> None:
    with suppress(BrokenPipeError):  # nobody is left to hear it
        os.write(1, json.dumps(asdict(ended)).encode() + b"\n")


def watch(plan: Plan, keepers: list[Keeper], signals: Signals) -> None:
    """Keep the servers running until the app wants no more or is gone.

    Raises:
        EndedEarlyError: one of them fails again and again, or a signal told us to stop.
    """
    while os.getppid() == plan.app_pid:
        if signals.stop:
            raise EndedEarlyError
        now = time.monotonic()
        look_again_s = min(keeper.tend(now) for keeper in keepers)
        readable, _, _ = select.select([0, signals.fd], [], [], look_again_s)
        if 0 in readable:
            return
        signals.clear()


def stop(plan: Plan, keepers: list[Keeper]) -> None:
    """Stop all servers at once, and remove what was only for them."""
    home = Path(plan.home)
    remove(home / RECORD)
    for keeper in keepers:
        keeper.ask_to_stop()
    until = time.monotonic() + STOP_S
    for keeper in keepers:
        keeper.end(until)
    for path in plan.remove:
        remove(Path(path))
    with suppress(OSError):  # it holds something, as it does after a durable run
        home.rmdir()


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def main() -> int:
    signals = Signals()
    os.umask(0o077)
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        return 0  # the app was gone before it had said what to run
    plan = Plan.from_json(line)
    keepers = [Keeper(server, plan.fds) for server in plan.servers]
    try:
        watch(plan, keepers, signals)
    except EndedEarlyError:
        return 1
    finally:
        stop(plan, keepers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
