"""The order-streamer: every trading user's private stream, into the ledger."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import redis
import structlog

from oto.application.ports import Dispatcher, Ledger, LedgerUnavailableError, NoCredentialsError
from oto.domain.errors import ContractDriftError, ExchangeError, UnavailableError
from oto.domain.job import UserId
from oto.domain.orders import ExecutionReport
from oto.infrastructure.alpha.credentials import ListenKey
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.states import ConnectionState, Stopped
from oto.infrastructure.alpha.user_stream import ReconcileReason, UserStream
from oto.infrastructure.database.ledger import reachable
from oto.infrastructure.redis_store.beats import ORDERS, Beats
from oto.infrastructure.redis_store.latency import Latencies
from oto.infrastructure.vault import VaultError

_LOOK_FOR_USERS_EVERY_S = 0.5
_TRY_AGAIN_AFTER_S = 30.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Listener:
    """Takes one user's reports, on the threads of the stream."""

    user_id: UserId
    ledger: Ledger
    dispatcher: Dispatcher
    latencies: Latencies
    ended: threading.Event

    def on_report(self, report: ExecutionReport, received_ns: int) -> None:
        received_at = datetime.fromtimestamp(received_ns / 1e9, UTC)
        wake = self.ledger.take_report(self.user_id, report, received_at)
        self.latencies.record("report_to_ledger", (time.time_ns() - received_ns) / 1e6)
        if wake is not None:
            self.dispatcher.wake(wake)

    def on_reconcile(self, reason: ReconcileReason) -> None:
        _log.info("reconcile", user=self.user_id, reason=reason.name)
        for wake in self.ledger.wake_after_gap(self.user_id):
            self.dispatcher.wake(wake)

    def on_state(self, state: ConnectionState) -> None:
        if isinstance(state, Stopped):
            self.ended.set()

    def on_drift(self, error: ContractDriftError) -> None:
        _log.warning("user_stream_drift", user=self.user_id, error=str(error))

    def on_ended(self, error: Exception) -> None:
        # The user's own jobs meet the same error with their next request, and say so.
        _log.warning("user_stream_gave_up", user=self.user_id, error=type(error).__name__)
        self.ended.set()


@dataclass(slots=True)
class _Followed:
    stream: UserStream
    ended: threading.Event
    began_at: float


class OrderStreamer:
    """Keeps one stream for each user who trades; `trading` says who does."""

    def __init__(
        self,
        ws_base_url: str,
        *,
        alpha_of: Callable[[UserId], PrivateAlpha],
        trading: Callable[[], Sequence[UserId]],
        ledger: Ledger,
        dispatcher: Dispatcher,
        latencies: Latencies,
        beats: Beats,
    ) -> None:
        self._ws_base_url = ws_base_url
        self._alpha_of = alpha_of
        self._trading = trading
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._latencies = latencies
        self._beats = beats
        self._followed: dict[UserId, _Followed] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="oto-orders", daemon=True)

    def start(self) -> None:
        """Begin to follow; a streamer starts once."""
        self._latencies.start()
        self._thread.start()

    def stop(self) -> None:
        """End every stream and thread."""
        self._stopping.set()
        self._thread.join(5)
        for followed in self._followed.values():
            followed.stream.stop()
        self._latencies.stop()

    def _run(self) -> None:
        failing = False
        while not self._stopping.wait(_LOOK_FOR_USERS_EVERY_S):
            try:
                with reachable():
                    trading = frozenset(self._trading())
            except LedgerUnavailableError as error:
                if not failing:
                    _log.warning("users_not_known", error=str(error))
                failing = True
            else:
                failing = False
                self._follow(trading)
                with suppress(redis.RedisError):  # then its absence is what the doctor sees
                    self._beats.beat(ORDERS, datetime.now(UTC))

    def _follow(self, wanted: frozenset[UserId]) -> None:
        for user_id in [one for one in self._followed if one not in wanted]:
            self._followed.pop(user_id).stream.stop()
        for user_id in wanted:
            followed = self._followed.get(user_id)
            if followed is None or self._is_worth_another(followed):
                self._followed[user_id] = self._started(user_id)

    @staticmethod
    def _is_worth_another(followed: _Followed) -> bool:
        """A stream that gave up is tried again, now and then: the human may have acted."""
        return followed.ended.is_set() and time.monotonic() - followed.began_at > _TRY_AGAIN_AFTER_S

    def _started(self, user_id: UserId) -> _Followed:
        ended = threading.Event()
        listener = _Listener(user_id, self._ledger, self._dispatcher, self._latencies, ended)
        stream = UserStream(self._ws_base_url, lambda: self._listen_key(user_id), listener)
        stream.start()
        return _Followed(stream, ended, time.monotonic())

    def _listen_key(self, user_id: UserId) -> ListenKey:
        try:
            return self._alpha_of(user_id).listen_key()
        except LedgerUnavailableError as error:
            raise UnavailableError(str(error)) from error
        except (NoCredentialsError, VaultError) as error:
            raise ExchangeError("no credentials to open the stream with") from error
