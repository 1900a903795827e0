"""`oto reconcile` as a person runs it: tables, JSON and the exit code."""

from decimal import Decimal
from typing import Any

import pytest

from oto.bootstrap import open_house
from tests.cli import Oto, tick, trading
from tests.simulated import AITECH, PLACE, Exchange, payment, plain_body

pytestmark = pytest.mark.integration


@pytest.fixture
def ann(oto: Oto, market: Exchange) -> str:
    """A user with a session and a job that has reached its target."""
    oto.json("user", "add", "ann")
    oto.json("user", "login", "ann", "--from-file", oto.login_file(market, "ann"))
    with trading(market):
        asked = ("--token", "AITECH", "--volume", "20", "--order-size", "20")
        number = oto.json("job", "start", "--user", "ann", *asked)["job_id"]
        assert oto("job", "watch", number).exit_code == 0
    return "ann"


def place_by_hand(market: Exchange) -> None:
    headers = market.add_user("ann")
    body = plain_body("BUY", "0.21000000", "50", payment("0.21000000", "50"))
    assert market.post(PLACE, headers, body)["success"]


def test_what_agrees_is_counted_and_what_is_not_ours_is_shown(
    oto: Oto, market: Exchange, ann: str
) -> None:
    place_by_hand(market)

    said = oto("reconcile", "--user", ann)

    assert said.exit_code == 0
    assert "not ours" in said.stdout
    assert "2 finished orders of the last day agree" in said.stdout
    assert "AITECH" in said.stdout


def test_json_has_every_order_and_token_with_its_verdict(oto: Oto, ann: str) -> None:
    (found,) = oto.json("reconcile")

    assert (found["user"], found["problem"], found["needs_human"]) == (ann, None, False)
    assert {one["verdict"] for one in found["orders"]} == {"agrees"}
    assert len(found["orders"]) == 2
    (token,) = found["tokens"]
    assert (token["held_by_cycles"], token["short"]) == ("0", False)
    assert Decimal(token["rest"]) == 0


def test_what_a_human_has_to_do_is_said_and_the_exit_code_tells(oto: Oto, ann: str) -> None:
    del ann
    house = open_house()
    with house.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM fills WHERE side = 'SELL'")
    house.close()

    said = oto("reconcile")
    (found,) = oto.json("reconcile", exit_code=1)

    assert said.exit_code == 1
    assert "the exchange is ahead (" in said.stdout
    assert "To do: " in said.stdout
    assert found["needs_human"]


def test_a_user_that_cannot_be_read_is_a_problem_of_its_own(oto: Oto, ann: str) -> None:
    oto.json("user", "add", "out")

    found: list[dict[str, Any]] = oto.json("reconcile", exit_code=1)

    assert [one["user"] for one in found] == [ann, "out"]
    assert found[0]["problem"] is None
    assert "oto user login out" in found[1]["problem"]
    assert "oto user login out" in oto("reconcile", "--user", "out").stdout


def test_without_users_it_says_so(oto: Oto) -> None:
    assert "There are no users yet" in oto("reconcile").stdout
    assert "There is no user bob" in oto.refused("reconcile", "--user", "bob")


def test_a_lost_order_is_brought_up_to_date_unless_only_observing(
    oto: Oto, market: Exchange
) -> None:
    oto.json("user", "add", "bob")
    oto.json("user", "login", "bob", "--from-file", oto.login_file(market, "bob"))
    market.fault("answer_lost_after", endpoint="place_oto", count=1)
    market.set_book(AITECH, bids=[["0.20000000", "9"]], asks=[["0.30000000", "9"]])
    asked = ("--token", "AITECH", "--volume", "20", "--order-size", "20")
    number = oto.json("job", "start", "--user", "bob", *asked)["job_id"]
    house = open_house()
    house.ticks.write([tick()])
    (wake,) = house.ledger.due(5)
    house.advance(wake)
    house.close()
    house.redis.close()

    (observed,) = oto.json("reconcile", "--user", "bob", "--observe")
    said = oto("reconcile", "--user", "bob")
    (after,) = oto.json("reconcile", "--user", "bob")

    assert [one["verdict"] for one in observed["orders"]] == ["adopted"]
    assert observed["changes"] == []
    assert f"Job {number}, cycle 1 was unknown and is open." in said.stdout
    assert {one["verdict"] for one in after["orders"]} == {"agrees"}


def test_writing_off_asks_and_is_refused_while_nothing_is_missing(oto: Oto, ann: str) -> None:
    del ann

    assert "holds no tokens" in oto.refused("job", "write-off", 1)
    assert "say --yes too" in oto.refused("job", "write-off", 1, "--json", exit_code=2)
    assert "There is no job 9" in oto.refused("job", "write-off", 9)
