"""Waiting for a condition, for as long as a loaded machine may need."""

import time
from collections.abc import Callable

PATIENCE_S = 60.0


def wait_until(met: Callable[[], object], *, every_s: float = 0.01) -> None:
    """Return once the condition is met; fail if it never is."""
    until = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(every_s)
