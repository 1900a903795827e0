"""Every pair of state and event of a job, a cycle and a leg: the next state or an error."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from itertools import product
from typing import Any, NamedTuple

import pytest

from oto.domain import cycle, job, leg
from oto.domain.cycle import CycleEvent, CyclePhase
from oto.domain.job import JobEvent, JobState
from oto.domain.leg import ImpossibleTransitionError, LegEvent, LegState
from tests import builders
from tests.builders import AT

pytestmark = pytest.mark.unit


class Machine(NamedTuple):
    """One machine; `final` is what the rest of the code takes for the end."""

    states: type[Enum]
    events: type[Enum]
    table: Mapping[Any, Enum]
    first: Enum
    final: frozenset[Any]
    after: Callable[[Any, Any], Enum]

    def closure(self, found: set[Enum], *, forward: bool) -> set[Enum]:
        """Return the states that lead to or from some, and those themselves."""
        arrows = [(of, to) if forward else (to, of) for (of, _), to in self.table.items()]
        while more := {to for of, to in arrows if of in found} - found:
            found = found | more
        return found


def cycle_after(phase: CyclePhase, event: CycleEvent) -> Enum:
    return cycle.after(replace(builders.planned_cycle(), phase=phase), event, AT).phase


def leg_after(state: LegState, event: LegEvent) -> Enum:
    return leg.after(builders.leg(state=state), event).state


JOB = Machine(
    JobState,
    JobEvent,
    job.TRANSITIONS,
    JobState.DRAFT,
    frozenset({JobState.COMPLETED}),
    job.after,
)
CYCLE = Machine(
    CyclePhase, CycleEvent, cycle.TRANSITIONS, CyclePhase.PLANNED, cycle.FINISHED, cycle_after
)
LEG = Machine(LegState, LegEvent, leg.TRANSITIONS, LegState.PLANNED, leg.FINAL, leg_after)
MACHINES = pytest.mark.parametrize("machine", [JOB, CYCLE, LEG], ids=["job", "cycle", "leg"])


@pytest.mark.parametrize(
    ("machine", "state", "event"),
    [
        pytest.param(machine, state, event, id=f"{state} {event}")
        for machine in (JOB, CYCLE, LEG)
        for state, event in product(machine.states, machine.events)
    ],
)
def test_a_listed_pair_goes_where_the_table_says_and_every_other_raises(
    machine: Machine, state: Enum, event: Enum
) -> None:
    if (state, event) in machine.table:
        assert machine.after(state, event) is machine.table[state, event]
        return
    with pytest.raises(ImpossibleTransitionError) as raised:
        machine.after(state, event)
    assert str(raised.value) == f"{event.value!r} cannot happen in state {state.value!r}"


@MACHINES
def test_every_state_is_reachable_from_the_first(machine: Machine) -> None:
    assert machine.closure({machine.first}, forward=True) == set(machine.states)


@MACHINES
def test_the_final_states_and_no_others_have_no_exits(machine: Machine) -> None:
    assert set(machine.states) - {state for state, _ in machine.table} == machine.final


@MACHINES
def test_a_final_state_can_be_reached_from_every_state(machine: Machine) -> None:
    assert machine.closure(set(machine.final), forward=False) == set(machine.states)


@MACHINES
def test_every_event_can_happen(machine: Machine) -> None:
    assert {event for _, event in machine.table} == set(machine.events)


def test_a_finished_job_but_a_completed_one_can_only_be_resumed() -> None:
    for state in job.FINISHED - {JobState.COMPLETED}:
        assert {event for of, event in job.TRANSITIONS if of is state} == {JobEvent.RESUME}


def test_a_new_phase_begins_when_it_is_entered_and_keeps_the_rung() -> None:
    tried = replace(builders.planned_cycle(), phase=CyclePhase.EXITING, rung=3)

    parked = cycle.after(tried, CycleEvent.PARK, builders.after_s(7))

    assert (parked.phase_since, parked.rung) == (builders.after_s(7), 3)


def test_inventory_that_is_taken_up_again_begins_at_the_first_rung() -> None:
    parked = replace(builders.planned_cycle(), phase=CyclePhase.PARKED, rung=5)

    assert cycle.after(parked, CycleEvent.UNPARK, AT).rung == 0
