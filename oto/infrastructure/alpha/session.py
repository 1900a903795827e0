"""One connection from its handshake to its end, used by one thread only."""

import socket as tcp
import ssl
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import websocket._handshake
from websocket import (
    ABNF,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketException,
    WebSocketTimeoutException,
)
from websocket._cookiejar import SimpleCookieJar
from websocket._url import parse_url

from oto.infrastructure.alpha.frames import Method, Refused, command_text, without_listen_key
from oto.infrastructure.alpha.states import CommandRefused, Loss, StreamTimings

# Long batches of names could exceed the exchange's frame limit, which is not published.
_MOST_NAMES = 100


class SessionEndedError(Exception):
    """The connection is of no more use."""

    def __init__(self, loss: Loss, detail: str = "") -> None:
        super().__init__(loss, detail)
        self.loss = loss
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Command:
    command_id: int
    method: Method
    names: tuple[str, ...]
    sent_at: float


class Session:
    """Tell the exchange what is wanted, one command at a time, and watch that it is alive."""

    def __init__(
        self,
        socket: WebSocket,
        timings: StreamTimings,
        clock: Callable[[], float],
        command_ids: Iterator[int],
    ) -> None:
        self._socket = socket
        self._timings = timings
        self._clock = clock
        self._command_ids = command_ids
        self._told: dict[str, None] = {}
        self._refused: frozenset[str] = frozenset()
        self._awaited: _Command | None = None
        self._news = False
        self.opened_at = self._heard_at = self._pushed_at = self._pinged_at = clock()

    def step(self, wanted: Collection[str]) -> bytes | None:
        """Send what is due, then wait shortly for a text or binary frame.

        Raises:
            SessionEndedError: the connection is lost, silent, or due for renewal.
        """
        self._check_due()
        with as_loss(Loss.BROKEN):
            self._tell(wanted)
            self._ping()
            received = self._receive()
        # Only now: what a slow listener left waiting in the buffer is not silence.
        if received is None:
            self._check_quiet(wanted)
        return received

    def took_push(self) -> None:
        self._pushed_at = self._clock()

    def took_ack(self, command_id: object) -> bool:
        """Note an acknowledgement; return False if no command waits for it."""
        if self._awaited is None or command_id != self._awaited.command_id:
            return False
        self._awaited, self._news = None, True
        self._pushed_at = self._clock()
        return True

    def took_refusal(self, refused: Refused) -> CommandRefused:
        """Note a refusal; one without an id belongs to the command that waits."""
        awaited = self._awaited
        if awaited is None or refused.command_id not in {None, awaited.command_id}:
            return CommandRefused("", (), refused.code, refused.message)
        self._awaited = None
        if awaited.method is Method.SUBSCRIBE:
            self._refused |= frozenset(awaited.names)
        names = tuple(map(without_listen_key, awaited.names))
        return CommandRefused(awaited.method.value, names, refused.code, refused.message)

    def settled(self, wanted: Collection[str]) -> bool:
        """Tell, once per change, that all that is wanted is acknowledged."""
        if not self._news or self._awaited or self._told.keys() != set(wanted):
            return False
        if not self._refused.isdisjoint(wanted):
            return False
        self._news = False
        return bool(wanted)

    def _check_due(self) -> None:
        now = self._clock()
        if self._awaited and now - self._awaited.sent_at >= self._timings.ack_within_s:
            raise SessionEndedError(Loss.UNACKNOWLEDGED)
        if now - self.opened_at >= self._timings.renew_after_s:
            raise SessionEndedError(Loss.RENEWAL)

    def _check_quiet(self, wanted: Collection[str]) -> None:
        now, without_data_s = self._clock(), self._timings.no_data_after_s
        if now - self._heard_at >= self._timings.silent_after_s:
            raise SessionEndedError(Loss.SILENT)
        if not (wanted and self._told):
            self._pushed_at = now
        elif without_data_s is not None and now - self._pushed_at >= without_data_s:
            raise SessionEndedError(Loss.NO_DATA)

    def _tell(self, wanted: Collection[str]) -> None:
        if self._awaited:
            return
        # The new before the old: a stream that replaces another leaves no gap.
        if missing := [name for name in wanted if name not in self._told]:
            self._send(Method.SUBSCRIBE, missing)
        elif surplus := [name for name in self._told if name not in wanted]:
            self._send(Method.UNSUBSCRIBE, surplus)

    def _send(self, method: Method, names: list[str]) -> None:
        batch = tuple(islice(names, _MOST_NAMES))
        command = _Command(next(self._command_ids), method, batch, self._clock())
        self._socket.send(command_text(method, command.command_id, batch))
        self._awaited = command
        if method is Method.SUBSCRIBE:
            self._told |= dict.fromkeys(batch)
        else:
            self._told = {name: None for name in self._told if name not in batch}

    def _ping(self) -> None:
        if self._clock() - self._pinged_at >= self._timings.ping_every_s:
            self._socket.ping()
            self._pinged_at = self._clock()

    def _receive(self) -> bytes | None:
        try:
            opcode, frame = self._socket.recv_data_frame(control_frame=True)
        except WebSocketTimeoutException:
            return None
        self._heard_at = self._clock()
        if opcode == ABNF.OPCODE_CLOSE:
            raise SessionEndedError(Loss.CLOSED_BY_SERVER, _close_code(frame.data))
        return bytes(frame.data) if opcode in {ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY} else None


@contextmanager
def as_loss(loss: Loss) -> Iterator[None]:
    """Turn what the library or the network raises into the end of the session."""
    try:
        yield
    except WebSocketBadStatusException as error:
        # Its text holds the answer's headers and body.
        raise SessionEndedError(loss, f"handshake status {error.status_code}") from None
    except OSError as error:
        raise SessionEndedError(loss, error.strerror or type(error).__name__) from None
    except WebSocketException as error:
        raise SessionEndedError(loss, type(error).__name__) from None


def connect(socket: WebSocket, url: str, timings: StreamTimings) -> None:
    """Make the connection; each step of it may last `connect_within_s`.

    Raises:
        SessionEndedError: no connection.
    """
    open_to: Callable[..., None] = socket.connect
    socket.settimeout(timings.connect_within_s)
    with as_loss(Loss.NOT_CONNECTED):
        # Our own connection: the library would take proxies from the environment. No redirects:
        # whoever they lead to must not be told the listen key.
        open_to(url, socket=_dialled(url, timings), suppress_origin=True, redirect_limit=0)
    socket.settimeout(timings.poll_every_s)


def _dialled(url: str, timings: StreamTimings) -> tcp.socket:
    host, port, _, secure = parse_url(url)
    dialled = tcp.create_connection((host, port), timings.connect_within_s)
    try:
        dialled.setsockopt(tcp.IPPROTO_TCP, tcp.TCP_NODELAY, 1)
        if secure:
            return ssl.create_default_context().wrap_socket(dialled, server_hostname=host)
    except OSError:
        dialled.close()
        raise
    return dialled


class _Forgetful(SimpleCookieJar):
    """The library keeps one jar for all sockets: one user's cookie would go out with another's."""

    def add(self, set_cookie: str | None) -> None:
        """Keep nothing."""


websocket._handshake.CookieJar = _Forgetful()  # noqa: SLF001 - the library has no setting for it


def close(socket: WebSocket) -> None:
    """Say goodbye without waiting for the answer, and free the file descriptor."""
    socket.close(timeout=0)
    # After a close frame of the server the library keeps the descriptor open.
    if (left := socket.sock) is not None:
        left.close()


def _close_code(payload: bytes) -> str:
    return f"close code {int.from_bytes(payload[:2], 'big')}" if len(payload) > 1 else ""
