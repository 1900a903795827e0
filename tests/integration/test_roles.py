"""Roles on a real database: one holder at a time, tokens that rise, stand-bys that take over."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, text
from structlog.testing import capture_logs

from oto.infrastructure.database.engine import make_engine
from oto.infrastructure.database.roles import LENGTH, Role, Roles
from tests.conftest import Migrated
from tests.servers import database_of, for_psycopg
from workers.standby import holding

pytestmark = pytest.mark.integration

PATIENCE_S = 15


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def roles(engine: Engine) -> Roles:
    return Roles(engine)


def wait_until(met: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def fall_silent(engine: Engine) -> None:
    """Let time pass for every holder."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE roles SET until = now() - interval '1 millisecond'"))


def test_a_role_that_is_held_is_not_taken(roles: Roles) -> None:
    assert roles.take(Role.BEAT) == 1
    assert roles.take(Role.BEAT) is None
    assert roles.take(Role.PRICES) == 1
    assert roles.keep(Role.BEAT, 1)


def test_a_role_given_back_is_taken_at_once_with_the_next_token(roles: Roles) -> None:
    assert roles.take(Role.BEAT) == 1
    roles.give_back(Role.BEAT, 1)
    assert [one.held for one in roles.holders()] == [False]
    assert roles.take(Role.BEAT) == 2


def test_a_silent_holder_is_replaced_and_learns_it(roles: Roles, engine: Engine) -> None:
    assert roles.take(Role.BEAT) == 1
    fall_silent(engine)
    assert roles.take(Role.BEAT) == 2
    assert not roles.keep(Role.BEAT, 1)
    roles.give_back(Role.BEAT, 1)
    assert [(one.token, one.held) for one in roles.holders()] == [(2, True)]
    assert roles.keep(Role.BEAT, 2)


def test_a_silent_holder_that_nobody_replaced_goes_on(roles: Roles, engine: Engine) -> None:
    assert roles.take(Role.BEAT) == 1
    fall_silent(engine)
    assert roles.keep(Role.BEAT, 1)
    assert roles.take(Role.BEAT) is None


def test_of_many_that_race_for_a_role_one_gets_it(roles: Roles, engine: Engine) -> None:
    for round_number in range(1, 21):
        taken: list[int | None] = []
        racers = [
            threading.Thread(target=lambda: taken.append(roles.take(Role.BEAT)))  # noqa: B023
            for _ in range(6)
        ]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert [token for token in taken if token is not None] == [round_number]
        fall_silent(engine)


def test_a_stand_by_says_so_once_and_follows_a_clean_stop(roles: Roles) -> None:
    assert roles.take(Role.BEAT) == 1
    stopping, tokens = threading.Event(), list[int | None]()

    def stand_by() -> None:
        with holding(roles, Role.BEAT, stopping) as token:
            tokens.append(token)

    with capture_logs() as logs:
        thread = threading.Thread(target=stand_by)
        thread.start()
        wait_until(lambda: logs)
        time.sleep(0.6)  # it looks again, and has nothing new to say
        roles.give_back(Role.BEAT, 1)
        thread.join(PATIENCE_S)

    assert tokens == [2]
    assert [log["event"] for log in logs] == ["stands_by", "role_taken"]
    assert [one.held for one in roles.holders()] == [False]


def test_a_stand_by_that_is_stopped_never_had_the_role(roles: Roles) -> None:
    assert roles.take(Role.BEAT) == 1
    stopping = threading.Event()
    threading.Timer(0.1, stopping.set).start()

    with holding(roles, Role.BEAT, stopping) as token:
        assert token is None

    assert roles.keep(Role.BEAT, 1)


def test_a_holder_in_whose_place_another_is_found_ends(roles: Roles, engine: Engine) -> None:
    lost = threading.Event()

    def taken_over() -> bool:
        fall_silent(engine)
        return roles.take(Role.BEAT) is not None

    with capture_logs() as logs, holding(roles, Role.BEAT, threading.Event(), lost.set):
        wait_until(taken_over)
        wait_until(lost.is_set)

    assert "role_lost" in [log["event"] for log in logs]
    assert [(one.token, one.held) for one in roles.holders()] == [(2, True)]


def test_a_holder_without_a_database_goes_on_and_renews_when_it_is_back(
    roles: Roles, engine: Engine, migrated: Migrated, database_url: str
) -> None:
    lost = threading.Event()
    with (
        capture_logs() as logs,
        psycopg.connect(for_psycopg(migrated.urls.database_url), autocommit=True) as other,
        holding(roles, Role.BEAT, threading.Event(), lost.set),
    ):
        admit(other, database_url, allowed=False)
        wait_until(lambda: "role_not_renewed" in [log["event"] for log in logs])
        admit(other, database_url, allowed=True)
        fall_silent(engine)
        wait_until(lambda: [one.held for one in roles.holders()] == [True])

    assert not lost.is_set()
    assert [log["event"] for log in logs] == ["role_taken", "role_not_renewed"]


def test_after_an_outage_of_the_database_the_holder_is_quicker_than_its_stand_by(
    roles: Roles, migrated: Migrated, database_url: str
) -> None:
    stopping, lost = threading.Event(), threading.Event()

    def stand_by() -> None:
        with holding(roles, Role.BEAT, stopping) as token:
            assert token is None

    thread = threading.Thread(target=stand_by)
    with (
        capture_logs() as logs,
        psycopg.connect(for_psycopg(migrated.urls.database_url), autocommit=True) as other,
        holding(roles, Role.BEAT, threading.Event(), lost.set),
    ):
        thread.start()
        put_out(other, database_url, logs)
        wait_until(lambda: said(logs, "stands_by", "beat: ") == 2)
        stopping.set()
        thread.join(PATIENCE_S)

    assert not lost.is_set()
    assert [one.token for one in roles.holders()] == [1]


def put_out(other: psycopg.Connection[Any], url: str, logs: Sequence[Mapping[str, object]]) -> None:
    """Put everyone out of the database for longer than a role is lent."""
    wait_until(lambda: said(logs, "stands_by", "beat: ") == 1)
    admit(other, url, allowed=False)
    wait_until(lambda: said(logs, "role_not_renewed") and said(logs, "stands_by", "be reached"))
    time.sleep(LENGTH.total_seconds())
    admit(other, url, allowed=True)


def said(logs: Sequence[Mapping[str, object]], event: str, why: str = "") -> int:
    return sum(log["event"] == event and why in str(log.get("why", "")) for log in logs)


def admit(other: psycopg.Connection[Any], url: str, *, allowed: bool) -> None:
    """Let clients into a database, or put them all out."""
    name = database_of(url)
    other.execute(
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), allowed)
    )
    if not allowed:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
