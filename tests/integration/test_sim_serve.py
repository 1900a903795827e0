"""`oto sim serve` and `oto exchange probe`, started the way their users do."""

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.waiting import wait_until

pytestmark = pytest.mark.integration

OTO = Path(sys.executable).parent / "oto"
PATIENCE_S = 15


def oto(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "160"}
    return subprocess.run(
        [OTO, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=cwd,
        env=environment,
    )


class Served:
    """A simulator in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process = process
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        self.urls: dict[str, str] = json.loads(line)

    def get(self, path: str) -> Any:  # noqa: ANN401
        return httpx.get(self.urls["rest"] + path, timeout=10).json()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> Served:
        process = subprocess.Popen(
            [OTO, "sim", "serve", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        started.append(process)
        return Served(process)

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_with_zero(
    serve: Callable[..., Served], tmp_path: Path, number: int
) -> None:
    ready = tmp_path / "ready.json"

    served = serve("--ready-file", ready)

    assert json.loads(ready.read_text()) == served.urls
    assert served.get("/sim/health")["stepped"] is False
    assert served.end(number) == 0


def test_time_passes_and_markets_move_by_themselves(serve: Callable[..., Served]) -> None:
    served = serve("--market", "choppy", "--speed", "20")
    path = "/bapi/defi/v1/public/alpha-trade/agg-trades?symbol=ALPHA_971USDT"

    wait_until(lambda: len(served.get(path)["data"]) > 3)

    trades = served.get(path)["data"]
    assert abs(trades[-1]["T"] - time.time() * 1000) < 5_000


def test_users_get_importable_credentials_that_only_their_owner_can_read(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    served = serve("--users", "3", "--balance", "250.5", "--credentials", "users.json")

    path = tmp_path / "users.json"
    users = json.loads(path.read_text())["users"]
    assert [user["name"] for user in users] == ["sim-1", "sim-2", "sim-3"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    accounts = served.get("/sim/truth")["accounts"]
    assert {account["funding"]["free"] for account in accounts} == {"250.5"}


def test_a_tape_is_played_at_its_speed(serve: Callable[..., Served], tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv.gz"
    rows = "".join(f"{1_000 * n},0.000023{n:02},100,{n % 2}\n" for n in range(60))
    tape.write_bytes(gzip.compress(f"ts_ms,price,qty,is_buyer_maker\n{rows}".encode()))

    served = serve(
        *("--tape", f"ALPHA_373USDT={tape}", "--price-scale", "10000"),
        *("--speed", "100", "--market", "none"),
    )
    path = "/bapi/defi/v1/public/alpha-trade/agg-trades?symbol=ALPHA_373USDT"

    wait_until(lambda: len(served.get(path)["data"]) == 60)
    trades = served.get(path)["data"]
    assert trades[0]["p"] == "0.23000000"
    assert 500 <= trades[-1]["T"] - trades[0]["T"] <= 700


def test_faults_come_from_a_file_with_its_seed(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    schedule = {"seed": 5, "faults": [{"kind": "firewall", "endpoint": "token_list", "count": 1}]}
    (tmp_path / "faults.json").write_text(json.dumps(schedule))
    served = serve("--faults", "faults.json")
    path = "/bapi/defi/v1/public/wallet-direct/buw/wallet/cex/alpha/all/token/list"

    answers = [httpx.get(served.urls["rest"] + path).status_code for _ in range(2)]

    assert answers == [403, 200]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tape", "missing.csv"], "cannot open tape missing.csv"),
        (["--tape", "broken.csv"], "broken.csv line 3"),
        (["--tape", "ALPHA_9999USDT=broken.csv"], "no tradable symbol 'ALPHA_9999USDT'"),
        (["--faults", "broken.csv"], "broken.csv is not a fault schedule"),
        (["--speed", "0"], "is not above zero"),
        (["--port", "99999"], "not in the range"),
        (["--users", "-1"], "not in the range"),
        (["--start-ms", "9" * 30], "not in the range"),
        (["--token-list", "broken.csv"], "give both"),
        (["--token-list", "broken.csv", "--exchange-info", "broken.csv"], "not a recorded"),
        (["--host", "203.0.113.7"], "cannot serve"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    broken = "ts_ms,price,qty,is_buyer_maker\n1000,0.23,1,1\n1001,what,1,1\n"
    (tmp_path / "broken.csv").write_text(broken)

    ended = oto("sim", "serve", *arguments, cwd=tmp_path)

    assert ended.returncode != 0
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_the_probe_shows_every_read_of_a_running_exchange(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    served = serve("--users", "1", "--credentials", "users.json")

    ended = oto(
        *("exchange", "probe", "--base-url", served.urls["rest"]),
        *("--credentials", "users.json", "--json"),
        cwd=tmp_path,
    )

    rows = json.loads(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert len(rows) > 15
    session = json.loads((tmp_path / "users.json").read_text())["users"][0]["cookies"]["p20t"]
    assert session not in ended.stdout + ended.stderr


def test_the_probe_says_in_one_sentence_that_nobody_answers(tmp_path: Path) -> None:
    ended = oto("exchange", "probe", "--base-url", "http://127.0.0.1:9", cwd=tmp_path)

    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
