"""The request budget: a steady rate, a burst, and cancels before everything else."""

import threading
import time

import pytest

from oto.domain.errors import RateLimitedError
from oto.infrastructure.alpha.limits import Priority, RateBudget

pytestmark = pytest.mark.unit


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_passes_and_the_next_call_is_told_how_long_to_wait() -> None:
    clock = Clock()
    budget = RateBudget(per_second=0.5, burst=3, clock=clock)
    for _ in range(3):
        budget.acquire(Priority.READ, timeout_s=0)
    with pytest.raises(RateLimitedError) as caught:
        budget.acquire(Priority.READ, timeout_s=1)
    assert caught.value.retry_after_s == 2


def test_tokens_come_back_with_time_up_to_the_burst() -> None:
    clock = Clock()
    budget = RateBudget(per_second=10, burst=2, clock=clock)
    budget.acquire(Priority.READ, timeout_s=0)
    budget.acquire(Priority.READ, timeout_s=0)
    clock.now_s += 1000
    budget.acquire(Priority.READ, timeout_s=0)
    budget.acquire(Priority.READ, timeout_s=0)
    with pytest.raises(RateLimitedError):
        budget.acquire(Priority.READ, timeout_s=0)


def test_a_call_waits_no_longer_than_it_must() -> None:
    budget = RateBudget(per_second=20, burst=1)
    budget.acquire(Priority.READ, timeout_s=0)
    started = time.monotonic()
    budget.acquire(Priority.READ, timeout_s=2)
    assert 0.03 < time.monotonic() - started < 1


def test_waiting_cancels_overtake_placements_and_placements_overtake_reads() -> None:
    budget = RateBudget(per_second=10, burst=1)
    budget.acquire(Priority.READ, timeout_s=0)
    served: list[Priority] = []

    def call(priority: Priority) -> None:
        budget.acquire(priority, timeout_s=5)
        served.append(priority)

    callers = []
    for priority in (Priority.READ, Priority.PLACE, Priority.CANCEL):
        caller = threading.Thread(target=call, args=(priority,))
        caller.start()
        callers.append(caller)
        time.sleep(0.01)
    for caller in callers:
        caller.join()
    assert served == [Priority.CANCEL, Priority.PLACE, Priority.READ]


def test_a_read_that_is_overtaken_too_often_gives_up_in_time() -> None:
    budget = RateBudget(per_second=5, burst=1)
    budget.acquire(Priority.READ, timeout_s=0)
    outcome: list[str] = []

    def read() -> None:
        try:
            budget.acquire(Priority.READ, timeout_s=0.25)
        except RateLimitedError:
            outcome.append("gave up")

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.02)
    budget.acquire(Priority.CANCEL, timeout_s=5)
    reader.join()
    assert outcome == ["gave up"]


def test_many_threads_never_exceed_the_rate() -> None:
    budget = RateBudget(per_second=100, burst=5)
    started = time.monotonic()
    callers = [threading.Thread(target=budget.acquire, args=(Priority.READ, 5)) for _ in range(25)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert time.monotonic() - started >= 0.19


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0)])
def test_a_budget_of_nothing_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="budget"):
        RateBudget(per_second=rate, burst=burst)
