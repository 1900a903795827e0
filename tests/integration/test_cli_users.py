"""`oto user` and `oto db`, on real servers and a simulated exchange."""

import json
import os
import pty
import sys
from contextlib import nullcontext
from pathlib import Path

import click
import pytest

from cli import main
from oto.bootstrap import House, open_house
from oto.infrastructure import servers
from tests.cli import Oto, restored_logging
from tests.simulated import Exchange

pytestmark = pytest.mark.integration

NOWHERE = "http://127.0.0.1:9"


def test_a_user_is_added_logged_in_and_listed(oto: Oto, market: Exchange) -> None:
    assert "There are no users yet" in oto("user", "list").stdout
    added = oto.json("user", "add", "ann")
    login = oto.json("user", "login", "ann", "--from-file", oto.login_file(market, "ann"))

    assert added["logged_in_at"] is None
    assert login == {
        "user": "ann",
        "stored": True,
        "session": "alive",
        "terms_accepted": True,
        "detail": "",
    }
    listed = oto.json("user", "list")
    assert [user["user"] for user in listed] == ["ann"]
    assert listed[0]["logged_in_at"].endswith("+00:00")
    assert "ann" in oto("user", "list").stdout


def test_a_name_that_is_taken_unknown_or_unfit_is_one_sentence(oto: Oto) -> None:
    oto.json("user", "add", "ann")

    assert "There is a user ann already" in oto.refused("user", "add", "ann")
    assert "letters, digits" in oto.refused("user", "add", "not good")
    assert "There is no user bob" in oto.refused("user", "logout", "bob")


def test_a_login_comes_from_stdin_as_a_copied_command(oto: Oto, market: Exchange) -> None:
    oto.json("user", "add", "ann")
    sent = market.add_user("ann")
    headers = " ".join(f"-H '{name}: {value}'" for name, value in sent.items())

    ended = oto("user", "login", "ann", given=f"curl 'https://x/bapi/private/y' {headers}")

    assert ended.exit_code == 0, ended.output
    assert "It is alive" in ended.stdout


def test_one_of_several_users_of_a_file_is_chosen(oto: Oto, market: Exchange) -> None:
    oto.json("user", "add", "ann")
    file = oto.login_file(market, "sim")
    users = [{"name": name, **market.credentials(name)} for name in ("one", "two")]
    file.write_text(json.dumps({"users": users}))

    oto.json("user", "login", "ann", "--from-file", file, "--entry", "two")

    kept = open_house()
    sealed = kept.users.sealed(kept.users.named("ann").user_id)
    kept.close()
    assert sealed is not None
    cookie = kept.vault.open(sealed).reveal_headers()["cookie"]
    assert users[1]["cookies"]["p20t"] in cookie


def test_what_is_no_login_is_refused_and_says_why(oto: Oto) -> None:
    oto.json("user", "add", "ann")
    file = oto.home / "login"

    def said(text: str, mode: int = 0o600) -> str:
        file.write_text(text)
        file.chmod(mode)
        return oto.refused("user", "login", "ann", "--from-file", file, exit_code=2)

    assert "chmod 600" in said("{}", 0o644)
    assert "not JSON" in said("{")
    assert "The cookie p20t" in said("cookie: cr00=1")
    assert "Its list of users is empty" in said('{"users": []}')
    assert oto.json("user", "list")[0]["logged_in_at"] is None


def test_a_session_that_is_over_does_not_replace_the_one_before(
    oto: Oto, market: Exchange, ann: str
) -> None:
    before = oto.json("user", "list")
    market.fault("session_expired")

    sentence = oto.refused("user", "login", ann, "--from-file", oto.login_file(market, "ann"))

    assert "this session is over" in sentence
    assert oto.json("user", "list") == before


def test_a_session_that_could_not_be_tried_is_stored_and_that_is_said(
    oto: Oto, market: Exchange
) -> None:
    oto.json("user", "add", "ann")

    login = oto.but(OTO_REST_URL=NOWHERE).json(
        "user", "login", "ann", "--from-file", oto.login_file(market, "ann")
    )

    assert (login["stored"], login["session"]) == (True, "not_checked")
    assert "no connection" in login["detail"]


def test_no_command_shows_a_part_of_a_session(oto: Oto, market: Exchange, ann: str) -> None:
    session = market.credentials("ann")
    shown = "".join(
        oto(*command.split()).output
        for command in ("user list", "user balance", f"user login {ann}", "doctor", "--debug job")
    )

    secrets = [*session["cookies"].values(), session["headers"]["csrftoken"]]
    assert not [secret for secret in secrets if len(secret) > 1 and secret in shown]


def test_balances_are_read_now_and_the_last_ones_shown_when_that_fails(
    oto: Oto, market: Exchange, ann: str
) -> None:
    market.add_user("ann", funding="70.5", earn="20", tokens={"ALPHA_373": "100"})

    now = oto.json("user", "balance", ann)[0]
    later = oto.but(OTO_REST_URL=NOWHERE).json("user", "balance")[0]

    held = {(one["wallet"], one["ticker"]): one for one in now["positions"]}
    assert now["problem"] is None
    assert held["funding", "USDT"]["free"] == "70.5"
    assert held["earn", "USDT"]["value_usdt"] == "20.00000000"
    assert (later["positions"], later["read_at"]) == (now["positions"], now["read_at"])
    assert "no connection" in later["problem"]
    assert held["alpha", "ALPHA_373"]["price_usdt"] is None  # no list was read yet


def test_tokens_are_valued_by_the_list(oto: Oto, market: Exchange, ann: str) -> None:
    market.add_user("ann", funding="0", tokens={"ALPHA_373": "100"})
    with_list(oto)

    shown = oto.json("user", "balance", ann)[0]

    assert [one["ticker"] for one in shown["positions"] if one["wallet"] == "alpha"] == ["AITECH"]
    assert 20 < float(shown["total_usdt"]) < 25
    assert "AITECH" in oto("user", "balance", ann).stdout


def with_list(oto: Oto) -> None:
    """Make the token list be read, as a job of an unknown token does."""
    oto.refused(
        *("job", "start", "--user", "ann", "--token", "NONE", "--volume", "1", "--order-size", "1")
    )


def test_a_logged_out_user_has_no_session_and_can_be_removed(oto: Oto, ann: str) -> None:
    assert oto("user", "logout", ann).exit_code == 0
    assert oto.json("user", "list")[0]["logged_in_at"] is None
    assert "no session is stored" in oto.json("user", "balance")[0]["problem"]

    assert oto("user", "remove", ann).exit_code == 0
    assert oto.json("user", "list") == []


def test_where_nobody_can_type_acknowledging_demands_to_say_so(oto: Oto, ann: str) -> None:
    refused = oto("user", "acknowledge", ann)
    assert refused.exit_code == 2
    assert "2025-06-04" in refused.stdout
    assert oto.json("user", "list")[0]["acknowledged_at"] is None

    assert oto("user", "acknowledge", ann, "--i-understand").exit_code == 0
    assert oto.json("user", "list")[0]["acknowledged_at"] is not None


@pytest.mark.parametrize(("typed", "accepted"), [("ann", True), ("yes", False)])
def test_in_a_terminal_acknowledging_asks_to_type_the_name(
    oto: Oto, ann: str, monkeypatch: pytest.MonkeyPatch, typed: str, *, accepted: bool
) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n".encode())
    with os.fdopen(theirs) as terminal, monkeypatch.context() as patched, restored_logging():
        patched.setattr(sys, "stdin", terminal)
        expected = nullcontext() if accepted else pytest.raises(click.ClickException)
        with expected:
            main(["user", "acknowledge", ann], standalone_mode=False)
    os.close(ours)

    assert (oto.json("user", "list")[0]["acknowledged_at"] is not None) is accepted


def test_a_database_that_was_not_migrated_is_told_and_mended(oto: Oto) -> None:
    house = open_house()
    _forget_schema(house)

    assert "run `oto db upgrade`" in oto.refused("user", "list")
    status = oto.json("db", "status", exit_code=1)
    assert (status["current"], status["up_to_date"]) == (None, False)
    assert oto.json("db", "upgrade")["current"] == status["needed"]
    assert oto.json("db", "status")["up_to_date"] is True
    assert oto.json("user", "list") == []


def _forget_schema(house: House) -> None:
    with house.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    house.close()


def test_users_can_be_kept_before_anything_runs(
    oto: Oto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "new"
    alone = Oto(home, {"OTO_HOME": str(home)})
    for name in oto.environment.keys() - alone.environment.keys():
        monkeypatch.delenv(name)

    alone.json("user", "add", "ann")

    assert [user["user"] for user in alone.json("user", "list")] == ["ann"]
    assert servers.running(home) is None
    assert "Start it with `oto up`" in alone.refused("job", "stop", "--all")


def test_a_database_that_is_away_is_one_sentence(oto: Oto) -> None:
    away = oto.but(OTO_DATABASE_URL="postgresql://nobody:secret@127.0.0.1:9/none")

    sentence = away.refused("user", "list")

    assert "the database cannot be reached" in sentence
    assert "secret" not in sentence
