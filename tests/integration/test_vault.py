"""Processes that start together share one master key."""

import subprocess
import sys
from pathlib import Path

import pytest

from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.vault import open_vault

pytestmark = pytest.mark.integration

SEAL = """
import sys
from pathlib import Path
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.vault import open_vault

print("ready", flush=True)
sys.stdin.readline()
print(open_vault(Path(sys.argv[1]), None).seal(Credentials({}, {"cr00": "1"})).decode())
"""


def test_processes_that_race_for_the_first_key_end_with_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SEAL, home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    sealed = [process.communicate(timeout=30)[0].strip() for process in processes]
    expected = Credentials({}, {"cr00": "1"}).reveal_headers()
    kept = open_vault(home, None)
    assert all(kept.open(one.encode()).reveal_headers() == expected for one in sealed)
    assert [file.name for file in home.iterdir()] == ["master.key"]
