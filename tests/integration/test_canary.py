"""A worker that lives and takes nothing is found, and only while Redis answers."""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from oto.bootstrap import House, open_house
from oto.infrastructure.dispatch import ask_echo, node_name
from oto.infrastructure.settings import load_settings
from tests.cli import Oto
from tests.integration.test_price_streamer import Valkey, valkey
from workers.canary import Canary
from workers.supervisor import Program, Supervisor

pytestmark = pytest.mark.integration

__all__ = ["valkey"]

PATIENCE_S = 100
NODE = node_name("one")


@pytest.fixture
def house(oto: Oto) -> Iterator[House]:
    del oto  # its environment
    opened = open_house()
    yield opened
    opened.close()
    opened.redis.close()


@pytest.fixture
def supervisor(oto: Oto) -> Iterator[Supervisor]:
    """A supervisor of one worker."""
    with (oto.home / "worker.log").open("wb") as log:
        made = Supervisor(oto.environment, log, start_within_s=0)
        made.start(Program("one", ("worker", "--name=one", "--threads=1")))
        yield made
        made.silent = tuple
        made.stop()


@contextmanager
def canary_of(house: House, within_s: float) -> Iterator[Canary]:
    made = Canary(house.celery, house.beats, (), {NODE: "one"}, within_s)
    made.start()
    yield made
    made.stop()


def wait_until(met: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def echoes(house: House) -> None:
    """Wait until the worker has taken a message through its own queue."""
    ask_echo(house.celery, NODE, token := str(uuid.uuid4()))
    wait_until(lambda: house.beats.echoed([token]))


def stop(house: House, supervisor: Supervisor) -> None:
    del house
    os.kill(supervisor.pids["one"], signal.SIGSTOP)


def cancel(house: House, supervisor: Supervisor) -> None:
    del supervisor
    house.celery.control.cancel_consumer(NODE, destination=[NODE])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("silence", [stop, cancel])
def test_a_worker_that_lives_and_takes_nothing_is_started_again(
    house: House, supervisor: Supervisor, silence: Callable[[House, Supervisor], None]
) -> None:
    echoes(house)
    silence(house, supervisor)
    before = supervisor.pids["one"]
    with capture_logs() as logs, canary_of(house, within_s=3) as canary:
        supervisor.silent = canary.silent

        def started_again() -> bool:
            supervisor.watch()
            return supervisor.pids["one"] != before

        wait_until(started_again)

    assert {"queue_silent", "process_silent"} <= {log["event"] for log in logs}
    echoes(house)


def test_without_redis_nobody_is_silent(valkey: Valkey, oto: Oto) -> None:
    del oto  # its environment
    away = House(load_settings().model_copy(update={"redis_url": SecretStr(valkey.url)}))
    with closing(away), canary_of(away, within_s=2) as canary:
        wait_until(canary.silent)
        valkey.end()
        wait_until(lambda: not canary.silent())
        valkey.start()
        back_at = time.monotonic()
        wait_until(canary.silent)
        assert time.monotonic() - back_at >= 2
    away.redis.close()


@pytest.mark.timeout(300)
def test_a_worker_goes_on_after_an_outage_of_redis(oto: Oto, valkey: Valkey) -> None:
    there = House(load_settings().model_copy(update={"redis_url": SecretStr(valkey.url)}))
    log = oto.home / "worker.log"
    with closing(there), log.open("wb") as output:
        supervisor = Supervisor({**oto.environment, "OTO_REDIS_URL": valkey.url}, output)
        supervisor.start(Program("one", ("worker", "--name=one", "--threads=1")))
        try:
            echoes(there)
            valkey.end()
            wait_until(lambda: "redis_not_connected" in log.read_text())
            valkey.start()
            echoes(there)
            assert not supervisor.ended("one")
        finally:
            supervisor.stop()
    there.redis.close()
