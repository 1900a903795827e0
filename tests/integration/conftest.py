from collections.abc import Iterator
from pathlib import Path

import pytest

from oto.bootstrap import House
from tests.cli import Oto, trading
from tests.conftest import Migrated
from tests.servers import flushed_redis
from tests.simulated import Exchange, running, silent_plan

_REDIS_NUMBER = 6  # the queues live in the one after it


@pytest.fixture
def market() -> Iterator[Exchange]:
    """An exchange on today's clock whose markets do nothing by themselves."""
    with running(silent_plan(stepped=False, start_ms=None)) as simulated:
        yield simulated


@pytest.fixture
def oto(
    tmp_path: Path,
    migrated: Migrated,
    database_url: str,
    market: Exchange,
    monkeypatch: pytest.MonkeyPatch,
) -> Oto:
    """The command on an empty database, an empty Redis and that exchange."""
    flushed_redis(migrated.urls, _REDIS_NUMBER + 1)
    environment = {
        "OTO_HOME": str(tmp_path),
        "OTO_DATABASE_URL": database_url,
        "OTO_REDIS_URL": flushed_redis(migrated.urls, _REDIS_NUMBER),
        "OTO_REST_URL": market.rest,
        "OTO_WS_URL": market.ws,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Oto(tmp_path, environment)


@pytest.fixture
def ann(oto: Oto, market: Exchange) -> str:
    """A user with a session."""
    oto.json("user", "add", "ann")
    oto.json("user", "login", "ann", "--from-file", oto.login_file(market, "ann"))
    return "ann"


@pytest.fixture
def house(ann: str, market: Exchange) -> Iterator[House]:
    """A house that takes the turns of jobs."""
    del ann
    with trading(market) as working:
        yield working
