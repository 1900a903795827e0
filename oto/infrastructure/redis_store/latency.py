"""How long each stage took lately: samples of all processes, in Redis."""

import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import TypeAlias, TypedDict

import redis
import structlog

KEPT = 20_000
FLUSH_EVERY_S = 0.5

_STOP_WITHIN_S = 2.0
_PREFIX = "oto:latency:"
_Samples: TypeAlias = defaultdict[str, deque[float]]


class Percentiles(TypedDict):
    """In milliseconds, over the latest samples."""

    p50: float
    p95: float
    p99: float
    samples: int


class Latencies:
    """Collect samples in this process and send them to Redis in the background.

    Of each name the last `KEPT` samples stay; while Redis is away, here as well.
    """

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis
        self._logger = structlog.get_logger()
        self._lock = threading.Lock()
        self._waiting = _no_samples()
        self._failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="oto-latencies", daemon=True)

    def start(self) -> None:
        """Begin to send what is recorded; this starts once."""
        self._thread.start()

    def stop(self) -> None:
        """Send what is left and end; an unreachable Redis delays this by 2 s at most."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_WITHIN_S)

    def record(self, name: str, ms: float) -> None:
        """Note how many milliseconds one stage took; never waits for Redis."""
        with self._lock:
            self._waiting[name].append(ms)

    def flush(self) -> None:
        """Send what was recorded; what cannot be sent is kept.

        Raises:
            redis.RedisError: Redis cannot be reached or refuses.
        """
        with self._lock:
            taken, self._waiting = self._waiting, _no_samples()
        try:
            self._send(taken)
        except redis.RedisError:
            self._put_back(taken)
            raise

    def percentiles(self, names: Iterable[str]) -> dict[str, Percentiles]:
        """Return what Redis holds of these names; a name without samples is left out."""
        wanted = tuple(names)
        pipeline = self._redis.pipeline(transaction=False)
        for name in wanted:
            pipeline.lrange(_PREFIX + name, 0, -1)
        found = zip(wanted, pipeline.execute(), strict=True)
        return {name: _percentiles(sorted(map(float, rows))) for name, rows in found if rows}

    def clear(self) -> None:
        """Forget what Redis has, of other processes too, and what waits in this one."""
        with self._lock:
            self._waiting = _no_samples()
        if keys := list(self._redis.scan_iter(f"{_PREFIX}*")):
            self._redis.delete(*keys)

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_EVERY_S):
            self._try_flush()
        self._try_flush()

    def _try_flush(self) -> None:
        try:
            self.flush()
        except redis.RedisError as error:
            if not self._failing:
                self._logger.warning("latencies_not_sent", error=str(error))
            self._failing = True
        else:
            self._failing = False

    def _send(self, samples: _Samples) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for name, values in samples.items():
            pipeline.rpush(_PREFIX + name, *(f"{ms:.3f}" for ms in values))
            pipeline.ltrim(_PREFIX + name, -KEPT, -1)
        pipeline.execute()

    def _put_back(self, samples: _Samples) -> None:
        with self._lock:
            for name, older in samples.items():
                older.extend(self._waiting[name])
                self._waiting[name] = older


def _no_samples() -> _Samples:
    return defaultdict(lambda: deque(maxlen=KEPT))


def _percentiles(ordered: Sequence[float]) -> Percentiles:
    return {
        "p50": _percentile(ordered, 50),
        "p95": _percentile(ordered, 95),
        "p99": _percentile(ordered, 99),
        "samples": len(ordered),
    }


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """Return the smallest value that so many percent do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
