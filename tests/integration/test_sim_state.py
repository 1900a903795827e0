"""`oto sim serve --state`: what users placed is still there when it is started again."""

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_sim_serve import OTO, Served, oto
from tests.simulated import AITECH, PLACE_OTO, TRADE, Exchange, oto_body, payment
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


class Run(Exchange):
    """One run of the simulator with the file `sim.state`, and its first user."""

    def __init__(self, served: Served, folder: Path) -> None:
        super().__init__(served.urls["rest"], served.urls["ws"])
        self.end = served.end
        self.process = served.process
        user = json.loads((folder / "users.json").read_text())["users"][0]
        cookies = "; ".join(f"{key}={value}" for key, value in user["cookies"].items())
        self.headers = {**user["headers"], "cookie": cookies}

    def place_oto(self) -> int:
        """Place a pair that rests far below the market, and return its working order's id."""
        body = oto_body("0.1", "100", "0.3", payment("0.1", "100"))
        order_id: int = self.post(PLACE_OTO, self.headers, body)["data"]["workingOrderId"]
        return order_id

    def cancel(self, order_id: int) -> Any:  # noqa: ANN401 - what JSON holds
        body = {"orderId": str(order_id), "symbol": AITECH}
        return self.post(f"{TRADE}/order/cancel", self.headers, body)

    def funding(self) -> dict[str, list[Decimal]]:
        """Return what is free and what is locked, by user."""
        wallets = {one["name"]: one["funding"] for one in self.truth()["accounts"]}
        return {name: [Decimal(of) for of in wallet.values()] for name, wallet in wallets.items()}


@contextmanager
def run(folder: Path, *arguments: str) -> Iterator[Run]:
    options = ["--state", "sim.state", "--credentials", "users.json", *arguments]
    process = subprocess.Popen(
        [OTO, "sim", "serve", "--market", "none", "--users", "1", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        started = Run(Served(process), folder)
        with closing(started.http):
            yield started
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_oto_goes_on_where_it_was_stopped(tmp_path: Path, number: int) -> None:
    with run(tmp_path) as first:
        order_id = first.place_oto()
        before = first.truth()
        assert first.end(number) == 0

    with run(tmp_path) as second:
        after = second.truth()
        answer = second.cancel(order_id)

        assert (after["orders"], after["accounts"]) == (before["orders"], before["accounts"])
        assert after["now_ms"] >= before["now_ms"]
        assert answer["code"] == "000000"
        assert {order["status"] for order in second.orders()} == {"CANCELED"}
        assert second.funding() == {"sim-1": [Decimal(500), Decimal(0)]}


def test_a_killed_run_loses_at_most_what_was_not_saved_yet(tmp_path: Path) -> None:
    log = tmp_path / "sim.state-wal"
    with run(tmp_path) as first:
        first.place_oto()
        before = first.truth()
        wait_until(lambda: before["orders"][1]["order_id"].encode() in log.read_bytes())
        so_far = log.stat().st_size
        wait_until(lambda: log.stat().st_size > so_far)
        first.end(signal.SIGKILL)

    with run(tmp_path) as second:
        assert second.truth()["orders"] == before["orders"]


def test_a_stepped_run_goes_on_at_its_own_time(tmp_path: Path) -> None:
    with run(tmp_path, "--stepped") as first:
        first.step(3_600_000)
        before = first.truth()
        assert first.end() == 0

    with run(tmp_path, "--stepped") as second:
        assert second.truth()["now_ms"] == before["now_ms"]


def test_users_that_are_in_the_file_stay_and_missing_ones_are_added(tmp_path: Path) -> None:
    with run(tmp_path) as first:
        first.place_oto()
        assert first.end() == 0

    with run(tmp_path, "--users", "2", "--balance", "70") as second:
        assert second.funding() == {
            "sim-1": [Decimal(490), Decimal(10)],
            "sim-2": [Decimal(70), Decimal(0)],
        }


def test_the_file_and_its_log_are_their_owners_alone(tmp_path: Path) -> None:
    with run(tmp_path):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert {modes[name] for name in modes if name.startswith("sim.state")} == {0o600}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--state", "recipes.txt"], "cannot use recipes.txt: file is not a database"),
        (["--state", "missing/sim.state"], "cannot use missing/sim.state: No such file"),
        (["--state", "sim.state", "--seed", "7"], "was made with --seed 1; start with that seed"),
    ],
)
def test_a_state_that_does_not_fit_is_one_sentence_and_stays_as_it_is(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    (tmp_path / "recipes.txt").write_text("two eggs")
    with run(tmp_path) as first:
        assert first.end() == 0
    before = (tmp_path / "sim.state").read_bytes()

    ended = oto("sim", "serve", *arguments, cwd=tmp_path)

    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "recipes.txt").read_text() == "two eggs"
    assert (tmp_path / "sim.state").read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can shrink another one's limits")
def test_a_run_that_cannot_save_any_more_ends_with_one_sentence(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    with run(tmp_path) as started:
        resource.prlimit(started.process.pid, resource.RLIMIT_FSIZE, (0, 0))

        assert started.process.wait(15) == 1
        assert started.process.stderr is not None
        said = started.process.stderr.read()
        assert said.splitlines() == ["Error: cannot use sim.state: disk I/O error"]


def test_two_runs_cannot_share_a_state(tmp_path: Path) -> None:
    with run(tmp_path):
        ended = oto("sim", "serve", "--state", "sim.state", cwd=tmp_path)

    assert ended.returncode == 1
    assert "another simulator is using it" in ended.stderr
