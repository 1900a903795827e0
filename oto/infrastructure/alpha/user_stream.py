"""One account's execution reports, over listen keys that come and go (PROTOCOL §2.3, §2.4)."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from random import SystemRandom
from typing import Protocol

import structlog

from oto.domain.errors import (
    ContractDriftError,
    ExchangeError,
    OutcomeUnknownError,
    RetryLaterError,
    UnexpectedShapeError,
)
from oto.domain.orders import ExecutionReport
from oto.infrastructure.alpha.credentials import ListenKey
from oto.infrastructure.alpha.frames import Method, Push
from oto.infrastructure.alpha.socket import StreamSocket
from oto.infrastructure.alpha.states import (
    STANDARD_TIMINGS,
    CommandRefused,
    Connected,
    ConnectionState,
    Lost,
    Stopped,
    StreamTimings,
    Subscribed,
)

PATH = "/w3w/stream"
RENEW_KEY_AFTER_S = 25 * 60.0
"""Clients renew each 20 to 30 minutes; the key's life is not published (PROTOCOL §1.5)."""

_REMEMBERED_EVENTS = 4096
_CHANCE = SystemRandom().random


class ReconcileReason(Enum):
    """Why the stream alone is not to be believed: reports are never replayed."""

    SUBSCRIBED = "a connection was subscribed; reports from before it are missed"
    KEY_CHANGED = "the listen key changed; reports between the two may be missed"
    UNREADABLE = "something came that could not be read"
    NOT_APPLIED = "a report was handed on and not applied"


class UserListener(Protocol):
    """Called on the stream's threads; what a call raises is logged and does not end the stream."""

    def on_report(self, report: ExecutionReport, received_ns: int) -> None:
        """Take a report, once per event id, in the order of arrival."""

    def on_reconcile(self, reason: ReconcileReason) -> None:
        """Compare with the exchange's REST answers now."""

    def on_state(self, state: ConnectionState) -> None:
        """Take what became of the connection."""

    def on_drift(self, error: ContractDriftError) -> None:
        """Take note of a frame that could not be read."""

    def on_ended(self, error: Exception) -> None:
        """Take note that the stream gave up: no listen key can be had without a human."""


class UserStream:
    """Hand on execution reports; `fetch_listen_key` is called on a thread of the stream's own."""

    def __init__(
        self,
        ws_base_url: str,
        fetch_listen_key: Callable[[], ListenKey],
        listener: UserListener,
        timings: StreamTimings = STANDARD_TIMINGS,
        *,
        renew_key_after_s: float = RENEW_KEY_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = _CHANCE,
    ) -> None:
        self._fetch_listen_key = fetch_listen_key
        self._listener = listener
        self._timings = timings
        self._renew_key_after_s = renew_key_after_s
        self._clock = clock
        self._chance = chance
        self._logger = structlog.get_logger().bind(stream="user")
        self._socket = StreamSocket(
            ws_base_url.rstrip("/") + PATH, self, timings, name="user", clock=clock, chance=chance
        )
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._changed = threading.Condition()
        # Guarded by _changed; the connection is counted so that a key fetched for an old one shows.
        self._connection = 0
        self._connected = False
        self._key: ListenKey | None = None
        self._renew_at = 0.0
        self._reconcile_reason = ReconcileReason.SUBSCRIBED
        self._stopping = False
        self._keeper = threading.Thread(target=self._keep_key, name="oto-user-key", daemon=True)

    def start(self) -> None:
        """Begin to connect; a stream starts once."""
        self._keeper.start()
        self._socket.start()

    def stop(self, within_s: float = 1.0) -> bool:
        """End the stream; return False if a thread still waits, as in a listen key's request."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        ended = self._socket.stop()
        if self._keeper.ident and self._keeper is not threading.current_thread():
            self._keeper.join(within_s)
            ended = ended and not self._keeper.is_alive()
        return ended

    def on_push(self, push: Push, received_ns: int) -> None:
        for value in push.values:
            if isinstance(value, ExecutionReport):
                self._hand_on(value, received_ns)
            else:
                self.on_drift(UnexpectedShapeError("$.data.e: not an event of a user stream"))

    def on_state(self, state: ConnectionState) -> None:
        match state:
            case Connected():
                self._note_connected()
            case Lost():
                self._note_lost()
            case Subscribed():
                self._listener.on_reconcile(self._reconcile_reason)
            case Stopped():
                pass
        self._listener.on_state(state)

    def on_drift(self, error: ContractDriftError) -> None:
        self._listener.on_reconcile(ReconcileReason.UNREADABLE)
        self._listener.on_drift(error)

    def on_refused(self, refused: CommandRefused) -> None:
        if refused.method != Method.UNSUBSCRIBE.value:
            self._socket.reconnect()

    def _hand_on(self, report: ExecutionReport, received_ns: int) -> None:
        if report.event_id in self._seen:
            return
        self._seen[report.event_id] = None
        if len(self._seen) > _REMEMBERED_EVENTS:
            self._seen.popitem(last=False)
        try:
            self._listener.on_report(report, received_ns)
        except Exception:
            self._logger.exception("user_report_not_applied", event_id=report.event_id)
            self._listener.on_reconcile(ReconcileReason.NOT_APPLIED)

    def _note_connected(self) -> None:
        with self._changed:
            self._connection += 1
            self._connected = True
            self._changed.notify_all()

    def _note_lost(self) -> None:
        with self._changed:
            self._connected = False
            self._key = None
            self._socket.replace(())

    def _keep_key(self) -> None:
        failures = 0
        while (connection := self._next_due()) is not None:
            try:
                key = self._fetch_listen_key()
            except (RetryLaterError, OutcomeUnknownError) as error:
                failures += 1
                self._put_off(error, failures)
            except ExchangeError as error:
                self._give_up(error)
            except Exception as error:
                self._logger.exception("listen_key_fault")
                self._give_up(error)
            else:
                failures = 0
                self._adopt(key, connection)

    def _next_due(self) -> int | None:
        """Wait until a key is wanted; return the connection that it is for, None to end."""
        with self._changed:
            while not self._stopping:
                if self._connected and (wait_s := self._due_in_s()) <= 0:
                    return self._connection
                self._changed.wait(wait_s if self._connected else None)
        return None

    def _due_in_s(self) -> float:
        return 0.0 if self._key is None else self._renew_at - self._clock()

    def _adopt(self, key: ListenKey, connection: int) -> None:
        with self._changed:
            if not self._connected or connection != self._connection:
                return
            self._renew_at = self._clock() + self._renew_key_after_s
            if key == self._key:
                return
            self._reconcile_reason = (
                ReconcileReason.KEY_CHANGED if self._key else ReconcileReason.SUBSCRIBED
            )
            self._key = key
            self._socket.replace((f"alpha@{key.reveal()}",))

    def _put_off(self, error: ExchangeError, failures: int) -> None:
        pause_s = self._timings.backoff_s(failures, self._chance())
        if isinstance(error, RetryLaterError):
            pause_s = max(pause_s, error.retry_after_s)
        self._logger.warning(
            "listen_key_unavailable", error=type(error).__name__, retry_in_s=round(pause_s, 3)
        )
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, pause_s)

    def _give_up(self, error: Exception) -> None:
        with self._changed:
            if self._stopping:
                return
        self._logger.error("user_stream_ended", error=type(error).__name__)
        self.stop()
        try:
            self._listener.on_ended(error)
        except Exception:
            self._logger.exception("stream_listener_failed", callback="on_ended")
