"""A short drill of the real system: every fault may strike, and every zero holds."""

import json
import subprocess
import sys

import psutil
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

DRILL = ("drill", "--cycles", "100", "--users", "5", "--minutes", "1.5", "--seed", "1", "--json")


def test_a_short_drill_holds_every_zero_and_leaves_nothing_running() -> None:
    command = [sys.executable, "-m", "cli", *DRILL]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=580)

    assert done.stdout, done.stderr
    shown = json.loads(done.stdout)
    assert {name: value for name, value in shown["zeros"].items() if value != 0} == {}, shown[
        "failures"
    ]
    assert done.returncode == 0
    assert shown["cycles"] > 0
    assert len(shown["faults"]) > 20
    assert not [one for one in psutil.process_iter(["cmdline"]) if _is_of_a_drill(one)]


def _is_of_a_drill(process: psutil.Process) -> bool:
    return any("oto-drill-" in part for part in process.info["cmdline"] or [])
