"""`oto job`, with turns taken as a worker takes them, against a simulated exchange."""

import json
import time
from decimal import Decimal

import pytest

from oto.bootstrap import House
from oto.domain import wear
from oto.domain.job import JobId
from oto.interface.cli import job_wishes
from tests.cli import Oto
from tests.simulated import AITECH, Exchange

pytestmark = pytest.mark.integration

SMALL = ("--token", "AITECH", "--volume", "20", "--order-size", "20")
ENDLESS = ("--token", "AITECH", "--volume", "1000000", "--order-size", "20")


def start(oto: Oto, *arguments: str) -> int:
    number: int = oto.json("job", "start", "--user", "ann", *arguments)["job_id"]
    return number


@pytest.mark.usefixtures("house")
def test_a_job_is_started_watched_to_its_end_and_shown(oto: Oto) -> None:
    two = ("--token", "ALPHA_373", "--volume", "40", "--order-size", "20")
    started = oto.json("job", "start", "--user", "ann", *two)
    number = started["job_id"]
    watched = oto("job", "watch", number)
    shown, log = oto.json("job", "show", number), oto.json("job", "log", number, "-n", "500")

    assert (started["cycles_needed"], started["least_fees_usdt"]) == (2, "0.00800000")
    assert watched.exit_code == 0
    assert "100.0 %" in watched.stdout.splitlines()[-1]
    assert (shown["state"], shown["flat"], shown["cycles"]) == ("completed", True, 2)
    assert Decimal(shown["bought_usdt"]) >= 40
    assert Decimal(shown["wear_bps"]) > 2
    assert [cycle["phase"] for cycle in shown["newest_cycles"]] == ["settled", "settled"]
    assert (log[0]["number"], log[0]["event"]) == (1, "job_started")
    assert oto.json("job", "list") == []
    assert [job["job_id"] for job in oto.json("job", "list", "--all")] == [number]


@pytest.mark.usefixtures("house")
def test_what_people_see_says_the_same_in_words(oto: Oto) -> None:
    number = start(oto, *SMALL)
    oto("job", "watch", number)

    words = oto("job", "show", number).stdout + oto("job", "log", number).stdout
    listed = oto("job", "list", "--all", "--user", "ann").stdout

    assert "ann buys AITECH (ALPHA_373USDT)" in words
    assert "20 USDT" in words
    assert "100.00 %" in words
    assert "settled" in words
    assert "job_changed" in words
    assert "completed" in listed


@pytest.mark.usefixtures("house")
def test_every_line_of_watching_is_json_if_that_is_asked_for(oto: Oto) -> None:
    number = start(oto, *SMALL)

    lines = oto("job", "watch", "--json", number).stdout.splitlines()

    assert json.loads(lines[-1])["state"] == "completed"
    assert {json.loads(line)["job_id"] for line in lines} == {number}


@pytest.mark.usefixtures("house")
def test_a_terminal_shows_a_table_that_moves(oto: Oto) -> None:
    number = start(oto, *SMALL)

    shown = oto.but(FORCE_COLOR="1")("job", "watch", number)

    assert shown.exit_code == 0
    assert "\x1b[?25l" in shown.stdout  # the cursor is hidden while it moves
    assert "completed" in shown.stdout


def test_a_job_that_could_not_trade_is_refused_with_the_way_out(oto: Oto, ann: str) -> None:
    oto.json("user", "add", "out")

    def said(user: str, token: str, size: str) -> str:
        asked = ("--user", user, "--token", token, "--volume", "1", "--order-size", size)
        return oto.refused("job", "start", *asked)

    assert "There is no user bob" in said("bob", "AITECH", "1")
    assert "oto user login out" in said("out", "AITECH", "1")
    assert "The exchange lists no token NONE" in said(ann, "NONE", "1")
    assert "takes; ask for 0.1 or more" in said(ann, "AITECH", "0.01")
    assert "cannot be traded now" in said(ann, "AIXBT", "1")
    assert oto.json("job", "list", "--all") == []


def test_a_job_has_exactly_one_target(oto: Oto, ann: str) -> None:
    asked = ("job", "start", "--user", ann, "--token", "AITECH", "--order-size", "1")

    for targets in ([], ["--volume", "1", "--points", "3"]):
        assert "exactly one of" in oto.refused(*asked, *targets, exit_code=2)


def test_live_trading_is_refused_until_it_is_acknowledged(oto: Oto, ann: str) -> None:
    live = oto.but(OTO_EXCHANGE="live")
    assert "oto user acknowledge ann" in live.refused("job", "start", "--user", ann, *SMALL)

    live("user", "acknowledge", ann, "--i-understand")

    assert live.json("job", "start", "--user", ann, *SMALL)["state"] == "running"


@pytest.mark.usefixtures("house")
def test_points_count_what_the_exchange_has_of_this_day(oto: Oto) -> None:
    oto("job", "watch", start(oto, *SMALL))
    points = ("--token", "AITECH", "--order-size", "20", "--points")

    refused = oto.refused("job", "start", "--user", "ann", *points, "4")
    started = oto.json("job", "start", "--user", "ann", *points, "6")

    assert "which is 4 points already" in refused
    assert 43 < Decimal(started["remaining_usdt"]) <= 44  # 2^6 less what was bought
    assert started["target_day"] is not None


@pytest.mark.usefixtures("house")
def test_a_job_is_paused_resumed_and_stopped_and_each_is_verified(oto: Oto) -> None:
    number = start(oto, *ENDLESS)

    paused = oto.json("job", "pause", number, "--wait")[0]
    resumed = oto.json("job", "resume", "--user", "ann", "--wait")[0]
    stopped = oto.json("job", "stop", "--all", "--wait")[0]

    assert (paused["state"], paused["flat"], paused["as_wished"]) == ("paused", True, True)
    assert (resumed["state"] in {"running", "waiting"}, resumed["as_wished"]) == (True, True)
    assert (stopped["state"], stopped["flat"], stopped["as_wished"]) == ("stopped", True, True)
    assert f"Job {number} is stopped; flat." in oto("job", "stop", number, "--wait").stdout
    assert "no job to be stopped" in oto("job", "stop", "--all").stdout


def test_without_a_worker_a_wish_is_kept_and_said_to_be_open(
    oto: Oto, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ann
    monkeypatch.setattr(job_wishes, "WITHIN_S", 0.3)
    number = start(oto, *SMALL)

    later = oto("job", "pause", number, "--no-wait")
    waited = oto("job", "pause", number, "--wait")

    assert (later.exit_code, waited.exit_code) == (0, 1)
    assert f"Job {number} is to be paused" in later.stdout
    assert "`oto doctor` says whether a worker runs" in waited.stdout
    assert "running, pausing" in oto("job", "list").stdout


@pytest.mark.usefixtures("house")
def test_a_job_that_has_ended_does_not_go_on(oto: Oto) -> None:
    number = start(oto, *SMALL)
    oto("job", "watch", number)

    ended = oto("job", "resume", number)

    assert ended.exit_code == 1
    assert "is completed; start another" in ended.stdout


def test_two_jobs_of_a_user_on_one_token_are_refused(oto: Oto, ann: str) -> None:
    start(oto, *SMALL)

    assert "stop it first" in oto.refused("job", "start", "--user", ann, *SMALL)


def test_which_jobs_are_meant_is_said_in_one_way(oto: Oto) -> None:
    for command in ("pause", "resume", "stop"):
        assert "by their numbers" in oto.refused("job", command, exit_code=2)
        assert "by their numbers" in oto.refused("job", command, "1", "--all", exit_code=2)
        assert "There is no job 7" in oto.refused("job", command, "7")


def test_an_unfinished_cycle_is_shown_with_its_orders_and_what_it_holds(
    oto: Oto, house: House, market: Exchange
) -> None:
    # The buy is filled; its sell finds no buyer.
    market.set_book(AITECH, bids=[["0.20000000", "1"]], asks=[["0.22700000", "1000000"]])
    number = start(oto, *SMALL)
    while not (cycle := house.jobs.view(JobId(number)).cycle) or not cycle.exposure:
        time.sleep(0.02)

    shown = oto.json("job", "show", number)
    words = oto("job", "show", number).stdout

    assert shown["flat"] is False
    assert Decimal(shown["held"]) > 80
    assert 19 < Decimal(shown["held_value_usdt"]) < 21
    assert Decimal(shown["wear_usdt"]) < 1  # what is held is not lost
    assert [leg["side"] for leg in shown["unfinished_cycle"]["legs"]][:2] == ["BUY", "SELL"]
    assert "Unfinished cycle 1" in words
    assert "worth" in words


@pytest.mark.usefixtures("ann")
def test_the_sums_of_the_database_are_those_of_the_cycles(oto: Oto, house: House) -> None:
    number = JobId(start(oto, *ENDLESS))
    while house.jobs.view(number).finished < 2:
        time.sleep(0.02)
    oto("job", "pause", number, "--wait")

    view, cycles = house.jobs.view(number), house.jobs.cycles(number)

    assert view.wear == wear.total(map(wear.of_cycle, cycles))
    assert view.finished == sum(bool(cycle.bought) for cycle in cycles)
    assert house.jobs.cycles(number, newest=1) == cycles[-1:]
