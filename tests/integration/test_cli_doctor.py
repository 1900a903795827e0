"""`oto doctor`: well, ill, and with nothing there."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from oto.bootstrap import House, open_house
from oto.domain.errors import ExchangeError
from oto.infrastructure.alpha.client import DEFAULT_LIMITS
from oto.infrastructure.alpha.server_date import server_date
from oto.infrastructure.database.roles import Role
from oto.infrastructure.redis_store.beats import ORDERS, SWEEP, Beats
from tests.cli import Oto
from tests.simulated import Exchange

pytestmark = pytest.mark.integration

NOW = timedelta(0)


@pytest.fixture
def house(oto: Oto) -> Iterator[House]:
    del oto  # its environment
    opened = open_house()
    yield opened
    opened.close()
    opened.redis.close()


@pytest.fixture
def worker(oto: Oto, house: House) -> Iterator[None]:
    """A worker in a process of its own, once it answers."""
    log = oto.home / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "oto", "worker", "--threads", "1"],
            env={**os.environ, **oto.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        while not house.celery.control.inspect(timeout=0.2).active_queues():
            assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(30)


def live(house: House, *, age: timedelta = NOW) -> None:
    """Give the signs of life that the processes give."""
    at = datetime.now(UTC) - age
    house.ticks.beat(at)
    for name in (ORDERS, SWEEP):
        Beats(house.redis).beat(name, at)


def hold_all(house: House) -> None:
    """Take the roles that the processes take."""
    for role in Role:
        assert house.roles.take(role)


def results(oto: Oto, *arguments: str, exit_code: int) -> dict[str, str]:
    rows = oto.json("doctor", *arguments, exit_code=exit_code)
    return {row["check"]: row["result"] for row in rows}


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("worker")
def test_all_is_well_where_everything_runs(oto: Oto, house: House, market: Exchange) -> None:
    oto.json("user", "add", "ann")
    oto.json("user", "login", "ann", "--from-file", oto.login_file(market, "ann"))
    live(house)
    hold_all(house)

    began = time.monotonic()
    found = results(oto, exit_code=0)

    assert set(found.values()) == {"ok"}
    assert len(found) == 13
    assert time.monotonic() - began < 10


def test_what_does_not_run_is_found_and_it_is_said_how_to_start_it(oto: Oto, house: House) -> None:
    live(house, age=timedelta(seconds=30))

    rows = {row["check"]: row for row in oto.json("doctor", exit_code=1)}

    failed = {name for name, row in rows.items() if row["result"] == "failed"}
    assert failed == {"prices", "orders", "worker", "beat", "roles"}
    assert rows["keys"]["result"] == "skipped"
    assert "no echo from maintenance, market, trading" in rows["worker"]["detail"]
    assert all("`oto up`" in rows[name]["advice"] for name in failed)


def test_where_nothing_runs_it_says_how_to_start(
    oto: Oto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in oto.environment:
        monkeypatch.delenv(name)
    alone = Oto(tmp_path, {"OTO_HOME": str(tmp_path / "nothing")})

    rows = {row["check"]: row for row in alone.json("doctor", exit_code=1)}

    assert {name for name, row in rows.items() if row["result"] == "failed"} == {
        "database",
        "redis",
        "exchange",
    }
    assert "Start it with `oto up`" in rows["database"]["detail"]
    assert rows["worker"] == {
        "check": "worker",
        "result": "skipped",
        "ms": rows["worker"]["ms"],
        "detail": "needs redis",
        "advice": "",
    }
    assert not (tmp_path / "nothing").exists()


def test_a_wrong_setting_skips_the_rest(oto: Oto) -> None:
    wrong = oto.but(OTO_REDIS_ULR="redis://127.0.0.1")

    found = results(wrong, exit_code=1)

    assert found.pop("settings") == "failed"
    assert set(found.values()) == {"skipped"}
    assert "did you mean OTO_REDIS_URL" in wrong("doctor").stdout


def test_only_the_named_checks_are_shown_and_count(oto: Oto) -> None:
    rows = oto.json("doctor", "--only", "redis", "--only", "exchange", exit_code=0)

    assert [(row["check"], row["result"]) for row in rows] == [("redis", "ok"), ("exchange", "ok")]
    assert oto("doctor", "--only", "nonsense").exit_code == 2


def test_a_session_that_no_key_opens_is_found(oto: Oto, house: House) -> None:
    oto.json("user", "add", "ann")
    house.users.keep_credentials(
        house.users.named("ann"), Fernet(Fernet.generate_key()).encrypt(b"{}")
    )
    other = oto.but(OTO_MASTER_KEY=Fernet.generate_key().decode())

    rows = other.json("doctor", "--only", "keys", exit_code=1)

    assert "do not open the sessions of ann" in rows[0]["detail"]


def test_a_user_without_a_session_is_found(oto: Oto) -> None:
    oto.json("user", "add", "ann")

    rows = oto.json("doctor", "--only", "users", exit_code=1)

    assert rows[0]["detail"] == "no session is stored for ann"


def test_an_exchange_that_turns_us_away_is_found(oto: Oto, market: Exchange) -> None:
    market.fault("firewall")

    assert results(oto, "--only", "exchange", "--only", "clock", exit_code=1) == {
        "exchange": "failed",
        "clock": "skipped",
    }


def test_the_exchanges_clock_is_read_from_the_date_of_an_answer(market: Exchange) -> None:
    theirs = server_date(market.rest, DEFAULT_LIMITS)

    assert abs(datetime.now(UTC) - theirs) < timedelta(seconds=5)
    with pytest.raises(ExchangeError):
        server_date("http://127.0.0.1:9", DEFAULT_LIMITS)


def test_a_sign_of_life_is_kept_for_each_name(house: House) -> None:
    beats, at = Beats(house.redis), datetime(2026, 1, 1, 12, 0, 0, 250, tzinfo=UTC)
    assert beats.last("this") is None

    beats.beat("this", at)

    assert (beats.last("this"), beats.last("that")) == (at, None)
