"""A stream connection that comes back by itself, run by a thread of its own."""

import socket as tcp
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from random import SystemRandom
from typing import Protocol

import structlog
from websocket import WebSocket

from oto.domain.errors import ContractDriftError
from oto.infrastructure.alpha.frames import (
    Ack,
    Push,
    Refused,
    ServerShutdown,
    Subscriptions,
    parse_frame,
)
from oto.infrastructure.alpha.session import Session, SessionEndedError, close, connect
from oto.infrastructure.alpha.states import (
    PLANNED,
    STANDARD_TIMINGS,
    CommandRefused,
    Connected,
    ConnectionState,
    Loss,
    Lost,
    Stopped,
    StreamTimings,
    Subscribed,
)

_GRACE_S = 0.5
_CHANCE = SystemRandom().random


class StreamListener(Protocol):
    """Called on the socket's thread, one call at a time; a slow listener delays the stream.

    What a call raises is logged and does not end the stream.
    """

    def on_push(self, push: Push, received_ns: int) -> None:
        """Take what a stream pushed; `received_ns` is Unix time in nanoseconds."""

    def on_state(self, state: ConnectionState) -> None:
        """Take what became of the connection."""

    def on_drift(self, error: ContractDriftError) -> None:
        """Take note of a frame that could not be read; the connection goes on."""

    def on_refused(self, refused: CommandRefused) -> None:
        """Take note of a refused command; it is repeated on the next connection only."""


class StreamSocket:
    """Keep the wanted streams subscribed over any number of connections."""

    def __init__(
        self,
        url: str,
        listener: StreamListener,
        timings: StreamTimings = STANDARD_TIMINGS,
        *,
        name: str = "stream",
        clock: Callable[[], float] = time.monotonic,
        unix_ns: Callable[[], int] = time.time_ns,
        chance: Callable[[], float] = _CHANCE,
    ) -> None:
        self._url = url
        self._listener = listener
        self._timings = timings
        self._clock = clock
        self._unix_ns = unix_ns
        self._chance = chance
        self._logger = structlog.get_logger().bind(stream=name)
        self._lock = threading.Lock()
        self._wanted: tuple[str, ...] = ()
        self._command_ids = count(1)
        self._failures = 0
        self._renewal_asked = threading.Event()
        self._stopping = threading.Event()
        self._socket: WebSocket | None = None
        self._thread = threading.Thread(target=self._run, name=f"oto-{name}", daemon=True)

    def start(self) -> None:
        """Begin to connect; a socket starts once."""
        self._thread.start()

    def stop(self) -> bool:
        """End the connection and the thread; return False if it still waits in a name look-up.

        Takes about a second at most, connecting and pausing included. From within a callback it
        returns at once and the thread ends after the callback.
        """
        self._stopping.set()
        if self._thread is threading.current_thread() or not self._thread.ident:
            return True
        self._thread.join(_GRACE_S)
        if self._thread.is_alive():
            self._abort()
            self._thread.join(_GRACE_S)
        return not self._thread.is_alive()

    def subscribe(self, names: Iterable[str]) -> None:
        """Add streams, now if connected and after each reconnection."""
        with self._lock:
            self._wanted = tuple(dict.fromkeys((*self._wanted, *names)))

    def unsubscribe(self, names: Iterable[str]) -> None:
        """Drop streams; one that is not subscribed is no error."""
        surplus = frozenset(names)
        with self._lock:
            self._wanted = tuple(name for name in self._wanted if name not in surplus)

    def replace(self, names: Iterable[str]) -> None:
        """Want these streams and no others; the new are subscribed before the old are dropped."""
        with self._lock:
            self._wanted = tuple(dict.fromkeys(names))

    def reconnect(self) -> None:
        """Give up the present connection for a new one."""
        self._renewal_asked.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = self._clock()
            ended = self._live()
            if self._stopping.is_set():
                break
            pause_s = self._pause_s(ended.loss, self._clock() - began)
            self._tell(Lost(ended.loss, ended.detail, pause_s))
            self._stopping.wait(pause_s)
        self._tell(Stopped())

    def _live(self) -> SessionEndedError:
        self._socket = WebSocket(skip_utf8_validation=True)
        try:
            self._converse(self._socket)
        except SessionEndedError as ended:
            return ended
        except Exception:
            self._logger.exception("stream_fault")
            return SessionEndedError(Loss.FAULT)
        finally:
            close(self._socket)
        return SessionEndedError(Loss.REQUESTED)

    def _converse(self, socket: WebSocket) -> None:
        self._renewal_asked.clear()
        connect(socket, self._url, self._timings)
        session = Session(socket, self._timings, self._clock, self._command_ids)
        self._tell(Connected())
        while not (self._stopping.is_set() or self._renewal_asked.is_set()):
            wanted = self._wanted
            if (raw := session.step(wanted)) is not None:
                self._take(session, raw)
            if session.settled(wanted):
                self._tell(Subscribed())

    def _take(self, session: Session, raw: bytes) -> None:
        received_ns = self._unix_ns()
        try:
            frame = parse_frame(raw)
        except ContractDriftError as error:
            self._logger.warning("stream_drift", error=str(error))
            # Its frames hold the raw push, and with it the listen key.
            self._call(self._listener.on_drift, error.with_traceback(None))
            return
        match frame:
            case Push():
                session.took_push()
                self._call(self._listener.on_push, frame, received_ns)
            case Ack() | Subscriptions():
                if not session.took_ack(frame.command_id):
                    self._logger.info("stream_stray_answer")
            case Refused():
                refused = session.took_refusal(frame)
                self._logger.warning("stream_command_refused", code=refused.code)
                self._call(self._listener.on_refused, refused)
            case ServerShutdown():
                raise SessionEndedError(Loss.SERVER_SHUTDOWN)

    def _pause_s(self, loss: Loss, lasted_s: float) -> float:
        if lasted_s >= self._timings.stable_after_s:
            self._failures = 0
        at_once = loss in PLANNED and not self._failures
        self._failures += 1
        return 0.0 if at_once else self._timings.backoff_s(self._failures, self._chance())

    def _tell(self, state: ConnectionState) -> None:
        match state:
            case Lost():
                self._logger.warning(
                    "stream_lost",
                    loss=state.loss.name,
                    detail=state.detail,
                    retry_in_s=round(state.retry_in_s, 3),
                )
            case Connected():
                self._logger.info("stream_connected")
            case Subscribed():
                self._logger.info("stream_subscribed", streams=len(self._wanted))
            case Stopped():
                self._logger.info("stream_stopped")
        self._call(self._listener.on_state, state)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            callback(*arguments)
        except Exception:
            self._logger.exception("stream_listener_failed", callback=callback.__name__)

    def _abort(self) -> None:
        socket = self._socket.sock if self._socket else None
        if socket is not None:
            # Wakes the thread out of a handshake; the plain method, for it leaves TLS state alone.
            with suppress(OSError):
                tcp.socket.shutdown(socket, tcp.SHUT_RDWR)
