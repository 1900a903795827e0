"""The page of the state machines says what the code does."""

import pytest

from tests.architecture.state_machine_page import (
    COMMAND,
    MACHINES,
    PAGE,
    Machine,
    draw,
    meanings,
)

pytestmark = pytest.mark.unit


def test_the_page_is_what_the_code_draws() -> None:
    assert PAGE.read_text() == draw(), f"rewrite it with `{COMMAND}`"


def test_every_state_and_event_is_on_the_page() -> None:
    page = draw()

    for machine in MACHINES:
        assert all(f"`{state.value}`" in page for state in machine.states)
        assert all(f"| {event.value} |" in page for event in machine.events)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.title)
def test_every_state_has_a_meaning(machine: Machine) -> None:
    assert set(meanings(machine.states)) == set(machine.states.__members__)
