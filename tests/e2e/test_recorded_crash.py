"""A real crash, played to the whole system: what it cost is known, and nothing is lost in it."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from oto.domain.job import Reason
from tests.samples import shared

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

TAPE = "data/trades/crash_rcnbtc_2020-12_2021-01.csv.gz"
WINDOW_MS, BEFORE_MS = 60_000, 45_000


def around_the_worst_fall(tape: Path) -> str:
    """Return the minute of a tape whose bottom is the end of its deepest fall within a minute."""
    header, *rows = gzip.decompress(tape.read_bytes()).decode().split()
    trades = [(int(row.split(",")[0]), float(row.split(",")[1])) for row in rows]
    worst, bottom, first = 1.0, 0, 0
    for last, (at, price) in enumerate(trades):
        while trades[first][0] <= at - WINDOW_MS:
            first += 1
        share = price / max(peak for _, peak in trades[first : last + 1])
        if share < worst:
            worst, bottom = share, at
    began = bottom - BEFORE_MS
    cut = [row for row, (at, _) in zip(rows, trades, strict=True) if 0 <= at - began < WINDOW_MS]
    assert worst < 0.5
    return "\n".join([header, *cut, ""])


def test_in_a_real_crash_every_user_ends_flat_or_parked_and_no_order_is_lost(
    tmp_path: Path,
) -> None:
    tape = tmp_path / "crash.csv"
    tape.write_text(around_the_worst_fall(shared(TAPE)))
    # Fifteen seconds at four times the speed are that minute.
    asked = "--json --users 3 --volume 400 --price-scale 10000 --speed 4 --minutes 0.25"
    command = [sys.executable, "-m", "cli", "demo", *asked.split(), "--tape", str(tape)]

    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=270)

    assert done.stdout, done.stderr
    shown = json.loads(done.stdout)
    assert shown["orders"]["placed"] > 0
    assert {shown["orders"][name] for name in ("duplicates", "orphans")} == {0}
    assert shown["ledger_equals_exchange"], shown["differences"]
    for job in shown["jobs"]:
        assert job["state"] in {"completed", "stopped"}, job
        assert job["parked"] is None or job["reason"] == Reason.PARKED.words, job
