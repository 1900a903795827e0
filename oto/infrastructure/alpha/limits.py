"""How fast one process may ask: a token bucket in which cancels overtake placements and reads."""

import heapq
import math
import threading
import time
from collections.abc import Callable
from enum import IntEnum
from itertools import count
from typing import Protocol

from oto.domain.errors import RateLimitedError


class Priority(IntEnum):
    """Who goes first when calls wait."""

    CANCEL = 0
    PLACE = 1
    READ = 2


class BudgetSpentError(RateLimitedError):
    """Our own limit held a call back; nothing was sent."""


class Budget(Protocol):
    """What a transport asks before it sends."""

    def acquire(self, priority: Priority, timeout_s: float) -> None:
        """Wait for leave to send one request.

        Raises:
            RateLimitedError: the wait would be, or has been, longer than the timeout.
        """


class RateBudget:
    """Allow so many requests per second, with bursts of as many as `burst`.

    The exchange publishes no limits for these calls; 10 per second is a guess (PROTOCOL §3).
    """

    def __init__(
        self,
        per_second: float = 10,
        burst: int = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("A budget needs a rate above zero and a burst of one or more.")
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock()
        self._turn = threading.Condition()
        self._waiting: list[tuple[Priority, int]] = []
        self._tickets = count()

    def acquire(self, priority: Priority, timeout_s: float) -> None:
        """Wait for leave to send one request, in order of priority and arrival.

        Raises:
            BudgetSpentError: the wait would be, or has been, longer than the timeout.
        """
        with self._turn:
            place = (priority, next(self._tickets))
            wait_s = self._wait_s(ahead=sum(other < place for other in self._waiting))
            if wait_s > timeout_s:
                raise _spent(wait_s)
            heapq.heappush(self._waiting, place)
            try:
                self._wait_for_turn(place, until=self._clock() + timeout_s)
            finally:
                self._waiting.remove(place)
                heapq.heapify(self._waiting)
                self._turn.notify_all()

    def _wait_for_turn(self, place: tuple[Priority, int], until: float) -> None:
        while True:
            first = self._waiting[0] == place
            wait_s = self._wait_s(ahead=0)
            if first and wait_s <= 0:
                self._tokens -= 1
                return
            left_s = until - self._clock()
            if left_s <= 0:
                raise _spent(wait_s)
            self._turn.wait(min(wait_s, left_s) if first else left_s)

    def _wait_s(self, ahead: int) -> float:
        now = self._clock()
        grown = (now - self._filled_at) * self._per_second
        self._tokens = min(float(self._burst), self._tokens + grown)
        self._filled_at = now
        return max(0.0, (ahead + 1 - self._tokens) / self._per_second)


def _spent(wait_s: float) -> BudgetSpentError:
    return BudgetSpentError("our own request budget is spent", max(1, math.ceil(wait_s)))
