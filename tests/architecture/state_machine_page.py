"""Draws docs/state-machine.md from the tables in the code.

Rewrite the page with `python -m tests.architecture.state_machine_page`.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from oto.domain import cycle, job, leg

PAGE = Path(__file__).resolve().parents[2] / "docs" / "state-machine.md"
COMMAND = "python -m tests.architecture.state_machine_page"

Arrows = Sequence[tuple[Enum, Enum, Enum]]
"""State, event and next state of each row."""

State = TypeVar("State", bound=Enum)
Event = TypeVar("Event", bound=Enum)


@dataclass(frozen=True, slots=True)
class Machine:
    """One transition table and what a reader wants to know before reading it."""

    title: str
    about: str
    states: type[Enum]
    events: type[Enum]
    arrows: Arrows
    first: Enum

    @property
    def final(self) -> list[Enum]:
        left = {state for state, _, _ in self.arrows}
        return [state for state in self.states if state not in left]


def arrows(table: Mapping[tuple[State, Event], State]) -> Arrows:
    """Return the rows of a transition table."""
    return [(state, event, following) for (state, event), following in table.items()]


MACHINES = (
    Machine(
        "Job",
        "One target on one token for one user. A job is advanced while it is running or waiting.",
        job.JobState,
        job.JobEvent,
        arrows(job.TRANSITIONS),
        job.JobState.DRAFT,
    ),
    Machine(
        "Cycle",
        "One OTO pair: the BUY, the SELL that it triggers, and the exits until nothing is held. "
        "Its events follow from what its legs show, but for send, discard, park, unpark "
        "and write off.",
        cycle.CyclePhase,
        cycle.CycleEvent,
        arrows(cycle.TRANSITIONS),
        cycle.CyclePhase.PLANNED,
    ),
    Machine(
        "Leg",
        "One order of a cycle. Reports and reads come late, doubled and out of order: what is "
        "older than the state changes nothing.",
        leg.LegState,
        leg.LegEvent,
        arrows(leg.TRANSITIONS),
        leg.LegState.PLANNED,
    ),
)


def draw() -> str:
    """Return the whole page."""
    head = [
        "# State machines",
        "",
        "Each table below is the one in the code (`TRANSITIONS` in `oto/domain/job.py`, `cycle.py`",
        "and `leg.py`); a pair of state and event that is not listed raises. This page is drawn",
        f"from them by `{COMMAND}`: change the code, then run it.",
    ]
    return "\n".join([*head, *(line for one in MACHINES for line in _section(one))]) + "\n"


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(draw())


def _section(machine: Machine) -> Iterator[str]:
    yield from ("", f"## {machine.title}", "", machine.about, "")
    yield from _meanings_table(machine)
    yield from ("", *_transitions_table(machine), "", *_diagram(machine))


def _meanings_table(machine: Machine) -> Iterator[str]:
    told = meanings(machine.states)
    yield from ("| state | meaning |", "|---|---|")
    for state in machine.states:
        final = " *Final.*" if state in machine.final else ""
        yield f"| `{state.value}` | {told[state.name]}{final} |"


def _transitions_table(machine: Machine) -> Iterator[str]:
    yield from ("| state | event | next |", "|---|---|---|")
    for state, event, following in machine.arrows:
        yield f"| `{state.value}` | {event.value} | `{following.value}` |"


def _diagram(machine: Machine) -> Iterator[str]:
    yield from ("```mermaid", "stateDiagram-v2", f"    [*] --> {machine.first.value}")
    for state, event, following in machine.arrows:
        yield f"    {state.value} --> {following.value}: {event.value}"
    yield from (f"    {state.value} --> [*]" for state in machine.final)
    yield "```"


def meanings(kind: type[Enum]) -> dict[str, str]:
    """Return what the source says below each member of an enum, by the member's name."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    return {
        member.targets[0].id: " ".join(said.value.value.split())
        for member, said in pairwise(definition.body)
        if isinstance(member, ast.Assign)
        and isinstance(member.targets[0], ast.Name)
        and isinstance(said, ast.Expr)
        and isinstance(said.value, ast.Constant)
        and isinstance(said.value.value, str)
    }


if __name__ == "__main__":
    main()
