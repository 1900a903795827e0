"""`oto job log`, `replay` and `explain`, on a job that a simulated exchange let trade."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from oto.bootstrap import House
from tests.cli import Oto, trading
from tests.simulated import Exchange

pytestmark = pytest.mark.integration

TWO_CYCLES = ("--token", "AITECH", "--volume", "40", "--order-size", "20")


@pytest.fixture
def house(oto: Oto, market: Exchange) -> Iterator[House]:
    """A house that takes the turns of jobs, of a user with a session."""
    oto.json("user", "add", "ann")
    oto.json("user", "login", "ann", "--from-file", oto.login_file(market, "ann"))
    with trading(market) as working:
        yield working


@pytest.fixture
def number(oto: Oto, house: House) -> int:
    """A job that is completed."""
    del house
    started: int = oto.json("job", "start", "--user", "ann", *TWO_CYCLES)["job_id"]
    assert oto("job", "watch", started).exit_code == 0
    return started


def test_a_job_that_traded_is_replayed_from_here_and_from_its_file(oto: Oto, number: int) -> None:
    files = [oto.home / "job.jsonl", oto.home / "job.jsonl.gz"]
    here = oto.json("job", "replay", number)

    assert (here["whole"], here["differences"], here["first_difference"]) == (True, 0, None)
    assert here["decisions"] >= 3
    for file in files:
        assert oto.json("job", "log", number, "--export", file)["entries"] == here["entries"]
        assert oto.json("job", "replay", "--file", file) == here
    assert files[1].stat().st_size < files[0].stat().st_size / 4
    assert "is whole" in oto("job", "replay", number).stdout


def test_every_way_to_change_a_log_in_the_database_is_found(
    oto: Oto, number: int, house: House
) -> None:
    length = oto.json("job", "replay", number)["entries"]
    changes = {
        "DELETE FROM events WHERE id = (SELECT max(id) FROM events)": length,
        "UPDATE events SET kind = 'looked' WHERE number = 7": 7,
        "UPDATE events SET body = body || '{\"terms\": false}' WHERE number = 4": 4,
        "UPDATE events SET at = at + interval '1 second' WHERE number = 3": 3,
        "DELETE FROM events WHERE number > 2": 3,
    }
    for change, amiss in changes.items():
        with house.engine.begin() as connection:
            connection.exec_driver_sql(change)
        assert oto.json("job", "replay", number, exit_code=1)["first_amiss"] == amiss
    shown = oto("job", "replay", number)
    assert shown.exit_code == 1
    assert "is not whole: its end is missing, from entry 3 on" in shown.stdout


def test_entries_from_before_a_chain_that_began_with_its_job_are_found(
    oto: Oto, number: int, house: House
) -> None:
    with house.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO events (id, at, job_id, kind, body) OVERRIDING SYSTEM VALUE "
            f"VALUES (0, now(), {number}, 'looked', '{{}}')"
        )

    assert oto.json("job", "replay", number, exit_code=1)["first_amiss"] == 1


def test_a_decision_that_differs_is_shown_side_by_side(oto: Oto, number: int, house: House) -> None:
    with house.engine.begin() as connection:
        changed = text(
            "UPDATE events SET body = jsonb_set(body, '{view,situation,tick,ask,price}', "
            "'\"0.2272\"') WHERE body->>'decided' = 'Place' AND number < 9"
        )
        assert connection.execute(changed).rowcount == 1

    shown = oto("job", "replay", number)
    told = oto.json("job", "replay", number, exit_code=1)

    assert shown.exit_code == 1
    assert "1 of " in shown.stdout
    assert "approved.order.working_price" in shown.stdout
    assert "0.22718160" in shown.stdout
    assert told["differences"] == 1
    assert "approved.order.working_price" in told["first_difference"]["fields"]


def test_a_job_is_explained_cycle_by_cycle(oto: Oto, number: int) -> None:
    whole = oto("job", "explain", number).stdout
    second = oto.json("job", "explain", number, "--cycle", "2")["parts"]

    for words in ("Started on", "Cycle 1, settled", "were left to buy", "bps above the ask"):
        assert words in whole
    assert "The target is reached" in whole
    assert [part["cycle"] for part in second] == [2]
    assert "cost 0.0" in second[0]["sentences"][-1]["text"]
    assert "no cycle 9" in oto.refused("job", "explain", number, "--cycle", "9")


def test_a_foreign_file_is_refused_with_a_sentence(oto: Oto, tmp_path: Path) -> None:
    contents = {
        "empty.jsonl": b"",
        "text.jsonl": b"hello\n",
        "other.jsonl": b'{"job_id": "x"}\n',
        "entry.jsonl": b'{"job_id":1,"length":1,"hash":""}\n{"kind":"decided"}\n',
        "binary.jsonl": b"\xff\xfe\x00",
        "plain.jsonl.gz": b"hello",
        "cut.jsonl.gz": b"\x1f\x8b\x08\x00",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        for command in ("replay", "explain"):
            said = oto.refused("job", command, "--file", tmp_path / name)
            assert "is not" in said
            assert said.count("\n") == 1
    assert "There is no job 9" in oto.refused("job", "replay", "9")
    assert "either" in oto.refused("job", "replay", exit_code=2)


def test_the_log_of_a_job_that_ended_long_ago_is_dropped_whole(
    oto: Oto, number: int, house: House
) -> None:
    house.ledger.prune()
    assert oto.json("job", "log", number)
    with house.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET ended_at = now() - interval '91 days'"))

    house.ledger.prune()

    assert oto.json("job", "log", number) == []
    assert "has no log any more" in oto.refused("job", "replay", number)
    assert oto.json("job", "show", number)["cycles"] == 2
