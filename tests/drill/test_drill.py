"""The in-process drill in short; `python -m tests.drill` plays as many schedules as one likes."""

import pytest

from tests.drill.faults import Fault
from tests.drill.logs import quiet
from tests.drill.report import lines, played
from tests.drill.run import Run

pytestmark = pytest.mark.unit

PLACEMENTS = 250


@pytest.fixture(autouse=True)
def _no_logs() -> None:
    quiet()


@pytest.mark.parametrize("seed", range(1, 9))
def test_all_is_zero_that_must_be_after_some_hundred_faulted_placements(seed: int) -> None:
    total = played(seed, PLACEMENTS)

    assert not total.failures, "\n".join(lines(seed, total, 1))
    assert total.faulted >= PLACEMENTS
    # What never strikes proves nothing; the rarest may be absent from so few.
    assert len(total.faults) > len(Fault) - 4


def test_a_seed_and_a_number_are_one_story() -> None:
    assert Run(7, 3).play().lines == Run(7, 3).play().lines
