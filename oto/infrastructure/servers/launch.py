"""Start the embedded servers, and stop them."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from oto.infrastructure.servers.errors import ServersError
from oto.infrastructure.servers.guard import Plan
from oto.infrastructure.servers.guarding import Guard, guarded
from oto.infrastructure.servers.home import (
    LOCK,
    ServerUrls,
    forget_record,
    locked,
    read_record,
    write_record,
)
from oto.infrastructure.servers.postgres import Postgres, prepared_postgres
from oto.infrastructure.servers.valkey import Valkey

START_PATIENCE_S = 60.0  # a PostgreSQL that was killed replays its write-ahead log first
PORT_TRIES = 3
PORT_TAKEN = "Address already in use"


@contextmanager
def started(
    home: Path, *, durable: bool = True, database: bool = True, redis: bool = True
) -> Iterator[ServerUrls]:
    """Run the embedded servers on the data in `home` until the block ends.

    A server that ends by itself is started again at the same place. Of servers that are not
    durable nothing is left after the block, nor after its process was killed: not even an empty
    `home`.

    Raises:
        AlreadyRunningError: another process runs servers on this home.
        ServersError: they cannot be started; or the block went well and they did not last.
    """
    if not (database or redis):
        yield ServerUrls("", "")
        return
    wanted = _Wanted(home.absolute(), durable=durable, database=database, redis=redis)
    with ExitStack() as stack:
        yield _start(wanted, stack)


def running(home: Path) -> ServerUrls | None:
    """Return the URLs of the servers that a process runs on this home now, or None."""
    return read_record(home)


class PortTakenError(ServersError):
    """Another program took a port between our choice and the server's start."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    home: Path
    durable: bool
    database: bool
    redis: bool


def _start(wanted: _Wanted, stack: ExitStack) -> ServerUrls:
    """Start what is wanted, to be stopped with the stack."""
    for _ in range(PORT_TRIES):
        with ExitStack() as attempt, suppress(PortTakenError):
            # From its end on the lock is held by the guard and the servers alone: they live.
            with _one_sentence(wanted.home), locked(wanted.home) as lock_fd:
                urls = _attempt(wanted, lock_fd, attempt)
            stack.enter_context(attempt.pop_all())
            return urls
    raise ServersError(f"Other programs took the chosen ports {PORT_TRIES} times: try again.")


def _refuse_what_is_to_last(home: Path) -> None:
    if any((home / name).exists() for name in (Postgres.name, Valkey.name)):
        raise ServersError(
            f"{home} holds the data of an earlier run, and this one would remove them: give it an "
            "empty folder."
        )


@contextmanager
def _one_sentence(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ServersError(
            f"{error.filename or home} cannot be used ({error.strerror}): mend that, or set "
            "OTO_HOME to a folder of your own."
        ) from error


def _attempt(wanted: _Wanted, lock_fd: int, stack: ExitStack) -> ServerUrls:
    if not wanted.durable:
        _refuse_what_is_to_last(wanted.home)
    forget_record(wanted.home)
    servers: list[Postgres | Valkey] = []
    if wanted.database:
        prepared = prepared_postgres(wanted.home, lock_fd, durable=wanted.durable)
        servers.append(stack.enter_context(prepared))
    if wanted.redis:
        servers.append(Valkey(wanted.home, durable=wanted.durable))
    placed = list(zip(servers, free_ports(len(servers)), strict=True))
    for server in servers:
        _keep_one_older(server.log)
    guard = stack.enter_context(guarded(_plan(wanted, lock_fd, placed)))
    for server, port in placed:
        _wait_until_ready(guard, server, port)
    found = {server.name: server.url(port) for server, port in placed}
    urls = ServerUrls(found.get(Postgres.name, ""), found.get(Valkey.name, ""))
    write_record(wanted.home, urls)
    return urls


def free_ports(number: int) -> list[int]:
    with ExitStack() as open_until_all_are_known:
        ports = []
        for _ in range(number):
            free = open_until_all_are_known.enter_context(socket.socket())
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
        return ports


def _keep_one_older(log: Path) -> None:
    with suppress(FileNotFoundError):
        log.replace(log.with_name(f"{log.name}.old"))


def _plan(wanted: _Wanted, lock_fd: int, placed: list[tuple[Postgres | Valkey, int]]) -> Plan:
    temporary = [path for server, _ in placed for path in server.temporary]
    if not wanted.durable:
        temporary.append(wanted.home / LOCK)
    return Plan(
        app_pid=os.getpid(),
        servers=[server.server(port) for server, port in placed],
        fds=[lock_fd, *(fd for server, _ in placed for fd in server.fds)],
        home=str(wanted.home),
        remove=list(map(str, temporary)),
    )


def _wait_until_ready(guard: Guard, server: Postgres | Valkey, port: int) -> None:
    until = time.monotonic() + START_PATIENCE_S
    while not server.is_ready(port):
        if (end := guard.last_end) and PORT_TAKEN in end.said:
            raise PortTakenError(str(end))
        if problem := guard.lost() or str(end or ""):
            raise ServersError(f"The embedded servers do not start. {problem}")
        if time.monotonic() > until:
            raise ServersError(
                f"{server.name} does not answer within {START_PATIENCE_S:.0f} s: see {server.log}, "
                f"or set {server.setting}."
            )
        time.sleep(0.01)
