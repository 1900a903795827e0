"""Serve a simulation on loopback until SIGTERM."""

import json
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from oto.simulator.app import create_app
from oto.simulator.saved import BadStateError
from oto.simulator.simulation import Simulation
from oto.simulator.state_file import StateFile
from oto.simulator.wire_extension import HttpProtocol, SocketProtocol


class Server(uvicorn.Server):
    """uvicorn that says when it is ready, and ends with 0 after SIGTERM or Ctrl-C."""

    def __init__(
        self,
        simulation: Simulation,
        on_ready: Callable[[], None],
        each_second: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        config = uvicorn.Config(
            create_app(simulation),
            http=HttpProtocol,
            ws=SocketProtocol,
            ws_max_size=1 << 20,
            ws_per_message_deflate=False,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=1,
            lifespan="on",
            callback_notify=each_second,
            timeout_notify=0,  # at every look, and uvicorn looks once a second
        )
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own would raise the signal again after the shutdown.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    simulation: Simulation,
    listening: socket.socket,
    ready_file: Path | None,
    state: StateFile | None,
) -> None:
    """Print one JSON line with the URLs when ready, and serve until SIGTERM or Ctrl-C.

    The ready file gets the same line, whole or not at all. The state is saved each second and
    after the last request.

    Raises:
        BadStateError: the state cannot be saved.
    """
    line = json.dumps(urls_of(listening))

    def announce() -> None:
        if ready_file is not None:
            half = ready_file.with_name(f"{ready_file.name}.half")
            half.write_text(line + "\n")
            half.replace(ready_file)
        print(line, flush=True)  # noqa: T201 - the promise to whoever started us

    failures: list[BadStateError] = []

    async def save() -> None:
        try:
            if state is not None:
                state.save(simulation.exchange)
        except BadStateError as error:
            failures.append(error)
            server.should_exit = True

    server = Server(simulation, announce, save)
    with listening:
        server.run(sockets=[listening])
    if failures:
        raise failures[0]
    if state is not None:
        state.save(simulation.exchange)


def bound_socket(host: str, port: int) -> socket.socket:
    """Bind a listening socket; port 0 takes a free one."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    return listening


def urls_of(listening: socket.socket) -> dict[str, str]:
    """Return the URLs of a bound socket: REST, WebSocket and control."""
    host, port = listening.getsockname()[:2]
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return {"rest": f"http://{place}", "ws": f"ws://{place}", "control": f"http://{place}/sim"}
