"""Virtual time: the simulator's clock, and what happens around it."""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count

from oto.simulator.simulation import Simulation


class Agenda:
    """Moves time from one thing to the next; whatever happens may let time pass itself."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.moved: Callable[[], None] = _nothing
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()

    @property
    def now_ms(self) -> int:
        return self._simulation.exchange.now_ms

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms / 1000, UTC)

    def after(self, ms: int, act: Callable[[], None]) -> None:
        """Let something happen so many ms from now."""
        heapq.heappush(self._due, (self.now_ms + ms, next(self._numbers), act))

    def pass_time(self, ms: int) -> None:
        """Let everything happen that is due within so many ms."""
        end_ms = self.now_ms + ms
        while self._due and self._due[0][0] <= end_ms:
            due_ms, _, act = heapq.heappop(self._due)
            self._move(due_ms)
            act()
        self._move(end_ms)

    def _move(self, to_ms: int) -> None:
        if to_ms > self.now_ms:
            self._simulation.step(to_ms - self.now_ms)
            self.moved()


def _nothing() -> None: ...
