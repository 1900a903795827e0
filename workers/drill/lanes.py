"""Lets the strikes of a schedule happen, each lane on a thread of its own."""

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import structlog

from workers.drill.disturb import FAILED, Disturber
from workers.drill.schedule import Strike

_RECOVERED_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.1

_log = structlog.get_logger(__name__)

Act = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Struck:
    """A fault that has struck, by this process's own clock."""

    lane: str
    strike: Strike
    began_s: float
    ended_s: float
    said: str


@dataclass(slots=True)
class LaneRun:
    """One lane; what strikes for a while is taken back on the same thread.

    `recovered` tells whether the loop has gone on since a time; if given, a fault waits for that.
    """

    name: str
    strikes: Sequence[Strike]
    stopping: threading.Event
    struck: list[Struck]
    recovered: Callable[[float], bool] | None = None
    disturber: Disturber = field(init=False)
    _agenda: list[tuple[float, int, Act]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)
    _thread: threading.Thread | None = None
    _last_s: float = 0.0

    def start(self, disturber: Disturber, began_s: float) -> None:
        self.disturber = disturber
        for strike in self.strikes:
            self._put(began_s + strike.at_s, lambda strike=strike: self._strike(strike))  # type: ignore[misc]
        self._thread = threading.Thread(target=self._run, name=f"oto-{self.name}", daemon=True)
        self._thread.start()

    def join(self, most_s: float) -> bool:
        """Wait for the fault that is under way; return whether it has ended."""
        if self._thread is not None:
            self._thread.join(most_s)
        return self._thread is None or not self._thread.is_alive()

    def later(self, after_s: float, act: Act) -> None:
        """Put the end of something that lasts on the agenda."""
        self._put(time.monotonic() + after_s, act)

    def _put(self, at_s: float, act: Act) -> None:
        heapq.heappush(self._agenda, (at_s, next(self._numbers), act))

    def _run(self) -> None:
        while self._agenda and not self.stopping.is_set():
            at_s, _, act = self._agenda[0]
            if self.stopping.wait(max(0.0, at_s - time.monotonic())):
                return
            heapq.heappop(self._agenda)
            try:
                act()
            except FAILED as error:
                _log.info("not_undone", error=type(error).__name__)

    def _strike(self, strike: Strike) -> None:
        self._wait_for_recovery()
        began = time.monotonic()
        try:
            said = self.disturber.strike(strike)
        except FAILED as error:
            said = f"not possible just then: {type(error).__name__}"
        self._last_s = time.monotonic()
        self.struck.append(Struck(self.name, strike, began, self._last_s, said))

    def _wait_for_recovery(self) -> None:
        deadline = time.monotonic() + _RECOVERED_WITHIN_S
        while self.recovered is not None and time.monotonic() < deadline:
            if self.recovered(self._last_s) or self.stopping.wait(_LOOK_EVERY_S):
                return
