"""A drill is good only if every zero holds; promises about time are told beside it."""

from decimal import Decimal
from typing import Any

import pytest

from oto.application.audit import Audit
from oto.domain.job import JobId
from tests.builders_drill import found_by_a_drill
from workers.drill.verdict import Log, Pause, percentile

pytestmark = pytest.mark.unit


def audited(**changes: Any) -> Audit:  # noqa: ANN401 - fields of Audit
    return Audit(**({"placed": 1, "duplicates": 0, "orphans": 0, "open_orders": 0} | changes))


def test_a_drill_that_found_nothing_wrong_is_good() -> None:
    found = found_by_a_drill()

    assert found.good
    assert set(found.zeros().values()) == {0}


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        ("duplicates", {"audited": audited(differences=(), duplicates=1)}),
        ("orphans", {"audited": audited(differences=(), orphans=1)}),
        ("open_orders", {"audited": audited(differences=(), open_orders=1)}),
        ("lost_fills", {"audited": audited(differences=(), lost_fills=1)}),
        ("doubled_fills", {"audited": audited(differences=(), doubled_fills=1)}),
        ("other_differences", {"audited": audited(differences=("ann: poorer",))}),
        (
            "volume_difference_usdt",
            {"audited": audited(differences=(), volume_difference=Decimal("1e-8"))},
        ),
        (
            "wear_difference_usdt",
            {"audited": audited(differences=(), wear_difference=Decimal("1e-8"))},
        ),
        ("posts_after_fence", {"late_posts": [{}]}),
        ("secrets_found", {"secrets": ["log: a value of 32 signs"]}),
        ("needless_calls_for_a_human", {"uncalled": ["job 1"]}),
        ("processes_left_behind", {"left_behind": ["python -m cli beat"]}),
        ("ends_amiss", {"ended": ["oto up ended by itself"]}),
        ("decisions_that_replay_differently", {"logs": [Log(JobId(1), 9, 1, None)]}),
        ("broken_logs", {"logs": [Log(JobId(1), 9, 0, 4)]}),
    ],
)
def test_each_number_alone_makes_a_drill_bad(number: str, changes: dict[str, Any]) -> None:
    found = found_by_a_drill(**changes)

    assert not found.good
    assert {name for name, value in found.zeros().items() if value} == {number}


def test_a_promise_is_held_by_the_worst_that_was_seen() -> None:
    pauses = [Pause("kill_beat", 1, 4.9), Pause("kill_worker", 9, 5.1), Pause("kill_redis", 20, 9)]
    promises = found_by_a_drill(pauses=pauses).promises()

    died = promises["progress_after_a_process_died"]
    assert (died["seconds"], died["held"]) == (5.1, False)
    assert promises["progress_after_a_server_died"]["held"]
    assert promises["unknown_resolved_p99"] == {"seconds": None, "promised": 22.0, "held": True}


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (1, 1)])
def test_a_percentile_is_the_smallest_that_so_many_do_not_exceed(percent: int, value: int) -> None:
    assert percentile([float(one) for one in range(100, 0, -1)], percent) == value


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile([], 99) is None
