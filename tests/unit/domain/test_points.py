"""Volume points of a UTC day."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from oto.domain import points
from oto.domain.money import Amount

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("counted", "given"),
    [
        ("0", 0),
        ("1.99999999", 0),
        ("2", 1),
        ("3.99999999", 1),
        ("4", 2),
        ("1023.99999999", 9),
        ("1024", 10),
        ("32768", 15),
        ("65535.99999999", 15),
        ("65536", 16),
    ],
)
def test_points_are_the_floor_of_the_logarithm(counted: str, given: int) -> None:
    assert points.volume_points_floor(Amount(Decimal(counted))) == given


@pytest.mark.parametrize("wanted", range(1, 40))
def test_what_is_needed_for_points_gives_them_and_a_cent_less_does_not(wanted: int) -> None:
    needed = points.counted_for(wanted)

    assert points.volume_points_floor(needed) == wanted
    assert points.volume_points_floor(Amount(needed - Decimal("0.01"))) == wanted - 1


@pytest.mark.parametrize("wanted", [0, -1])
def test_no_points_need_nothing(wanted: int) -> None:
    assert points.counted_for(wanted) == 0


def test_a_day_is_utc_wherever_the_moment_was_noted() -> None:
    new_york = timezone(timedelta(hours=-5))

    assert points.day_of(datetime(2026, 1, 1, 20, tzinfo=new_york)) == date(2026, 1, 2)


def test_a_day_begins_at_midnight_utc() -> None:
    day = date(2026, 2, 28)

    assert points.day_began_at(day) == datetime(2026, 2, 28, tzinfo=UTC)
