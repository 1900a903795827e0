"""The guard process as the app sees it."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, cast

import structlog

from oto.infrastructure.servers import guard
from oto.infrastructure.servers.errors import ServersError
from oto.infrastructure.servers.guard import Ended, Plan

STOP_PATIENCE_S = 3 * guard.STOP_S

_log = structlog.get_logger(__name__)


@contextmanager
def guarded(plan: Plan) -> Iterator["Guard"]:
    """Run the plan's servers until the block ends.

    Raises:
        ServersError: the block went well, and the servers did not last as long as it.
    """
    process = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-I", guard.__file__],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=plan.fds,
        start_new_session=True,
    )
    running = Guard(process)
    try:
        running.begin(plan)
        yield running
    finally:
        running.stop()
    if lost := running.lost():
        raise ServersError(lost)


class Guard:
    """Hears what the guard tells, and stops it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.last_end: Ended | None = None
        self._process = process
        self._pipe = cast("IO[bytes]", process.stdin)
        self._told = cast("IO[bytes]", process.stdout)
        self._listener = threading.Thread(target=self._listen, name="servers-guard", daemon=True)
        self._listener.start()

    def begin(self, plan: Plan) -> None:
        with suppress(BrokenPipeError):  # `lost` will say so
            self._pipe.write(plan.to_json().encode() + b"\n")

    def _listen(self) -> None:
        for line in self._told:
            self.last_end = ended = Ended(**json.loads(line))
            event = "embedded_server_given_up" if ended.gave_up else "embedded_server_ended"
            _log.warning(event, server=ended.server, exit_code=ended.code)

    def lost(self) -> str:
        """Say why the guard ended before it was asked to; "" if it did not."""
        if not (code := self._process.poll()):
            return ""
        self._listener.join()
        if self.last_end and self.last_end.gave_up:
            return f"{guard.QUICK_FAILURES} starts in vain: {self.last_end}"
        return (
            f"The embedded servers were ended from outside (exit code {code} of their guard): "
            "start again; what they had stored is still there."
        )

    def stop(self) -> None:
        """Let the guard stop the servers, and return when it has ended."""
        self._pipe.close()
        try:
            self._process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            _log.error("embedded_servers_killed", waited_s=STOP_PATIENCE_S)
            self._process.kill()
            self._process.wait()
        self._listener.join()
        self._told.close()
