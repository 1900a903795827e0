"""What is checked before a job is stored, and how far one has come."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from oto.application.jobs import Asked, JobNotStartedError, Plan, granted, plan, share_done
from oto.domain.job import JobState, Progress, Target, TargetKind, UserId, Wish
from oto.domain.market import SymbolRules, SymbolStatus
from oto.domain.money import Amount, amount
from oto.domain.points import day_of
from tests import builders

pytestmark = pytest.mark.unit

NOW = datetime(2026, 1, 1, 23, 59, tzinfo=UTC)
ASKED = Asked(
    kind=TargetKind.VOLUME,
    value=Decimal(100),
    order_size=amount("20"),
    most_slip_bps=300,
    profile="cross",
)


@dataclass(frozen=True)
class Ann:
    user_id: UserId
    name: str = "ann"
    acknowledged_at: datetime | None = None
    logged_in_at: datetime | None = NOW


ANN = Ann(UserId(1))


def planned(
    asked: Asked = ASKED,
    *,
    user: Ann = ANN,
    rules: SymbolRules | None = None,
    multiplier: int | None = 1,
    counted: str = "0",
    live: bool = False,
) -> Plan:
    return plan(
        asked,
        user,
        replace(builders.token(), multiplier=multiplier),
        rules or builders.rules(),
        counted_today=lambda: amount(counted),
        now=NOW,
        live=live,
    )


def test_a_plan_says_how_many_cycles_and_what_they_cost_at_least() -> None:
    found = planned()

    assert (found.to_buy, found.cycles, found.least_fees) == (amount("100"), 5, amount("0.02"))
    assert found.job.target == Target(TargetKind.VOLUME, Decimal(100))


def test_a_multiplier_shortens_what_is_counted() -> None:
    counted = replace(ASKED, kind=TargetKind.COUNTED)

    assert planned(counted, multiplier=4).to_buy == 25
    assert planned(counted, multiplier=None).to_buy == 100


def test_points_count_from_what_the_exchange_has_of_the_utc_day() -> None:
    points = replace(ASKED, kind=TargetKind.POINTS, value=Decimal(7))

    found = planned(points, counted="28.5")

    assert found.to_buy == Decimal("99.5")  # 2^7 - 28.5
    assert (found.job.target.baseline, found.job.target.day) == (Decimal("28.5"), day_of(NOW))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"user": replace(ANN, logged_in_at=None)}, "oto user login ann"),
        ({"live": True}, "oto user acknowledge ann"),
        ({"rules": builders.rules(status=SymbolStatus.DELISTED)}, "cannot be traded now"),
        ({"rules": builders.rules(least_notional="21")}, "ask for 21 or more"),
        (
            {"rules": replace(builders.rules(), max_notional=amount("5"))},
            "ask for 5 or less",
        ),
        (
            {
                "asked": replace(ASKED, kind=TargetKind.POINTS, value=Decimal(7)),
                "counted": "130",
            },
            "7 points already",
        ),
    ],
)
def test_a_job_that_could_not_trade_is_refused(changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(JobNotStartedError, match=sentence):
        planned(**changed)  # type: ignore[arg-type]


def test_live_trading_goes_on_once_it_is_acknowledged() -> None:
    assert planned(user=replace(ANN, acknowledged_at=NOW), live=True).cycles == 5


def test_the_share_that_is_done_counts_from_the_baseline_to_the_target() -> None:
    job = planned(replace(ASKED, kind=TargetKind.POINTS, value=Decimal(7)), counted="28").job

    def share(counted: str) -> Decimal:
        return share_done(job, Progress(Amount(Decimal(0)), amount(counted)), 1)

    shares = [share(counted) for counted in ("0", "50", "100", "101")]
    assert shares == [Decimal(0), Decimal("0.5"), Decimal(1), Decimal(1)]


@pytest.mark.parametrize(
    ("state", "wished", "wish", "expected"),
    [
        (JobState.RUNNING, Wish.RUN, Wish.RUN, True),
        (JobState.RUNNING, Wish.PAUSE, Wish.RUN, False),
        (JobState.PAUSED, Wish.PAUSE, Wish.RUN, False),
        (JobState.PAUSED, Wish.PAUSE, Wish.PAUSE, True),
        (JobState.PAUSED, Wish.PAUSE, Wish.STOP, False),
        (JobState.NEEDS_HUMAN, Wish.RUN, Wish.PAUSE, False),
        (JobState.COMPLETED, Wish.RUN, Wish.STOP, True),
        (JobState.COMPLETED, Wish.RUN, Wish.RUN, False),
    ],
)
def test_a_wish_that_is_granted_already_is_not_sent(
    state: JobState, wished: Wish, wish: Wish, *, expected: bool
) -> None:
    assert granted(replace(planned().job, state=state, wish=wished), wish) is expected
