"""The composed services: the file is valid, starts commands that exist, and gives nothing away."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cli import main
from oto.infrastructure.database.roles import Role
from oto.infrastructure.settings import (
    LIVE_URLS,
    Exchange,
    ExchangeUrls,
    Settings,
    SettingsError,
    load_settings,
)

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
TEXT = FILE.read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
SECRETS = ("OTO_MASTER_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "OTO_FLOWER_PASSWORD")
WorkerGiven = Callable[[dict[str, str]], Settings]
GIVEN = dict.fromkeys(SECRETS, "letters1")


def test_the_file_follows_the_compose_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]

    done = subprocess.run([*check, FILE], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_part_of_the_house_is_a_service() -> None:
    streams = {"price-streamer", "order-streamer"}

    assert set(OURS) == {"simulator", "migrate", "worker", "beat", "flower"} | streams
    assert set(SERVICES) == {"postgres", "redis", *OURS}


@pytest.mark.parametrize("service", OURS)
def test_every_command_of_ours_exists_with_its_options(service: str) -> None:
    parse(SERVICES[service]["command"])


@pytest.mark.parametrize("service", OURS)
def test_every_check_of_ours_exists_with_its_options(service: str) -> None:
    check = SERVICES[service].get("healthcheck", {}).get("test", [])

    if check[1:2] == ["oto"]:
        parse(check[1:])


def parse(words: list[str]) -> None:
    """Read a line of the shell as `oto` would, short of running it."""
    program, *rest = words
    assert program == "oto"
    command: click.Command = main
    while isinstance(command, click.Group) and rest:
        name, *rest = rest
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"{' '.join(words)}: there is no {name!r}"
        command = found
    command.make_context(program, rest).close()


def test_every_service_that_stays_up_is_checked_and_comes_back() -> None:
    for name, service in SERVICES.items():
        stays = name != "migrate"
        assert ("test" in service.get("healthcheck", {})) == stays, name
        assert service["restart"] == ("unless-stopped" if stays else "no"), name


def test_what_one_process_does_has_a_stand_by() -> None:
    replicas = {
        name: each["deploy"]["replicas"] for name, each in SERVICES.items() if "deploy" in each
    }

    assert replicas == dict.fromkeys((role.value for role in Role), 2)
    assert not any("container_name" in SERVICES[name] for name in replicas)


def test_nothing_of_ours_starts_before_its_tables_are_there() -> None:
    for name in set(OURS) - {"simulator", "migrate"}:
        needs = SERVICES[name]["depends_on"]
        assert needs["migrate"] == {"condition": "service_completed_successfully"}, name
        assert needs["postgres"] == needs["redis"] == {"condition": "service_healthy"}, name


def test_what_is_waited_for_exists_and_can_become_so() -> None:
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            checked = "healthcheck" in SERVICES[needed]
            assert checked == (how["condition"] == "service_healthy"), needed


def test_every_published_port_is_on_loopback() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_service_runs_as_root_or_can_become_it() -> None:
    users = [SERVICES[name].get("user", "root") for name in set(SERVICES) - set(OURS)]
    *_, user_of_the_image = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)

    for user in [*users, user_of_the_image]:
        assert user.partition(":")[0] not in {"root", "0"}
    for name in OURS:
        assert "user" not in SERVICES[name], name
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"], name
        assert "privileged" not in service, name


def test_every_secret_comes_from_outside_and_must_not_be_empty() -> None:
    used = re.findall(r"\$\{(\w*(?:KEY|PASSWORD|SECRET|TOKEN)\w*)([^}]{0,2})", TEXT)

    assert {name for name, _ in used} == set(SECRETS)
    assert {operator for _, operator in used} == {":?"}


def test_the_file_holds_no_secret() -> None:
    values = [pair for service in SERVICES.values() for pair in environment(service).items()]
    sensitive = re.compile("KEY|PASSWORD|SECRET|TOKEN|AUTH")

    for name, value in values:
        assert not sensitive.search(name) or re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name
        assert not re.search(r"://[^/@:]*:(?!\$\{)[^/@]*@", value), name
    assert not re.search(r"^\s*(ENV|ARG)\b.*(KEY|PASSWORD|SECRET|TOKEN)", DOCKERFILE, re.MULTILINE)


def test_no_secret_becomes_an_argument_of_a_process() -> None:
    for name, service in SERVICES.items():
        lines = [*service.get("command", []), *service.get("healthcheck", {}).get("test", [])]
        assert "$" not in " ".join(lines).replace("$$", ""), name


def test_only_what_opens_logins_has_the_master_key() -> None:
    holders = {name for name, each in SERVICES.items() if "OTO_MASTER_KEY" in environment(each)}

    assert holders == {"worker", "order-streamer"}


def test_every_variable_of_ours_is_a_setting() -> None:
    settings = {f"OTO_{field.upper()}" for field in Settings.model_fields}

    assert set(re.findall(r"\bOTO_[A-Z_]+", TEXT + DOCKERFILE)) <= settings


@pytest.fixture
def worker_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WorkerGiven:
    """Load the settings as the worker does when Compose is given these variables."""
    monkeypatch.chdir(tmp_path)  # a checkout may have a `.env`

    def load(variables: dict[str, str]) -> Settings:
        for name, value in environment(SERVICES["worker"]).items():
            monkeypatch.setenv(name, interpolated(value, variables))
        return load_settings()

    return load


def test_by_default_orders_go_to_the_simulator(worker_given: WorkerGiven) -> None:
    settings = worker_given(GIVEN)

    assert settings.exchange is Exchange.SIMULATOR
    assert settings.exchange_urls == ExchangeUrls("http://simulator:8500", "ws://simulator:8500")
    assert settings.database_url
    assert settings.redis_url


def test_live_with_emptied_urls_leads_to_the_real_exchange(worker_given: WorkerGiven) -> None:
    live = {"OTO_EXCHANGE": "live", "OTO_REST_URL": "", "OTO_WS_URL": ""}

    settings = worker_given(GIVEN | live)

    assert settings.exchange is Exchange.LIVE
    assert settings.exchange_urls == LIVE_URLS


def test_live_alone_is_refused(worker_given: WorkerGiven) -> None:
    with pytest.raises(SettingsError, match="OTO_REST_URL"):
        worker_given(GIVEN | {"OTO_EXCHANGE": "live"})


def test_the_image_installs_what_is_pinned() -> None:
    installs = re.findall(r"pip install (.*)", DOCKERFILE)

    assert installs
    assert all("-c constraints.txt" in install for install in installs)


def test_the_image_is_made_of_every_part_of_the_project_and_of_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tools = project["tool"]["setuptools"]
    packages = {pattern.rstrip("*") for pattern in tools["packages"]["find"]["include"]}
    modules = {f"{module}.py" for module in tools["py-modules"]}
    papers = {project["project"]["readme"], *project["project"]["license-files"]}

    assert copied() == packages | modules | papers | {"pyproject.toml", "constraints.txt"}
    assert all((ROOT / source).exists() for source in copied())


def test_a_builder_is_given_only_what_the_image_is_made_of() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    _, everything, *exceptions = rules

    assert everything == "*"
    assert {rule[1:] for rule in exceptions if rule.startswith("!")} == copied()


def environment(service: dict[str, Any]) -> dict[str, str]:
    named: dict[str, str] = service.get("environment", {})
    return named


def copied() -> set[str]:
    """Return the files and folders that the Dockerfile takes from the project."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    return {source for line in lines for source in line.split()}


def interpolated(value: str, variables: dict[str, str]) -> str:
    """Fill in `${A:?sentence}`, `${A:-default}` and `${A-default}` as Compose does."""

    def fill(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        given = variables.get(name)
        if given or (given is not None and operator == "-"):
            return given
        assert operator != ":?", f"{name}: {rest}"
        return str(rest)

    return re.sub(r"\$\{(\w+)(:\?|:-|-)([^}]*)\}", fill, value)
