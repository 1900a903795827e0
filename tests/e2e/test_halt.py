"""A halt of a system that is dead or dying: the fence holds, and its command sells what is held."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from oto.domain.job import Reason
from tests.e2e.test_system import audited, home, system, trade, wait_for
from workers.system import System

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

__all__ = ["home"]

USERS = ("sim-1", "sim-2", "sim-3")


@contextmanager
def redis_that_hangs(running: System) -> Iterator[None]:
    """Freeze Redis: worse than a dead one, for every connection stays open."""
    port = int(running.house.urls.redis_url.rsplit(":", 1)[1].split("/")[0])
    redis = next(
        psutil.Process(one.pid)
        for one in psutil.net_connections("tcp")
        if one.laddr and one.laddr.port == port and one.status == psutil.CONN_LISTEN and one.pid
    )
    redis.suspend()
    try:
        yield
    finally:
        redis.resume()


def oto(folder: Path, *arguments: str) -> Any:  # noqa: ANN401 - what a command prints as JSON
    ended = subprocess.run(
        [sys.executable, "-m", "cli", *arguments, "--json"],
        env=os.environ | {"OTO_HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return json.loads(ended.stdout)


def buys(running: System) -> int:
    posts = httpx.get(f"{running.house.exchange_urls.rest}/sim/posts", timeout=30).json()
    return sum(post["endpoint"] == "place_oto" for post in posts)


def test_with_redis_and_every_process_dead_a_halt_sells_what_is_held_and_no_order_follows(
    home: Path,
) -> None:
    with system(home) as running:
        running.wait_until_ready(90)
        house, supervisor = running.house, running.supervisor
        jobs = [trade(running, user, volume=100_000) for user in USERS]
        wait_for(running, lambda: len(house.jobs.cycles(jobs[-1])) > 2)
        with redis_that_hangs(running):
            for name, pid in supervisor.pids.items():
                if name != "simulator":
                    os.kill(pid, signal.SIGKILL)

            told = oto(home, "halt", "--flatten", "--max-slip-bps", "500")

            assert told["flat"], told
            assert [view.cycle for view in house.jobs.views(job_ids=jobs)] == [None] * len(jobs)
            bought = buys(running)
        wait_for(
            running, lambda: all(one.job.reason is Reason.HALTED for one in house.jobs.views())
        )
        found = audited(running, house.jobs.views())

        assert buys(running) == bought
        assert (found.differences, found.duplicates, found.orphans) == ((), 0, 0)
        oto(home, "unhalt")
        wait_for(running, lambda: buys(running) > bought)
