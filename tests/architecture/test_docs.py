"""The pages name everything that the program has, and nothing that it lacks."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path

import click
import pytest
from celery.app.defaults import DEFAULTS

import celeryconfig
from cli import main
from oto.domain.events import EventKind
from oto.domain.job import NEEDS_HUMAN, Reason
from oto.infrastructure.dispatch import make_celery
from oto.infrastructure.settings import Settings
from oto.interface.checks import Looks, all_checks
from oto.simulator.control import routes
from oto.simulator.faults import FaultKind
from oto.simulator.settings import PartialFillPolicy
from oto.simulator.simulation import Simulation
from tests.builders_drill import found_by_a_drill
from tests.simulated import silent_plan
from workers.drill.schedule import FAULTS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
PAGES = {file.name: file.read_text() for file in (ROOT / "README.md", *ROOT.glob("docs/*.md"))}
SIMULATOR, OPERATIONS, LOG = (PAGES[f"{name}.md"] for name in ("simulator", "operations", "log"))
CLEARS, HUMAN = PAGES["reasons.md"].split("\n## Needs a human\n")

PROMPT = r"(?:\$ )?"
RUNNER = r"(?:\.venv/bin/|python3 dev\.py |docker compose run --rm \w+ )?"

Rows = Mapping[str, list[str]]


def rows(page: str) -> Rows:
    """Return the rows of a page's tables by each name in `ticks` of their first cells."""
    lines = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in cells] for cells in lines]
    return {name: cells for cells in split for name in re.findall(r"`([^`]+)`", cells[0])}


def commands(command: click.Command = main, words: str = "oto") -> Iterator[str]:
    """Yield every command that does something."""
    if not isinstance(command, click.Group):
        yield words
        return
    for name, below in command.commands.items():
        yield from commands(below, f"{words} {name}")


def command_of(words: Sequence[str]) -> click.Command:
    """Return the command that the words after `oto` begin with."""
    command: click.Command = main
    for word in words:
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        assert word in command.commands, f"oto {' '.join(words)}"
        command = command.commands[word]
    return command


def lines_of_shell(page: str) -> Iterator[list[str]]:
    """Yield the words after `oto` of every line that a page tells to type."""
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for typed in re.findall(rf"^{PROMPT}{RUNNER}oto ([^|\n]+)", block, re.MULTILINE):
            yield shlex.split(typed, comments=True)


def test_every_fault_has_a_row() -> None:
    assert {kind.value for kind in FaultKind} <= rows(SIMULATOR).keys()


def test_every_fault_of_the_drill_has_a_row_and_every_row_a_fault() -> None:
    _, _, faults = PAGES["drill.md"].partition("\n## Faults\n")

    assert rows(faults).keys() == FAULTS.keys()


def test_every_zero_and_promise_of_the_drill_has_a_row() -> None:
    numbers, _, _ = PAGES["drill.md"].partition("\n## Faults\n")
    nothing = found_by_a_drill()

    assert rows(numbers).keys() == nothing.zeros().keys() | nothing.promises().keys()


def test_every_policy_has_a_row() -> None:
    assert {policy.value for policy in PartialFillPolicy} <= rows(SIMULATOR).keys()


def test_every_control_call_has_a_row() -> None:
    paths = {route.path for route in routes(Simulation(silent_plan()))}

    assert all(path in SIMULATOR for path in paths)


def test_every_option_of_serve_has_a_row() -> None:
    options = {
        option for parameter in command_of(["sim", "serve"]).params for option in parameter.opts
    }

    assert options <= rows(SIMULATOR).keys()


def test_every_setting_has_a_row_with_its_default_and_description() -> None:
    listed = rows(OPERATIONS)

    for name, field in Settings.model_fields.items():
        default = field.default.value if isinstance(field.default, Enum) else field.default
        depends = field.default_factory is not None or default is None
        shown = "" if depends else str(default)
        assert listed[f"OTO_{name.upper()}"][1:3] == [
            shown.lower() if isinstance(default, bool) else shown,
            field.description,
        ]


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    named = {name for name in rows(OPERATIONS) if name.startswith("oto ")}

    assert named == set(commands())


def test_every_task_has_a_row_with_its_queue() -> None:
    app = make_celery("redis://127.0.0.1:6379/0")
    app.loader.import_default_modules()
    tasks = {name for name in app.tasks if not name.startswith("celery.")}

    listed = rows(OPERATIONS)

    assert {name for name in listed if re.fullmatch(r"(trading|market|maintenance)\..*", name)} == (
        tasks
    )
    for name in tasks:
        assert celeryconfig.task_routes[f"{name.split('.')[0]}.*"]["queue"] == listed[name][1]


def test_every_entry_of_the_schedule_has_a_row_with_its_figures() -> None:
    listed = rows(OPERATIONS)

    for name, entry in celeryconfig.beat_schedule.items():
        every, expires = entry["schedule"], entry["options"]["expires"]  # type: ignore[index]
        assert listed[name][1:] == [f"{every:g} s", f"`{entry['task']}`", f"{expires:g} s"]


def test_every_setting_of_celery_that_is_not_its_default_has_a_row() -> None:
    ours = {name: value for name, value in vars(celeryconfig).items() if not name.startswith("_")}
    other = {name for name, value in ours.items() if not is_default(name, value)}

    assert other <= rows(OPERATIONS).keys()


def is_default(name: str, value: object) -> bool:
    default = DEFAULTS[name]
    return bool(default == (tuple(value) if isinstance(value, list) else value))


def test_every_check_of_the_doctor_has_a_row() -> None:
    assert {check.name for check in all_checks(Looks())} <= rows(OPERATIONS).keys()


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_every_reason_has_a_row_with_its_words_where_it_belongs(reason: Reason) -> None:
    page, other = (HUMAN, CLEARS) if reason in NEEDS_HUMAN else (CLEARS, HUMAN)
    name = reason.name.lower()

    assert rows(page)[name][1] == reason.words
    assert name not in rows(other)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_exists(page: str) -> None:
    for words in re.findall(r"`oto ((?:[a-z-]+ ?)+)", PAGES[page]):
        command_of(words.split())


@pytest.mark.parametrize("page", PAGES)
def test_every_line_for_the_shell_has_only_options_that_exist(page: str) -> None:
    for words in lines_of_shell(PAGES[page]):
        options = command_of(words).params
        known = {name for one in options for name in (*one.opts, *one.secondary_opts)}
        given = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert given <= known | {"--help"}, words


def test_the_readme_leads_through_the_first_steps() -> None:
    typed = [" ".join(words) for words in lines_of_shell(PAGES["README.md"])]

    for step in ("up", "user add", "user login", "job start", "job watch", "job list"):
        assert any(line.startswith(step) for line in typed), step


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    folder = ROOT if page == "README.md" else ROOT / "docs"

    for target in re.findall(r"\]\((?!https?:)([^)#]+)", PAGES[page]):
        assert (folder / target).exists(), target


def test_every_kind_of_log_entry_has_a_row() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*) \|", LOG, re.MULTILINE))))

    assert {kind.value for kind in EventKind} <= named
