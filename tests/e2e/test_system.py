"""The whole system as its users run it: real servers, real processes, a simulated exchange."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from oto.application.audit import Audit, UserLedger, audit
from oto.domain.cycle import CyclePhase
from oto.domain.job import ACTIVE, Job, JobId, JobState, Target, TargetKind, Wish
from oto.domain.money import Amount
from oto.infrastructure.database.jobs import JobView
from oto.infrastructure.pasted import read_login
from oto.infrastructure.servers.launch import free_ports
from oto.infrastructure.settings import Settings
from workers.drill.secrets import (
    command_lines,
    dumped_redis,
    dumped_tables,
    found_in,
    secrets_of,
)
from workers.system import Plan, System, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

FUNDING = Decimal(500)


@contextmanager
def system(home: Path, **changes: Any) -> Iterator[System]:  # noqa: ANN401 - fields of Plan
    settings = Settings(home=home, log_level="INFO")
    with (home.parent / f"{home.name}.log").open("ab") as log:
        simulator = (
            "--users=4",
            f"--balance={FUNDING}",
            f"--credentials={home / 'logins.json'}",
            f"--state={home / 'exchange.json'}",
            "--speed=5",
        )
        plan = Plan(
            settings=settings,
            simulator=simulator,
            output=log,
            **({"flower": False, "durable": False} | changes),
        )
        with running(plan, lambda _: None) as made:
            yield made


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder whose path is short enough for anything that a server puts into it."""
    with tempfile.TemporaryDirectory(prefix="oto-e2e-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "home"


def trade(system: System, user: str, volume: int = 100) -> JobId:
    house = system.house
    login = read_login((house.settings.home / "logins.json").read_text(), user)
    added = house.users.add(user)
    house.users.keep_credentials(added, house.vault.seal(login))
    wake = house.jobs.start(
        Job(
            JobId(0),
            added.user_id,
            house.catalog.named("NEX").rules.symbol,
            Target(TargetKind.VOLUME, Decimal(volume)),
            Amount(Decimal(20)),
            "cross",
            300,
        )
    )
    house.dispatcher.wake(wake)
    return wake.job_id


def wait_for(system: System, done: Callable[[], bool], most_s: float = 90) -> None:
    deadline = time.monotonic() + most_s
    while not done():
        system.supervisor.watch()
        views = system.house.jobs.views()
        assert time.monotonic() < deadline, [(one.job, one.detail, one.cycle) for one in views]
        time.sleep(0.05)


def wait_until_ended(system: System, jobs: list[JobId]) -> list[JobView]:
    def ended() -> bool:
        views = system.house.jobs.views(job_ids=jobs)
        return all(view.job.state not in ACTIVE for view in views)

    wait_for(system, ended)
    return system.house.jobs.views(job_ids=jobs)


def audited(system: System, views: list[JobView]) -> Audit:
    return audit(
        _exchange(system, "truth"),
        [
            UserLedger(
                view.user,
                view.job.symbol,
                "ALPHA_971",
                FUNDING,
                system.house.jobs.cycles(view.job.job_id),
            )
            for view in views
        ],
    )


def assert_completed_and_equal(system: System, jobs: list[JobId]) -> None:
    views = wait_until_ended(system, jobs)
    assert [view.job.state for view in views] == [JobState.COMPLETED] * len(jobs)
    found = audited(system, views)
    assert (found.differences, found.duplicates, found.orphans, found.open_orders) == ((), 0, 0, 0)


def test_the_demo_reaches_every_target_and_leaves_nothing_running() -> None:
    command = [sys.executable, "-m", "cli", "demo", "--users", "2", "--volume", "60", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert [job["state"] for job in shown["jobs"]] == ["completed"] * 2
    assert shown["flat"]
    assert shown["ledger_equals_exchange"]
    assert {shown["orders"][name] for name in ("unknown", "duplicates", "orphans")} == {0}
    assert {"p50", "p95", "p99"} <= shown["latency_ms"]["tick_to_post"].keys()
    assert not [one for one in psutil.process_iter(["cmdline"]) if _is_of_a_demo(one)]


def _is_of_a_demo(process: psutil.Process) -> bool:
    return any("oto-demo-" in part for part in process.info["cmdline"] or [])


def test_without_the_order_streamer_polling_finishes_the_job(home: Path) -> None:
    with system(home, without=frozenset({"order-streamer"})) as made:
        assert_completed_and_equal(made, [trade(made, "sim-1", 60)])


def test_a_worker_that_is_killed_again_and_again_places_nothing_twice(home: Path) -> None:
    chance = random.Random(5)
    with system(home) as made:
        jobs = [trade(made, f"sim-{number}", 300) for number in (1, 2, 3)]

        def bought() -> Decimal:
            return sum((one.progress.bought for one in made.house.jobs.views()), Decimal(0))

        for goal in (60, 250, 450):
            wait_for(made, lambda goal=goal: bought() >= goal)  # type: ignore[misc]
            time.sleep(chance.random() / 5)
            os.kill(made.supervisor.pids["worker-1"], signal.SIGKILL)
            made.supervisor.watch()

        assert_completed_and_equal(made, jobs)


def test_a_worker_that_is_told_to_end_while_an_order_is_sent_notes_its_outcome(home: Path) -> None:
    with system(home, without=frozenset({"order-streamer"})) as made:
        slow = {"kind": "late_answer", "endpoint": "place_oto", "count": 1, "delay_ms": 5000}
        _exchange(made, "faults", slow)
        job = trade(made, "sim-1", 20)
        wait_for(made, lambda: bool(_exchange(made, "truth")["orders"]))
        assert [one.phase for one in made.house.jobs.cycles(job)] == [CyclePhase.SENDING]

        os.kill(made.supervisor.pids["worker-1"], signal.SIGTERM)
        deadline = time.monotonic() + 30
        while not made.supervisor.ended("worker-1"):
            assert time.monotonic() < deadline, "the worker does not end"
            time.sleep(0.05)

        (cycle,) = made.house.jobs.cycles(job)
        orders = _exchange(made, "truth")["orders"]
        assert [leg.order_id for leg in cycle.legs] == [order["order_id"] for order in orders]
        assert len(_exchange(made, "posts")) == 1
        assert_completed_and_equal(made, [job])


def _exchange(system: System, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    """Ask the simulator's control surface, or tell it something."""
    method = "GET" if body is None else "POST"
    url = f"{system.house.exchange_urls.rest}/sim/{path}"
    return httpx.request(method, url, json=body, timeout=30).raise_for_status().json()


def test_a_stopped_system_carries_its_jobs_on_when_it_is_started_again(home: Path) -> None:
    with system(home, durable=True) as made:
        job = trade(made, "sim-1", 2000)
        wait_for(made, lambda: made.house.jobs.view(job).progress.bought > 0)

    with system(home, durable=True) as made:
        before = made.house.jobs.view(job).progress.bought
        wait_for(made, lambda: made.house.jobs.view(job).progress.bought > before)
        made.house.dispatcher.wake(made.house.jobs.wish(job, Wish.STOP))
        views = wait_until_ended(made, [job])

        assert views[0].job.state is JobState.STOPPED
        found = audited(made, views)
        assert (found.differences, found.duplicates, found.orphans, found.open_orders) == (
            (),
            0,
            0,
            0,
        )


def test_a_users_session_shows_nowhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_ports(1)[0]
    monkeypatch.setenv("OTO_FLOWER_PORT", str(port))
    monkeypatch.setenv("OTO_FLOWER_PASSWORD", "a-password")
    monkeypatch.setenv("OTO_LOG_LEVEL", "DEBUG")
    with system(home, flower=True) as made:
        secrets = secrets_of(home / "logins.json")
        pages: dict[str, str] = {}
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", auth=("oto", "a-password"), timeout=10
        ) as flower:
            wait_for(made, lambda: _flower_shows(flower, pages))
            # Only from then on do workers tell of their tasks.
            wait_for(made, lambda: "sweep" in _page(flower, pages, "/api/tasks?limit=50"))
            wait_until_ended(made, [trade(made, "sim-1", 60)])
            wait_for(made, lambda: "trading.advance" in _page(flower, pages, "/api/tasks?limit=50"))
            for path in ("/workers", "/tasks", "/broker"):
                _page(flower, pages, path)
        places = {
            **pages,
            "redis": dumped_redis(made.house.urls.redis_url),
            "tables": dumped_tables(made.house.engine),
            "command lines": command_lines(psutil.process_iter()),
        }
    places["log"] = (home.parent / f"{home.name}.log").read_text()

    assert len(secrets) >= 4
    assert "worker-1" in pages["/api/workers"]
    assert list(found_in(places, secrets)) == []


def _flower_shows(flower: httpx.Client, pages: dict[str, str]) -> bool:
    try:
        return "worker-1" in _page(flower, pages, "/api/workers?refresh=1", "/api/workers")
    except httpx.HTTPError:
        return False


def _page(flower: httpx.Client, pages: dict[str, str], path: str, name: str = "") -> str:
    pages[name or path] = flower.get(path).text
    return pages[name or path]


def up(home: Path) -> tuple[subprocess.Popen[bytes], list[psutil.Process], Path]:
    """Start `oto up` and return it, what it runs, and its log, when all of it runs."""
    log = home.parent / "up.log"
    with log.open("wb") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", "cli", "up", "--no-flower"],
            env={**os.environ, "OTO_HOME": str(home)},
            stdout=output,
            stderr=output,
        )
    deadline = time.monotonic() + 60
    while "Running" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    children = psutil.Process(started.pid).children(recursive=True)
    assert len(children) > 6
    return started, children, log


def test_a_killed_supervisor_leaves_no_process(home: Path) -> None:
    started, children, _ = up(home)

    started.kill()
    started.wait()

    _, alive = psutil.wait_procs(children, timeout=60)
    assert [child.cmdline() for child in alive] == []


def test_a_supervisor_whose_servers_are_gone_for_good_ends_and_says_so(home: Path) -> None:
    started, children, log = up(home)
    [guard] = [one for one in children if any("guard.py" in part for part in one.cmdline())]

    guard.kill()

    assert started.wait(60) == 1
    assert "The embedded servers were ended from outside" in log.read_text()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert [child.cmdline() for child in alive] == []
