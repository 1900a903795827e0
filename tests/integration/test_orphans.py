"""A process whose supervisor is gone ends, even one that hears nothing."""

import os
import subprocess
import sys

import psutil
import pytest

pytestmark = pytest.mark.integration

DEAF = """
import signal, time
from workers import supervisor
supervisor.ORPHAN_STOPS_WITHIN_S = 0.1
signal.signal(signal.SIGTERM, signal.SIG_IGN)
supervisor.end_with_supervisor()
print("ready", flush=True)
time.sleep(120)
"""
PARENT = """
import os, subprocess, sys
from workers.supervisor import PARENT
env = {**os.environ, PARENT: str(os.getpid())}
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], env=env, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def test_a_process_that_does_not_stop_when_its_supervisor_is_gone_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, DEAF], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert parent.stdout is not None
    deaf = psutil.Process(int(parent.stdout.readline()))

    parent.kill()
    parent.wait()
    parent.stdout.close()

    _, alive = psutil.wait_procs([deaf], timeout=30)
    assert not alive
