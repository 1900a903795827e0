"""Many schedules: played on several processes, summed, printed."""

import multiprocessing
import signal
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, islice, takewhile

from tests.drill.faults import Fault
from tests.drill.logs import quiet
from tests.drill.run import WHOLE, Protections, Run
from tests.drill.story import Failure, Story

_BATCH = 25
_STORY_LINES = 40


@dataclass(slots=True)
class Total:
    """What some schedules came to; `failed` holds the last lines of each story that failed."""

    schedules: int = 0
    placements: int = 0
    faulted: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    failures: Counter[Failure] = field(default_factory=Counter)
    failed: dict[int, list[str]] = field(default_factory=dict)

    def take(self, number: int, story: Story) -> None:
        self.schedules += 1
        self.placements += story.placements
        self.faulted += story.faulted_placements
        self.faults += story.faults
        self.endings[story.ending] += 1
        self.failures += story.failures
        if story.failures:
            self.failed[number] = story.lines[-_STORY_LINES:]

    def add(self, other: "Total") -> None:
        self.schedules += other.schedules
        self.placements += other.placements
        self.faulted += other.faulted
        self.faults += other.faults
        self.endings += other.endings
        self.failures += other.failures
        self.failed |= other.failed


def played(seed: int, placements: int, protections: Protections = WHOLE) -> Total:
    """Play schedules in this process until so many placements have met a fault."""
    total = Total()
    for number in count():
        if total.faulted >= placements:
            break
        total.take(number, Run(seed, number, protections).play())
    return total


def played_on(seed: int, placements: int, processes: int) -> Total:
    """Play schedules on several processes until so many placements have met a fault.

    Ctrl-C ends it early, with what there is.
    """
    total = Total()
    with multiprocessing.Pool(processes, _in_a_process) as pool, suppress(KeyboardInterrupt):
        numbers = takewhile(lambda _: total.faulted < placements, count(0, _BATCH))
        ahead = deque(pool.apply_async(_batch, (seed, first)) for first in islice(numbers, 4))
        while ahead:
            total.add(ahead.popleft().get())
            ahead += (pool.apply_async(_batch, (seed, first)) for first in islice(numbers, 1))
    return total


def _in_a_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet()


def _batch(seed: int, first: int) -> Total:
    total = Total()
    for number in range(first, first + _BATCH):
        total.take(number, Run(seed, number).play())
    return total


def lines(seed: int, total: Total, seconds: float) -> Iterator[str]:
    """Yield the report for a person."""
    a_minute = total.schedules * 60 / max(seconds, 0.001)
    yield f"In-process drill, seed {seed}"
    yield f"  schedules            {total.schedules:>10,}  ({a_minute:,.0f} a minute)"
    yield f"  placements           {total.placements:>10,}"
    yield f"  of them faulted      {total.faulted:>10,}"
    yield f"  faults               {sum(total.faults.values()):>10,}"
    for fault in Fault:
        yield f"{total.faults[fault]:>20,}  {fault.value}"
    yield "Endings"
    for ending, number in total.endings.most_common():
        yield f"{number:>20,}  {ending}"
    yield "What must be zero"
    for failure in Failure:
        yield f"{total.failures[failure]:>20,}  {failure.value}"
    for number, story in list(total.failed.items())[:3]:
        yield f"Schedule {number}: python -m tests.drill --seed {seed} --schedule {number}"
        yield from story


def timed(seed: int, placements: int, processes: int) -> tuple[Total, float]:
    """Play, and return how many seconds it took."""
    began = time.perf_counter()
    total = played(seed, placements) if processes == 1 else played_on(seed, placements, processes)
    return total, time.perf_counter() - began
