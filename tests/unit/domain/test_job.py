"""What a job still has to buy, and in orders of which size."""

from datetime import date
from decimal import Decimal

import pytest

from oto.domain import money
from oto.domain.job import (
    NEEDS_HUMAN,
    Progress,
    Reason,
    Target,
    TargetKind,
    cycles_needed,
    next_spend,
    remaining_ceil,
)
from oto.domain.money import Amount
from tests.builders import job

pytestmark = pytest.mark.unit

DAY = date(2026, 1, 1)


def usdt(text: str) -> Amount:
    return money.amount(text)


def target(kind: TargetKind, value: str, baseline: str = "0") -> Target:
    return Target(kind, Decimal(value), usdt(baseline), DAY)


@pytest.mark.parametrize(
    ("wanted", "bought", "counted", "multiplier", "remaining"),
    [
        (target(TargetKind.VOLUME, "100"), "0", "0", 4, "100"),
        (target(TargetKind.VOLUME, "100"), "99.99999999", "0", 4, "0.00000001"),
        (target(TargetKind.VOLUME, "100"), "100", "0", 4, "0"),
        (target(TargetKind.VOLUME, "100"), "101", "0", 4, "0"),
        (target(TargetKind.COUNTED, "100"), "10", "40", 4, "15"),
        (target(TargetKind.COUNTED, "100"), "0", "0", 3, "33.33333334"),
        (target(TargetKind.COUNTED, "100"), "25", "100", 4, "0"),
        (target(TargetKind.POINTS, "15"), "0", "0", 1, "32768"),
        (target(TargetKind.POINTS, "15", "30000"), "0", "0", 4, "692"),
        (target(TargetKind.POINTS, "15", "30000"), "600", "2400", 4, "92"),
        (target(TargetKind.POINTS, "15", "32768"), "0", "0", 4, "0"),
    ],
)
def test_what_remains_is_in_usdt_at_the_present_multiplier(
    wanted: Target, bought: str, counted: str, multiplier: int, remaining: str
) -> None:
    progress = Progress(usdt(bought), usdt(counted))

    assert remaining_ceil(wanted, progress, multiplier) == Decimal(remaining)


@pytest.mark.parametrize(
    ("remaining", "size", "cycles", "spend"),
    [
        ("0", "20", 0, "0"),
        ("5", "20", 1, "5"),
        ("20", "20", 1, "20"),
        ("20.4", "20", 1, "20.4"),
        ("20.41", "20", 2, "20"),
        ("40.6", "20", 2, "20.3"),
        ("50", "20", 3, "20"),
        ("1000", "99", 10, "100"),
        ("1000", "100", 10, "100"),
    ],
)
def test_orders_have_the_asked_size_or_up_to_two_percent_more(
    remaining: str, size: str, cycles: int, spend: str
) -> None:
    assert cycles_needed(usdt(remaining), usdt(size)) == cycles
    assert next_spend(usdt(remaining), usdt(size)) == Decimal(spend)


@pytest.mark.parametrize("value", ["0", "-1"])
def test_a_target_of_nothing_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Target(TargetKind.VOLUME, Decimal(value))


def test_a_target_in_points_is_whole_and_has_a_day() -> None:
    with pytest.raises(ValueError, match="whole number"):
        Target(TargetKind.POINTS, Decimal("14.5"), day=DAY)
    with pytest.raises(ValueError, match="on a day"):
        Target(TargetKind.POINTS, Decimal(14))


@pytest.mark.parametrize("size", ["0", "0.00"])
def test_an_order_size_of_nothing_is_refused(size: str) -> None:
    with pytest.raises(ValueError, match="order size"):
        job(size=size)


@pytest.mark.parametrize("slip_bps", [-1, 0, 10_000])
def test_a_slip_that_sells_for_nothing_or_never_is_refused(slip_bps: int) -> None:
    with pytest.raises(ValueError, match="slip"):
        job(slip_bps=slip_bps)


def test_a_reason_that_needs_a_human_stands_below_those_that_heal() -> None:
    listed = list(Reason)

    assert listed[listed.index(Reason.SESSION_OVER) :] == [
        one for one in listed if one in NEEDS_HUMAN
    ]
