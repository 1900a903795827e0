"""The process that keeps the ticks in Redis: one market socket, every symbol that is wanted."""

import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

import redis
import structlog

from oto.domain.errors import ContractDriftError
from oto.domain.market import AggTrade, BookTop, Symbol
from oto.infrastructure.alpha.frames import Push
from oto.infrastructure.alpha.market_stream import MarketStream
from oto.infrastructure.alpha.states import (
    STANDARD_TIMINGS,
    CommandRefused,
    ConnectionState,
    Lost,
    Stopped,
    StreamTimings,
)
from oto.infrastructure.redis_store.fenced_writes import OutdatedError
from oto.infrastructure.redis_store.latency import Latencies
from oto.infrastructure.redis_store.latest import LatestTicks, Unwritten
from oto.infrastructure.redis_store.ticks import TickStore, at_us, in_us

# For the store's client: a tick that waits longer had better be replaced by a newer one.
ANSWER_WITHIN_S = 0.5
ASK_EVERY_S = 0.5
BEAT_EVERY_S = 1.0
RETRY_EVERY_S = 0.5

# With the stream's second below two; a hanging Redis takes `ANSWER_WITHIN_S` of the first.
_WRITER_GRACE_S = 0.8
_ASKER_GRACE_S = 0.1
_MS = timedelta(milliseconds=1)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class PriceStreamer:
    """Follow the wanted symbols on one market socket and keep their ticks in Redis.

    The socket's thread only notes what came. One thread writes what is new and the sign of life,
    another asks `wanted` which symbols to follow. An error of Redis or of `wanted` is logged once
    and outlasted. Where a newer streamer has written, this one is no longer `running`.
    """

    def __init__(
        self,
        ws_base_url: str,
        store: TickStore,
        latencies: Latencies,
        wanted: Callable[[], Collection[Symbol]],
        *,
        clock: Callable[[], datetime] = _utc_now,
        timings: StreamTimings = STANDARD_TIMINGS,
    ) -> None:
        self._store = store
        self._latencies = latencies
        self._wanted = wanted
        self._clock = clock
        self._logger = structlog.get_logger().bind(worker="price-streamer")
        # From Unix time, so that sequences go on rising when another process takes over.
        self._latest = LatestTicks(first_sequence=in_us(clock()))
        self._stream = MarketStream(ws_base_url, self, timings)
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._all_flagged = threading.Event()
        self._beat_due = 0.0
        self._redis_away = self._wanted_unknown = False
        self._writer = threading.Thread(target=self._write_on, name="oto-ticks", daemon=True)
        self._asker = threading.Thread(target=self._ask_on, name="oto-wanted", daemon=True)

    @property
    def running(self) -> bool:
        return self._writer.is_alive() and self._asker.is_alive()

    def start(self) -> None:
        """Begin to stream; a streamer starts once."""
        self._stream.start()
        self._writer.start()
        self._asker.start()

    def stop(self) -> bool:
        """Flag every tick as old news and end the threads; takes 2 s at most.

        Return False if a thread still waits: in a name look-up, for `wanted`, or for a Redis whose
        client is more patient than `ANSWER_WITHIN_S`.
        """
        self._stopping.set()
        stream_ended = self._stream.stop()
        self._lose()
        self._all_flagged.set()
        writer_ended = _ended(self._writer, _WRITER_GRACE_S)
        return _ended(self._asker, _ASKER_GRACE_S) and writer_ended and stream_ended

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until a started streamer has written its last; return whether it has."""
        self._writer.join(timeout_s)
        return not self._writer.is_alive()

    def on_push(self, push: Push, received_ns: int) -> None:
        """Note trades and best prices for the writing thread."""
        received_at = at_us(received_ns // 1_000)
        for value in push.values:
            match value:
                case AggTrade():
                    self._latest.take_trade(value, received_at)
                case BookTop():
                    self._latest.take_top(value, received_at)
                case _:
                    continue
        self._changed.set()

    def on_state(self, state: ConnectionState) -> None:
        """Flag every tick when the connection is gone; its symbol's next push clears the flag."""
        if isinstance(state, Lost | Stopped):
            self._lose()

    def on_drift(self, error: ContractDriftError) -> None:
        """Leave it at the socket's log: a tick whose frames cannot be read grows old by itself."""

    def on_refused(self, refused: CommandRefused) -> None:
        """Leave it at the socket's log: a symbol that is not pushed gets no tick."""

    def _lose(self) -> None:
        self._latest.lose()
        self._changed.set()

    def _write_on(self) -> None:
        try:
            self._write_until_flagged()
        except OutdatedError:
            self._logger.warning("outdated", why="another price-streamer has taken over")

    def _write_until_flagged(self) -> None:
        while not self._all_flagged.is_set():
            self._changed.wait(max(0.0, self._beat_due - time.monotonic()))
            self._changed.clear()
            self._write()
            if self._redis_away:
                self._all_flagged.wait(RETRY_EVERY_S)
        if not self._redis_away:
            self._write()

    def _write(self) -> None:
        unwritten = self._latest.take_unwritten()
        try:
            self._send(unwritten)
        except redis.RedisError as error:
            self._latest.put_back(unwritten)
            if not self._redis_away:
                self._logger.warning("ticks_not_written", error=str(error))
            self._redis_away = True
        else:
            if self._redis_away:
                self._logger.info("ticks_written_again")
            self._redis_away = False

    def _send(self, unwritten: Unwritten) -> None:
        if time.monotonic() >= self._beat_due:
            self._store.beat(self._clock())
            self._beat_due = time.monotonic() + BEAT_EVERY_S
        # In this order: a symbol that is new may have been pushed already.
        self._store.mark_disconnected(unwritten.down)
        self._store.write(unwritten.ticks)
        written_at = self._clock()
        for tick in unwritten.ticks:
            if tick.symbol in unwritten.pushed:
                self._latencies.record("frame_to_tick", (written_at - tick.received_at) / _MS)

    def _ask_on(self) -> None:
        while not self._stopping.is_set():
            self._ask()
            self._stopping.wait(ASK_EVERY_S)

    def _ask(self) -> None:
        try:
            wanted = self._wanted()
        except Exception:
            if not self._wanted_unknown:
                self._logger.exception("wanted_symbols_unknown")
            self._wanted_unknown = True
            return
        self._wanted_unknown = False
        new, gone = self._latest.follow(wanted)
        for symbol in sorted(new):
            self._stream.watch(symbol)
        for symbol in sorted(gone):
            self._stream.unwatch(symbol)
        if new or gone:
            self._changed.set()


def _ended(thread: threading.Thread, within_s: float) -> bool:
    if thread.is_alive():
        thread.join(within_s)
    return not thread.is_alive()
