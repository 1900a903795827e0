"""The drill can see: with any one protection taken out, it fails as one would expect."""

from itertools import count

import pytest

from tests.drill import unprotected
from tests.drill.logs import quiet
from tests.drill.run import Protections, Run
from tests.drill.story import Failure

pytestmark = pytest.mark.unit

MOST_SCHEDULES = 120
SEED = 1
UNKNOWN_ORDER = {Failure.ORPHAN, Failure.DUPLICATE}


@pytest.fixture(autouse=True)
def _no_logs() -> None:
    quiet()


@pytest.mark.parametrize(
    ("protections", "expected"),
    [
        pytest.param(Protections(unprotected.WithoutFence), {Failure.FENCE}, id="no fence"),
        pytest.param(
            Protections(unprotected.WithoutEpoch), {Failure.FAULT}, id="stale turns write"
        ),
        pytest.param(Protections(unprotected.WithoutIntent), UNKNOWN_ORDER, id="no intent"),
        pytest.param(Protections(unprotected.WithoutSending), UNKNOWN_ORDER, id="no sending"),
        pytest.param(
            Protections(unprotected.WithoutFingerprints),
            {Failure.MISTAKEN, Failure.HUMAN},
            id="fingerprints come again",
        ),
        pytest.param(
            Protections(unprotected.WithoutDedupe), {Failure.DOUBLED_FILL}, id="no dedupe"
        ),
        pytest.param(Protections(sweeps=False), {Failure.NO_PROGRESS}, id="no sweeper"),
    ],
)
def test_without_a_protection_the_drill_fails_and_with_it_the_same_schedule_passes(
    protections: Protections, expected: set[Failure]
) -> None:
    number = next(number for number in count() if fails(number, protections, expected))

    assert number < MOST_SCHEDULES
    assert not Run(SEED, number).play().failures


def fails(number: int, protections: Protections, expected: set[Failure]) -> bool:
    failures = Run(SEED, number, protections).play().failures
    return not expected.isdisjoint(failures) or number >= MOST_SCHEDULES
