"""From looks at the loop to how long it stood still, and how long orders were lost."""

from collections.abc import Mapping

import pytest

from oto.infrastructure.database.pulse import Pulse
from workers.drill.watch import Look, Watch, pause_after, unknown_for_s

pytestmark = pytest.mark.unit

NEVER = float("inf")


def looks(*turns: int | None, active: int = 1) -> list[Look]:
    """One look each second, from 0."""
    return [
        Look(float(at_s), None if count is None else Pulse(count, active, {}))
        for at_s, count in enumerate(turns)
    ]


def test_a_pause_counts_from_the_fault_to_the_next_turn() -> None:
    assert pause_after(looks(1, 2, 2, 2, 3, 4, 5), 1.5, NEVER) == 2.5


def test_the_longest_pause_after_a_fault_counts_even_if_a_turn_came_before_it() -> None:
    assert pause_after(looks(1, 2, 3, 3, 3, 3, 4), 1.5, NEVER) == 4.0


def test_what_comes_after_the_next_fault_is_that_ones() -> None:
    assert pause_after(looks(1, 2, 3, 3, 3, 3, 4), 0.5, 3.5) == 1.5
    assert pause_after(looks(1, 2, 3, 3, 3, 3, 4), 3.5, NEVER) == 2.5


def test_a_database_that_does_not_answer_is_a_pause() -> None:
    assert pause_after(looks(1, None, None, None, 2, 3), 0.5, NEVER) == 3.5


def test_without_an_active_job_nothing_can_go_on() -> None:
    assert pause_after(looks(1, 1, 1, 1, active=0), 0.5, NEVER) is None


def test_a_loop_that_never_goes_on_has_a_pause_to_the_end() -> None:
    assert pause_after(looks(1, 1, 1, 1, 1), 0.5, NEVER) == 3.5


def lost(*seen: Mapping[int, bool] | None) -> list[Look]:
    return [
        Look(float(at_s), None if one is None else Pulse(1, 1, one))
        for at_s, one in enumerate(seen)
    ]


def test_a_lost_order_is_counted_from_the_look_before_it_was_seen() -> None:
    assert unknown_for_s(lost({}, {7: True}, {7: True}, {})) == [2.0]


def test_a_lost_order_is_not_counted_while_its_job_waits_for_a_human() -> None:
    assert unknown_for_s(lost({}, {7: True}, {7: False}, {7: False}, {7: True}, {})) == [2.0]


def test_a_database_that_does_not_answer_resolves_nothing() -> None:
    assert unknown_for_s(lost({}, {7: True}, None, None, {7: True}, {})) == [4.0]


def test_a_loop_has_recovered_when_every_job_may_have_had_its_turn() -> None:
    watch = Watch(machine=None, looks=looks(1, 2, 3, 4, active=2))  # type: ignore[arg-type]

    assert watch.recovered_since(1)
    assert not watch.recovered_since(2)


def test_an_outage_that_the_drill_made_is_not_counted() -> None:
    seen = lost({}, {7: True}, None, None, {7: True}, {})

    assert unknown_for_s(seen) == [4.0]
    assert unknown_for_s(seen, [(1.5, 3.0)]) == [2.5]
    assert unknown_for_s(seen, [(9.0, 12.0)]) == [4.0]
