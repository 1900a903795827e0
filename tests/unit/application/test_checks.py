"""The doctor's rounds: at the same time, bounded, and no look after a needed one that failed."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from oto.application.checks import Check, Found, Result, fresh, run, with_needed
from oto.infrastructure.clock import SystemClock

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FINE = Found(Result.OK, "fine")


def results(*checks: Check, within_s: float = 5) -> dict[str, Found]:
    return {one.check: one.found for one in run(checks, SystemClock(), within_s)}


def fails() -> Found:
    raise OSError("it is\nbroken")


def test_what_needs_a_failed_check_is_skipped_and_so_is_what_needs_that() -> None:
    found = results(
        Check("first", fails, advice="mend it"),
        Check("second", lambda: FINE, "first"),
        Check("third", lambda: FINE, "second"),
        Check("other", lambda: FINE),
    )

    assert found == {
        "first": Found(Result.FAILED, "it is broken", "mend it"),
        "second": Found(Result.SKIPPED, "needs first"),
        "third": Found(Result.SKIPPED, "needs second"),
        "other": FINE,
    }


def test_a_look_that_hangs_has_failed_and_holds_nothing_up() -> None:
    never = threading.Event()

    def hang() -> Found:
        never.wait()
        return FINE

    found = results(
        Check("hangs", hang, advice="wake it"),
        Check("other", lambda: FINE),
        within_s=0.1,
    )

    assert found["hangs"] == Found(Result.FAILED, "no answer within 0.1 s", "wake it")
    assert found["other"] == FINE
    never.set()


def test_a_chosen_check_brings_along_what_it_needs() -> None:
    first, second = Check("first", lambda: FINE), Check("second", lambda: FINE, "first")
    third, other = Check("third", lambda: FINE, "second"), Check("other", lambda: FINE)

    assert with_needed([first, second, third, other], ["third"]) == [first, second, third]


def test_a_failed_look_keeps_its_own_advice() -> None:
    own = Found(Result.FAILED, "ill", "rest")

    assert results(Check("one", lambda: own, advice="run"))["one"] == own


@pytest.mark.parametrize(
    ("age_s", "result"), [(0, Result.OK), (5, Result.OK), (6, Result.FAILED), (-1, Result.OK)]
)
def test_a_sign_of_life_is_judged_by_its_age(age_s: int, result: Result) -> None:
    found = fresh(NOW - timedelta(seconds=age_s), NOW, timedelta(seconds=5))

    assert found.result is result


def test_without_a_sign_of_life_it_has_failed() -> None:
    assert fresh(None, NOW, timedelta(seconds=5)).result is Result.FAILED
