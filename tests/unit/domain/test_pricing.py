"""Where the strategies put both legs."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from oto.domain import money
from oto.domain.pricing import prices
from oto.domain.pricing.profiles import CROSS, PROFILES, Profile
from oto.domain.pricing.quote import LegPrices, Quote
from tests.builders import rules

pytestmark = pytest.mark.unit

TICKS_ONLY = replace(CROSS, cross_bps=Decimal(0))


def crossed(bid: str, ask: str, *, tick: str, profile: Profile = CROSS) -> LegPrices:
    return prices(profile, Quote(money.price(bid), money.price(ask)), rules(tick=tick))


def limits(working: str, pending: str, expected: str) -> LegPrices:
    return LegPrices(money.price(working), money.price(pending), money.price(expected))


def test_coarse_ticks_are_crossed_by_ticks() -> None:
    assert crossed("0.99", "1.00", tick="0.01") == limits("1.02", "0.97", "1.00")


def test_fine_ticks_are_crossed_by_basis_points_outwards_to_the_grid() -> None:
    assert crossed("0.22690", "0.22700", tick="0.00001") == limits("0.22719", "0.22671", "0.227")


def test_either_distance_is_a_least_one() -> None:
    assert crossed("0.22690", "0.22700", tick="0.00001", profile=TICKS_ONLY) == limits(
        "0.22702", "0.22688", "0.227"
    )


def test_both_distances_being_equal_changes_nothing() -> None:
    assert crossed("24.99", "25.00", tick="0.01") == limits("25.02", "24.97", "25")


@pytest.mark.parametrize("bid", ["0.01", "0.02", "0.03"])
def test_a_sell_is_at_least_one_tick_above_zero(bid: str) -> None:
    assert crossed(bid, "0.04", tick="0.01").pending == Decimal("0.01")


@pytest.mark.parametrize(("bid", "ask"), [("0.227", "0.227"), ("0.228", "0.227"), ("0", "0.227")])
def test_a_book_that_is_crossed_or_empty_is_no_quote(bid: str, ask: str) -> None:
    with pytest.raises(ValueError, match="below its ask"):
        Quote(money.price(bid), money.price(ask))


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_profile_gives_up_at_last_and_each_exit_goes_lower(profile: Profile) -> None:
    assert PROFILES[profile.name] is profile
    assert list(profile.exit_rungs_bps) == sorted(set(profile.exit_rungs_bps))
    assert all(
        patience > timedelta(0)
        for patience in (profile.buy_within, profile.sell_within, profile.exit_within)
    )
