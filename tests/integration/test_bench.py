"""Every benchmark runs, small, and prints what docs/benchmarks.md reads; nothing here is timed."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from oto.interface.cli import main

pytestmark = pytest.mark.integration

CPU = {"sim_cpu", "client_cpu"}


def bench(*arguments: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(main, ["bench", *arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_simulator() -> None:
    rows = bench("simulator", "--connections", "2", "--seconds", "0.2")

    assert [row["workload"] for row in rows] == ["full depth", "5 open orders", "place and cancel"]
    figures = {"conns", "req_s", "sim_us", "at_req_s", "p50_ms", "p95_ms", "p99_ms"}
    assert all(row.keys() == CPU | figures | {"workload"} for row in rows)
    assert all(row["req_s"] > 0 and row["p50_ms"] <= row["p99_ms"] for row in rows)


def test_fanout() -> None:
    rows = bench("fanout", "--sockets", "3", "--rounds", "2", "--burst", "4")

    assert [row["frames"] for row in rows] == [3, 12, 3, 12]
    figures = {"event", "sockets", "frames", "frames_s"}
    times = {"first_ms", "median_ms", "last_ms", "worst_ms"}
    assert all(row.keys() == CPU | figures | times for row in rows)
    assert all(row["first_ms"] <= row["median_ms"] <= row["last_ms"] for row in rows)


def test_parse() -> None:
    rows = bench("parse", "--repeats", "2", "--frames", "3")

    names = ["aggTrade", "bookTicker", "depth delta, 7 levels", "executionReport"]
    assert [row["frame"] for row in rows] == names
    figures = {"frame", "bytes", "median_us", "least_us", "most_us", "frames_per_s"}
    assert all(row.keys() == figures for row in rows)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory(tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text("ts_ms,price,qty,is_buyer_maker\n0,0.23,10,1\n60000,0.24,10,0\n")

    rows = bench("memory", "--seconds", "0.4", "--samples", "4", "--tape", str(tape))

    assert [row["at_s"] for row in rows] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert [row["tape_s"] for row in rows] == [0, 6, 12, 18, 24]
    assert rows[0]["growth_kib"] is None
    assert rows[1]["growth_kib"] == 0
    assert rows[-1]["rss_kib"] > 0
    assert rows[-1]["frames"] > 0
