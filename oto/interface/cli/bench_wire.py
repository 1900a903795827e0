"""What a benchmark runs against and speaks with: a simulator process, and clients that cost little.

Requests are bytes made beforehand and answers are read as bytes, so that the client is not what
is measured; every benchmark tells how much of a core its client took.
"""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Event, Ping, Request, TextMessage

HOST = "127.0.0.1"
MARKET_STREAM = "/w3w/wsa/stream"
USER_STREAM = "/w3w/stream"

_PATIENCE_S = 30
_PERCENT = 100
_USER_TICKS, _SYSTEM_TICKS = 11, 12  # of /proc/PID/stat, counted after the command's name


class BenchError(click.ClickException):
    """The simulator did not do what the benchmark counts on."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator."""

    pid: int
    port: int

    @property
    def rss_kib(self) -> int | None:
        """Return its resident memory, or None where /proc does not tell."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except OSError:
            return None
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024

    @property
    def cpu_s(self) -> float | None:
        """Return the CPU time that it has used, or None where /proc does not tell."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def simulator(*options: str) -> AsyncIterator[Simulator]:
    """Run a simulator on a free port until the block ends."""
    command = (sys.executable, "-m", "oto.simulator", "serve", "--host", HOST, "--port", "0")
    process = await asyncio.create_subprocess_exec(*command, *options, stdin=DEVNULL, stdout=PIPE)
    try:
        yield Simulator(process.pid, await _port_of(process))
    finally:
        await _stop(process)


async def _port_of(process: Process) -> int:
    line = b""
    if process.stdout is not None:
        line = await asyncio.wait_for(process.stdout.readline(), _PATIENCE_S)
    if not line:
        raise BenchError("The simulator did not start.")
    return urlsplit(json.loads(line)["rest"]).port or 0


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):  # it ended by itself
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _PATIENCE_S)
    except TimeoutError:
        process.kill()
        await process.wait()


class CpuMeter:
    """Counts the CPU time of the simulator and of this process from its making on."""

    def __init__(self, running: Simulator) -> None:
        self._running = running
        self._began = time.perf_counter(), running.cpu_s, time.process_time()

    @property
    def simulator_s(self) -> float | None:
        """Return the simulator's CPU seconds, or None where /proc does not tell."""
        before, now = self._began[1], self._running.cpu_s
        return None if before is None or now is None else now - before

    def shares(self) -> dict[str, int | None]:
        """Return the percents of a core that the simulator and this process took."""
        wall_s = time.perf_counter() - self._began[0]
        simulator_s = self.simulator_s
        return {
            "sim_cpu": None if simulator_s is None else round(simulator_s / wall_s * _PERCENT),
            "client_cpu": round((time.process_time() - self._began[2]) / wall_s * _PERCENT),
        }


class _Connection(asyncio.Protocol):
    _transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class HttpConnection(_Connection):
    """One kept connection with one request at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None

    async def ask(self, request: bytes) -> bytes:
        """Send a whole request and return the body of its answer.

        Raises:
            BenchError: the answer is not a 200, or the connection is gone.
        """
        if self._transport is None or self._transport.is_closing():
            raise BenchError("The simulator closed a connection.")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    async def ask_json(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """Make a request of the setting up and read its answer."""
        return json.loads(await self.ask(request_bytes(method, path, body=body)))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _length_in(head):
            return
        self._received = b""
        if head.startswith(b"HTTP/1.1 200"):
            self._end(body)
        else:
            self._end(BenchError(f"The simulator refused: {body[:200].decode(errors='replace')}"))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._end(BenchError("The simulator closed a connection."))

    def _end(self, outcome: bytes | BenchError) -> None:
        if self._answer is None or self._answer.done():
            return
        if isinstance(outcome, bytes):
            self._answer.set_result(outcome)
        else:
            self._answer.set_exception(outcome)


def _length_in(head: bytes) -> int:
    _, _, after = head.lower().partition(b"\r\ncontent-length:")
    return int(after.partition(b"\r\n")[0])


def request_bytes(
    method: str, path: str, credentials: dict[str, Any] | None = None, body: object = None
) -> bytes:
    """Write a whole HTTP request, with an account's headers and cookies."""
    content = b"" if body is None else json.dumps(body).encode()
    headers = {"host": HOST, "content-length": str(len(content))}
    if credentials is not None:
        cookies = "; ".join(f"{key}={value}" for key, value in credentials["cookies"].items())
        headers |= {**credentials["headers"], "cookie": cookies}
    lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content


@asynccontextmanager
async def http_connections(running: Simulator, count: int) -> AsyncIterator[list[HttpConnection]]:
    """Open so many kept connections."""
    loop = asyncio.get_running_loop()
    made: list[HttpConnection] = []
    try:
        for _ in range(count):
            _, connection = await loop.create_connection(HttpConnection, HOST, running.port)
            made.append(connection)
        yield made
    finally:
        for connection in made:
            connection.close()


@dataclass(slots=True)
class Arrivals:
    """When frames arrived, and a way to wait for so many of them."""

    times: list[float] = field(default_factory=list)
    _wanted: int = 0
    _enough: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self) -> None:
        self.times.append(time.perf_counter())
        if len(self.times) >= self._wanted:
            self._enough.set()

    def expect(self, count: int) -> None:
        """Forget what came before and wait for so many from now on."""
        self.times, self._wanted = [], count
        self._enough.clear()

    async def complete(self) -> list[float]:
        """Return the times of all that are expected, the first first.

        Raises:
            BenchError: they did not all come.
        """
        try:
            await asyncio.wait_for(self._enough.wait(), _PATIENCE_S)
        except TimeoutError:
            came = len(self.times)
            raise BenchError(f"Only {came} of {self._wanted} frames arrived.") from None
        return self.times


class Listener(_Connection):
    """One socket; after the acknowledgement of its subscription it notes every push."""

    def __init__(self, path: str, names: Sequence[str], on_push: Callable[[], None]) -> None:
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self._path = path
        self._command = json.dumps({"method": "SUBSCRIBE", "params": list(names), "id": 1})
        self._on_push = on_push
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._write(Request(host=HOST, target=self._path))

    def data_received(self, data: bytes) -> None:
        self._websocket.receive_data(data)
        for event in self._websocket.events():
            match event:
                case TextMessage(message_finished=True) if self.subscribed.done():
                    self._on_push()
                case TextMessage() if '"result":null' in event.data:
                    self.subscribed.set_result(None)
                case AcceptConnection():
                    self._write(TextMessage(self._command))
                case Ping():
                    self._write(event.response())
                case _:
                    pass

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.ended = True
        if not self.subscribed.done():
            self.subscribed.set_exception(BenchError("The simulator closed a socket."))

    def _write(self, event: Event) -> None:
        if self._transport is not None:
            self._transport.write(self._websocket.send(event))


@asynccontextmanager
async def listeners(
    running: Simulator, path: str, names: Sequence[Sequence[str]], on_push: Callable[[], None]
) -> AsyncIterator[list[Listener]]:
    """Open a socket for each group of stream names, all of them subscribed."""
    loop = asyncio.get_running_loop()
    made: list[Listener] = []
    try:
        for group in names:
            make = partial(Listener, path, group, on_push)
            _, listener = await loop.create_connection(make, HOST, running.port)
            made.append(listener)
            await asyncio.wait_for(listener.subscribed, _PATIENCE_S)
        yield made
    finally:
        for listener in made:
            listener.close()
