"""Two processes for one role: the stand-by takes over, and the old one does no harm."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from oto.bootstrap import House, open_house
from oto.infrastructure.database.roles import Holder, Role
from oto.infrastructure.dispatch import broker_url
from oto.infrastructure.redis_store.client import redis_client
from tests.cli import Oto
from tests.simulated import AITECH, Exchange

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PATIENCE_S = 60


@pytest.fixture
def house(oto: Oto) -> Iterator[House]:
    del oto  # its environment
    opened = open_house()
    yield opened
    opened.close()
    opened.redis.close()


def wait_until(met: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


class Started:
    """A process of ours and what it logged."""

    def __init__(self, oto: Oto, log: Path, *arguments: str) -> None:
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", *arguments],
                env={**os.environ, **oto.environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def says(self, words: str) -> bool:
        return words in self._log.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@contextmanager
def two(oto: Oto, house: House, role: Role, *arguments: str) -> Iterator[tuple[Started, Started]]:
    """Run a holder of a role and its stand-by."""
    started = [Started(oto, oto.home / "active.log", *arguments)]
    try:
        wait_until(lambda: holder(house, role))
        started.append(Started(oto, oto.home / "standby.log", *arguments))
        wait_until(lambda: started[1].says("stands_by"))
        yield started[0], started[1]
    finally:
        for one in started:
            one.process.kill()
            one.process.wait(PATIENCE_S)


def holder(house: House, role: Role) -> Holder | None:
    return next((one for one in house.roles.holders() if one.role is role and one.held), None)


@pytest.fixture
def job(oto: Oto, market: Exchange) -> None:
    """A job that needs prices and its user's reports."""
    oto.json("user", "add", "ann")
    oto.json("user", "login", "ann", "--from-file", oto.login_file(market, "ann"))
    wanted = ("--token", "AITECH", "--volume", "100", "--order-size", "20")
    oto.json("job", "start", "--user", "ann", *wanted)


def ticks_flow(house: House, market: Exchange, since: datetime) -> bool:
    market.control(f"symbols/{AITECH}/trade", {"price": "0.23", "quantity": "5"})
    tick = house.ticks.read(AITECH)
    return tick is not None and tick.connected and tick.received_at > since


@pytest.mark.usefixtures("job")
def test_after_a_kill_of_the_price_streamer_its_stand_by_brings_ticks(
    oto: Oto, house: House, market: Exchange
) -> None:
    with two(oto, house, Role.PRICES, "stream", "prices") as (active, standby):
        wait_until(lambda: ticks_flow(house, market, datetime.min.replace(tzinfo=UTC)))
        active.signal(signal.SIGKILL)
        active.process.wait(PATIENCE_S)
        killed_at = datetime.now(UTC)

        wait_until(lambda: ticks_flow(house, market, killed_at))

        found = holder(house, Role.PRICES)
        assert found is not None
        assert (found.pid, found.token) == (standby.process.pid, 2)


@pytest.mark.usefixtures("job")
def test_a_price_streamer_that_was_held_up_writes_nothing_any_more_and_ends(
    oto: Oto, house: House, market: Exchange
) -> None:
    with two(oto, house, Role.PRICES, "stream", "prices") as (active, standby):
        wait_until(lambda: ticks_flow(house, market, datetime.min.replace(tzinfo=UTC)))
        active.signal(signal.SIGSTOP)
        stopped_at = datetime.now(UTC)
        wait_until(lambda: ticks_flow(house, market, stopped_at))
        standby.signal(signal.SIGSTOP)
        wait_until(lambda: psutil.Process(standby.process.pid).status() == psutil.STATUS_STOPPED)
        before = house.ticks.read(AITECH)

        active.signal(signal.SIGCONT)

        # It has trades to tell that it received meanwhile.
        market.control(f"symbols/{AITECH}/trade", {"price": "0.29", "quantity": "5"})
        assert active.process.wait(PATIENCE_S) == 1
        assert active.says("another p")
        assert house.ticks.read(AITECH) == before


@pytest.mark.usefixtures("job")
def test_a_stand_by_of_the_order_streamer_opens_no_stream_before_it_has_the_role(
    oto: Oto, house: House, market: Exchange
) -> None:
    def sockets() -> int:
        count: int = market.get("/sim/health", {})["sockets"]
        return count

    with two(oto, house, Role.ORDERS, "stream", "orders") as (active, standby):
        wait_until(lambda: sockets() == 1)
        active.signal(signal.SIGTERM)
        assert active.process.wait(PATIENCE_S) == 0

        wait_until(lambda: standby.says("role_taken"))
        wait_until(lambda: sockets() == 1)


def test_a_stand_by_of_beat_goes_on_where_it_was_killed(oto: Oto, house: House) -> None:
    queues = redis_client(broker_url(house.urls.redis_url))

    def sweeps() -> int:
        return queues.llen("maintenance")

    with queues, two(oto, house, Role.BEAT, "beat") as (active, standby):
        wait_until(sweeps)
        active.signal(signal.SIGKILL)
        active.process.wait(PATIENCE_S)

        wait_until(lambda: standby.says("role_taken"))
        before = sweeps()
        wait_until(lambda: sweeps() > before)
        standby.signal(signal.SIGTERM)
        assert standby.process.wait(PATIENCE_S) == 0

    assert holder(house, Role.BEAT) is None
