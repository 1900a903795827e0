"""What happened in one schedule: counted, and told if it fails."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from tests.drill.faults import HUMAN, Fault

_LINES = 2_000


class Failure(Enum):
    """What must not be: each of them is to be counted zero times."""

    DUPLICATE = "duplicates"
    SENT_TWICE = "intents sent twice"
    ORPHAN = "orphans"
    MISTAKEN = "orders mistaken for another"
    LOST_FILL = "lost fills"
    DOUBLED_FILL = "doubled fills"
    DIFFERENCE = "differences of order, fill or wallet"
    FIGURES = "differences of volume or wear"
    FENCE = "POSTs after a fence"
    NO_INTENT = "POSTs without an intent"
    LEFT_OPEN = "orders left open"
    NO_PROGRESS = "jobs neither flat nor parked"
    HUMAN = "humans called for nothing"
    FAULT = "faults of our own"


@dataclass(slots=True)
class Story:
    """Faults by kind, placements with and without, and the last lines of what happened."""

    now_ms: Callable[[], int]
    faults: Counter[Fault] = field(default_factory=Counter)
    placements: int = 0
    faulted: set[int] = field(default_factory=set)
    human_calls_left: int = 0
    refused_exits: int = 0
    ending: str = ""
    """Flat or parked, and how the job stands."""
    failures: Counter[Failure] = field(default_factory=Counter)
    _began_ms: int = 0
    _lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))

    def __post_init__(self) -> None:
        self._began_ms = self.now_ms()

    def strike(self, fault: Fault, where: str = "") -> None:
        """Count a fault for the placement that is under way."""
        self.faults[fault] += 1
        self.faulted.add(self.placements)
        self.human_calls_left += fault in HUMAN
        self.tell(f"* {fault.value} {where}")

    def place(self) -> int:
        """Begin the next placement and return its number, from 1."""
        self.placements += 1
        return self.placements

    def fail(self, kind: Failure, why: str) -> None:
        self.failures[kind] += 1
        self.tell(f"! {kind.value}: {why}")

    def tell(self, line: str) -> None:
        self._lines.append(f"{(self.now_ms() - self._began_ms) / 1000:8.2f} s  {line}")

    @property
    def faulted_placements(self) -> int:
        return len(self.faulted - {0})

    @property
    def lines(self) -> list[str]:
        return list(self._lines)
