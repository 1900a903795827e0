"""Faults: which requests they meet, how often, and what the log keeps of them."""

import pytest

from oto.simulator.faults import REST_FAULTS, BadFaultError, FaultBox, FaultKind

pytestmark = pytest.mark.unit


def strikes(box: FaultBox, endpoint: str = "place", user: str = "ann", now_ms: int = 0) -> bool:
    return box.strike(REST_FAULTS, endpoint, user, now_ms) is not None


def test_a_fault_meets_only_what_it_was_switched_on_for() -> None:
    box = FaultBox(1)
    box.switch_on({"kind": "firewall", "endpoint": "place*", "user": "ann"}, 0)

    assert strikes(box, "place_oto", "ann")
    assert not strikes(box, "cancel", "ann")
    assert not strikes(box, "place", "bob")


def test_a_counted_fault_strikes_so_often_and_is_logged_each_time() -> None:
    box = FaultBox(1)
    box.switch_on({"kind": "server_error", "count": 2}, 0)

    assert [strikes(box, now_ms=moment) for moment in range(4)] == [True, True, False, False]
    assert [(one.at_ms, one.kind, one.endpoint) for one in box.log] == [
        (0, "server_error", "place"),
        (1, "server_error", "place"),
    ]


def test_a_fault_can_begin_later_and_end_by_itself() -> None:
    box = FaultBox(1)
    box.switch_on({"kind": "firewall", "in_ms": 100, "for_ms": 50}, 1_000)

    moments = (1_099, 1_100, 1_149, 1_150)

    assert [strikes(box, now_ms=moment) for moment in moments] == [False, True, True, False]


def test_chance_comes_from_the_seed() -> None:
    def pattern(seed: int) -> list[bool]:
        box = FaultBox(seed)
        box.switch_on({"kind": "firewall", "per_mille": 300}, 0)
        return [strikes(box) for _ in range(1_000)]

    assert pattern(7) == pattern(7) != pattern(8)
    assert 200 < sum(pattern(7)) < 400


def test_faults_can_be_switched_off_one_by_one_or_all() -> None:
    box = FaultBox(1)
    first = box.switch_on({"kind": "firewall"}, 0)
    box.switch_on({"kind": "challenge"}, 0)
    box.switch_on({"kind": "challenge"}, 0)

    assert box.switch_off(first.fault_id) == 1
    assert box.switch_off() == 2
    assert not strikes(box)


def test_reports_can_be_dropped_doubled_delayed_or_overtaken() -> None:
    fates = {}
    for kind in ("report_dropped", "report_duplicated", "report_delayed", "report_reordered"):
        box = FaultBox(1)
        box.switch_on({"kind": kind, "delay_ms": 70, "count": 1}, 0)
        fate = box.fate_of_report("ann", 0)
        fates[kind] = (fate.delays_ms, fate.in_order)
        assert box.fate_of_report("ann", 0).delays_ms == (0,)

    assert fates == {
        "report_dropped": ((), False),
        "report_duplicated": ((0, 70), False),
        "report_delayed": ((70,), True),
        "report_reordered": ((70,), False),
    }


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"kind": "unheard"},
        {"kind": None},
        {"kind": "firewall", "colour": 1},
        {"kind": "firewall", "count": -1},
        {"kind": "firewall", "count": "2"},
        {"kind": "firewall", "delay_ms": 1.5},
        {"kind": "firewall", "user": 3},
        {"kind": "firewall", "after": 1},
        {"kind": "firewall", "in_ms": "x"},
    ],
)
def test_what_is_no_fault_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(BadFaultError):
        FaultBox(1).switch_on(asked, 0)


def test_every_kind_can_be_switched_on() -> None:
    box = FaultBox(1)

    for kind in FaultKind:
        assert box.switch_on({"kind": kind.value}, 0).kind is kind
