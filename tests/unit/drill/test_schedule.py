"""The schedule of a drill follows from its seed alone."""

from itertools import pairwise

import pytest

from oto.infrastructure.sabotage import CrashPoint
from oto.simulator.faults import FaultKind
from workers.drill.schedule import DEATHS, FAULTS, LANES, UnknownFaultError, chosen, schedule

pytestmark = pytest.mark.unit

LONG_S = 1200.0


def test_the_same_seed_makes_the_same_schedule_and_another_seed_another() -> None:
    first, again, other = (schedule(seed, 300, 5, chosen("all")) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_a_longer_drill_begins_like_a_shorter_one() -> None:
    short, long = (schedule(3, seconds, 5, chosen("all")) for seconds in (60, 300))

    for lane, strikes in short.items():
        assert list(strikes) == list(long[lane][: len(strikes)])


def test_every_fault_strikes_in_a_long_drill() -> None:
    planned = schedule(1, LONG_S, 20, chosen("all"))

    assert {one.fault for strikes in planned.values() for one in strikes} == FAULTS.keys()


def test_deaths_stand_at_least_so_far_apart_as_their_lane_says() -> None:
    strikes = schedule(4, LONG_S, 5, chosen("all"))[DEATHS]
    apart = [later.at_s - one.at_s for one, later in pairwise(strikes)]

    assert min(apart) >= LANES[DEATHS].least_s - 0.01


def test_only_the_chosen_faults_strike_and_only_users_who_are_there() -> None:
    planned = schedule(5, 300, 2, chosen("challenge,kill_beat"))
    strikes = [one for lane in planned.values() for one in lane]

    assert {one.fault for one in strikes} == {"challenge", "kill_beat"}
    assert {one.parameters.get("user") for one in strikes} == {"sim-1", "sim-2", None}


def test_without_faults_nothing_strikes() -> None:
    assert not any(schedule(1, 300, 5, chosen("none")).values())


def test_a_fault_that_does_not_exist_is_refused_in_one_sentence() -> None:
    with pytest.raises(UnknownFaultError, match="There is no fault kill_cat; there are: "):
        chosen("kill_beat,kill_cat")


def test_every_fault_of_the_simulator_and_every_crash_point_may_strike() -> None:
    assert {kind.value for kind in FaultKind} <= FAULTS.keys()
    assert {f"crash_{point.value}" for point in CrashPoint} <= FAULTS.keys()
