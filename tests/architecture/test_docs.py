"""The simulator's page says what the simulator does: every option, fault and control call."""

import re
from pathlib import Path

import click
import pytest

from cli import main
from oto.simulator.control import routes
from oto.simulator.faults import FaultKind
from oto.simulator.settings import PartialFillPolicy
from oto.simulator.simulation import Simulation
from tests.simulated import silent_plan

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "simulator.md").read_text()
FIRST_CELLS = re.findall(r"^\|([^|]+)\|", PAGE, re.MULTILINE)
ROWS = {name for cell in FIRST_CELLS for name in re.findall(r"`([^`]+)`", cell)}


def test_every_fault_has_a_row() -> None:
    assert {kind.value for kind in FaultKind} <= ROWS


def test_every_policy_has_a_row() -> None:
    assert {policy.value for policy in PartialFillPolicy} <= ROWS


def test_every_control_call_has_a_row() -> None:
    paths = {route.path for route in routes(Simulation(silent_plan()))}

    assert all(path in PAGE for path in paths)


def test_every_option_of_serve_has_a_row() -> None:
    group = main.commands["sim"]
    assert isinstance(group, click.Group)
    options = {option for parameter in group.commands["serve"].params for option in parameter.opts}

    assert options <= ROWS


def test_every_command_in_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"(?:`|bin/|dev\.py )oto ((?:[a-z]+ ?)+)", readme))
    assert {"sim serve ", "exchange probe "} <= {f"{words.strip()} " for words in named}

    for words in named:
        command: click.Command = main
        for word in words.split():
            if not isinstance(command, click.Group):
                break
            assert word in command.commands, f"oto {words}"
            command = command.commands[word]
