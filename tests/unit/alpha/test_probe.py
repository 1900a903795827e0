"""The command line: `oto exchange probe`, and how errors end."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from oto.domain.errors import UnavailableError
from oto.interface.cli import OneSentenceGroup, main
from tests.unit.alpha import server
from tests.unit.alpha.server import Exchange, Reply
from tests.unit.alpha.test_calls import row
from tests.unit.alpha.wire import NEX, rules_json

pytestmark = pytest.mark.unit

CANARY = "canary-5f0c1d"
BOOK = {"lastUpdateId": 1, "symbol": NEX, "bids": [["2", "1"]], "asks": [["1", "1"]], "E": 1}
TOKEN = {
    "alphaId": "ALPHA_971",
    "symbol": "NEX",
    "name": "Nexus",
    "chainId": "56",
    "contractAddress": "0xab",
    "price": "1",
    "offline": False,
    "offsell": False,
}
DAY = {
    "symbol": NEX,
    "priceChangePercent": "-8.841",
    "weightedAvgPrice": "1",
    "lastPrice": "1.50",
    "openPrice": "1",
    "highPrice": "2",
    "lowPrice": "1",
    "volume": "9",
    "quoteVolume": "9",
    "openTime": 0,
    "closeTime": 1,
    "count": 38,
}
PAGE = {
    "metaInfo": TOKEN,
    "statsInfo": {"volume24h": "9", "liquidity": "9"},
    "priceInfo": {"price": "1.5", "percentChange24h": "268.24"},
}
HELD = {"tokenId": "ALPHA_971", "symbol": "NEX", "free": "3", "valuation": "3"}
PUBLIC = [
    server.ok([TOKEN]),
    server.ok([]),
    server.ok({"symbols": [json.loads(rules_json("ALPHA_971USDT", "ALPHA_971"))]}),
    server.ok(["USDT", "U"]),
    server.ok({"stockAssetList": ["USDT"], "tokenAssetList": []}),
    server.ok({"buyerCommission": 100, "sellerCommission": 100}),
    server.ok(DAY),
    server.ok(BOOK),
    server.ok([]),
    server.ok([]),
    server.ok(PAGE),
    server.ok([]),
]
PRIVATE = [
    server.ok({"email": CANARY}),
    server.ok(True),
    server.ok([]),
    server.ok([]),
    server.ok([]),
    server.ok({"list": [HELD]}),
    server.ok({"tokensAvgCost": [{"token": "ALPHA_971", "avgCost": "0.9"}]}),
    server.ok({"totalVolume": 12.5}),
    server.ok({"sumScore": "182", "startDatetime": 0, "endDatetime": 0, "list": []}),
    server.ok([]),
    server.ok([row(7)], total=1),
    server.ok([]),
    server.ok(f"{CANARY}listenkey"),
]


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code and all that is shown; with --json, what is on stdout."""
    result = CliRunner().invoke(main, ["exchange", "probe", *arguments], env={"COLUMNS": "160"})
    return result.exit_code, result.stdout if "--json" in arguments else result.output


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    users = [
        {"name": "ann", "headers": {}, "cookies": {"cr00": f"{CANARY}1"}},
        {"name": "bob", "headers": {}, "cookies": f"cr00={CANARY}2"},
    ]
    file = tmp_path / "sessions.json"
    file.write_text(json.dumps({"users": users}))
    file.chmod(0o600)
    return file


def test_public_reads_are_made_and_told(exchange: Exchange) -> None:
    exchange.script = [*PUBLIC]
    code, output = run("--base-url", exchange.base_url)
    assert code == 0
    assert len(exchange.seen) == len(PUBLIC)
    assert "bid 2, ask 1, crossed" in output
    assert "buyer 0.01 %, seller 0.01 %" in output
    assert "last 1.5, -8.841 %, 38 trades" in output
    assert "stock: USDT; token: none" in output
    assert "NEX: 1.5 USD, 268.24 %" in output
    assert "\x1b[" not in output


def test_private_reads_are_made_with_credentials_and_show_no_secret(
    exchange: Exchange, sessions: Path
) -> None:
    exchange.script = [*PUBLIC, *PRIVATE]
    code, output = run(
        "--base-url", exchange.base_url, "--credentials", str(sessions), "--user", "bob", "--json"
    )
    rows = json.loads(output)
    assert code == 0
    assert [entry["result"] for entry in rows] == ["ok"] * (len(PUBLIC) + len(PRIVATE))
    assert rows[-1]["summary"] == "received"
    assert CANARY not in output
    assert exchange.seen[-1].headers["cookie"] == f"cr00={CANARY}2"


def test_a_failed_read_is_told_in_a_sentence_and_the_rest_goes_on(exchange: Exchange) -> None:
    exchange.script = [Reply(404)]
    code, output = run("--base-url", exchange.base_url, "--symbol", NEX.lower())
    assert code == 1
    assert output.count("the endpoint may have moved") == 10
    assert output.count("no token of ALPHA_971USDT is listed") == 2
    assert output.endswith(f"Error: {exchange.base_url}: 10 of 10 reads failed.\n")


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (server.html(200), "a web page came instead of an answer (HTTP 200)."),
        (server.refusal("100002001", "over"), "over (code 100002001)."),
    ],
)
def test_what_asking_on_cannot_mend_ends_the_probe(
    exchange: Exchange, sessions: Path, reply: Reply, problem: str
) -> None:
    exchange.script = [server.ok([]), reply]
    code, output = run("--base-url", exchange.base_url, "--credentials", str(sessions))
    assert (code, len(exchange.seen)) == (1, 2)
    assert output.endswith(f": stopped at 'tickers', the rest was not tried: {problem}\n")
    assert "skipped" not in output


def test_an_address_where_nobody_listens_is_told_once() -> None:
    code, output = run("--base-url", "http://127.0.0.1:1")
    assert code == 1
    assert "Error: http://127.0.0.1:1: stopped at 'token list'" in output
    assert output.endswith("no connection (ConnectError).\n")


def test_without_a_symbol_to_ask_for_its_reads_are_skipped(exchange: Exchange) -> None:
    exchange.script = [*PUBLIC[:2], server.ok({"symbols": []}), *PUBLIC[3:5]]
    code, output = run("--base-url", exchange.base_url, "--json")
    assert code == 0
    assert [entry["result"] for entry in json.loads(output)][5:] == ["skipped"] * 7


def test_without_a_token_and_an_order_their_reads_are_skipped(
    exchange: Exchange, sessions: Path
) -> None:
    none = [server.ok({"list": []}), *PRIVATE[7:10], server.ok([], total=0), PRIVATE[12]]
    exchange.script = [*PUBLIC, *PRIVATE[:5], *none]
    code, output = run("--base-url", exchange.base_url, "--credentials", str(sessions), "--json")
    skipped = [one["summary"] for one in json.loads(output) if one["result"] == "skipped"]
    assert code == 0
    assert skipped == ["no token to ask for", "no past order to ask for"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f'{{"{CANARY}', "not JSON: Input data was truncated"),
        (f'["{CANARY}"]', "Expected `object`"),
        (f'{{"headers":{{"lang":"{CANARY}\\n x"}},"cookies":{{"cr00":"1"}}}}', "'lang'"),
        ('{"users":[]}', "empty"),
        (f'{{"headers":{{"lang":"{CANARY}"}}}}', "hold no cookie"),
        (f'{{"cookies":{{"p20t":"{CANARY}"}}}}', "neither the cookie cr00"),
        ('{"users":[{"name":"ann"}]}', "no user of that name"),
    ],
    ids=range(7),
)
def test_a_bad_credentials_file_is_told_without_its_content(
    tmp_path: Path, content: str, problem: str
) -> None:
    file = tmp_path / "file.json"
    file.write_text(content)
    file.chmod(0o600)
    user = ["--user", "zoe"] if "name" in problem else []
    code, output = run("--base-url", "http://127.0.0.1:1", "--credentials", str(file), *user)
    assert code == 2
    assert problem in output
    assert CANARY not in output


def test_a_credentials_file_that_others_may_open_is_refused(sessions: Path) -> None:
    sessions.chmod(0o644)
    code, output = run("--base-url", "http://127.0.0.1:1", "--credentials", str(sessions))
    assert code == 2
    assert f"chmod 600 {sessions}" in output
    assert CANARY not in output


def test_a_bad_base_url_is_told() -> None:
    code, output = run("--base-url", "nonsense")
    assert code == 2
    assert "must look like" in output


def failing(error: BaseException) -> click.Group:
    @click.group(cls=OneSentenceGroup)
    @click.option("--debug", is_flag=True)
    def group(*, debug: bool) -> None:
        del debug

    @group.command()
    def fail() -> None:
        raise error

    return group


@pytest.mark.parametrize("error", [UnavailableError("no\nconnection"), OSError("no connection")])
def test_an_error_ends_as_one_sentence(error: Exception) -> None:
    result = CliRunner().invoke(failing(error), ["fail"])
    assert (result.exit_code, result.output) == (1, "Error: no connection\n")


def test_with_debug_the_error_itself_is_raised() -> None:
    error = UnavailableError("no connection")
    assert CliRunner().invoke(failing(error), ["--debug", "fail"]).exception is error


def test_ctrl_c_ends_with_130() -> None:
    assert CliRunner().invoke(failing(KeyboardInterrupt()), ["fail"]).exit_code == 130


def test_the_version_is_shown() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.startswith("oto, version ")
