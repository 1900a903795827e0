"""What a flat job does next: leave, wait, read, or place a pair."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from oto.domain import money
from oto.domain.cycle import FINISHED, CyclePhase
from oto.domain.decide import ACCOUNT_KNOWN_FOR, decide
from oto.domain.decisions import Decision, End, Place, ReadAccount, Sleep, View
from oto.domain.job import JobEvent, Progress, Reason, Target, TargetKind, Wish
from oto.domain.orders import OtoOrder
from oto.domain.risk.verdict import Balance, Permission, Situation
from tests import builders
from tests.builders import (
    after_s,
    bought_cycle,
    job,
    rules,
    situation,
    tick,
    token,
    view,
)

pytestmark = pytest.mark.unit

GOOD = situation()
DAY = date(2026, 1, 1)
KNOWN_S = ACCOUNT_KNOWN_FOR.total_seconds()


def placed(decision: Decision) -> OtoOrder:
    assert isinstance(decision, Place), decision
    return decision.approved.order


def with_account_read_at(seconds: float, *, free: str = "1000") -> View:
    balance = Balance(money.amount(free), after_s(seconds))
    return view(situation=replace(GOOD, balance=balance))


def test_a_pair_of_the_asked_size_is_placed_through_both_sides_of_the_book() -> None:
    order = placed(decide(view()))

    assert (order.working_price, order.working_quantity, order.pending_price) == (
        Decimal("0.22719"),
        Decimal("88.11"),
        Decimal("0.22671"),
    )


@pytest.mark.parametrize("phase", [phase for phase in CyclePhase if phase in FINISHED])
def test_a_finished_cycle_is_followed_by_the_next(phase: CyclePhase) -> None:
    order = placed(decide(view(replace(bought_cycle(), phase=phase))))

    assert order.working_quantity == Decimal("88.11")


def test_the_last_pair_takes_the_rest() -> None:
    assert placed(decide(view(bought="92.7"))).working_quantity == Decimal("32.16")


def test_a_pair_differs_from_those_of_the_last_day() -> None:
    first = placed(decide(view()))

    second = placed(decide(view(taken=[(first.working_price, first.working_quantity)])))

    assert second.working_quantity == first.working_quantity + rules().lot_step


def test_when_no_pair_can_be_told_apart_the_job_waits() -> None:
    every = [
        (
            money.Price(Decimal("0.22719") + ticks * Decimal("0.00001")),
            money.Quantity(Decimal("88.11") + steps * Decimal("0.01")),
        )
        for ticks in range(10)
        for steps in range(51)
    ]

    assert decide(view(taken=every)) == Sleep(after_s(5), Reason.NO_FINGERPRINT)


def test_an_order_that_the_rules_do_not_have_is_for_a_human() -> None:
    small = replace(GOOD, rules=rules(most_quantity="50"))

    assert decide(view(situation=small)) == End(
        JobEvent.NEED_HUMAN, Reason.IMPOSSIBLE_ORDER, "the quantity is above the maximum"
    )


@pytest.mark.parametrize(
    ("wish", "event"), [(Wish.PAUSE, JobEvent.PAUSE), (Wish.STOP, JobEvent.STOP)]
)
@pytest.mark.parametrize("bought", ["0", "100"])
def test_a_flat_job_leaves_as_wished_whether_or_not_it_is_done(
    wish: Wish, event: JobEvent, bought: str
) -> None:
    assert decide(view(job=job(wish=wish), bought=bought)) == End(event)


@pytest.mark.parametrize(
    ("target", "progress", "multiplier", "left"),
    [
        (Target(TargetKind.VOLUME, Decimal(100)), ("95", "380"), 4, "5"),
        (Target(TargetKind.VOLUME, Decimal(100)), ("100", "400"), 4, None),
        (Target(TargetKind.COUNTED, Decimal(100)), ("20", "80"), 4, "5"),
        (Target(TargetKind.COUNTED, Decimal(100)), ("25", "100"), 4, None),
        (Target(TargetKind.COUNTED, Decimal(100)), ("95", "95"), None, "5"),
        (points := Target(TargetKind.POINTS, Decimal(5), day=DAY), ("3", "12"), 4, "5"),
        (points, ("8", "32"), 4, None),
        (replace(points, baseline=money.amount("12")), ("0", "0"), 4, "5"),
        (replace(points, baseline=money.amount("32")), ("0", "0"), 4, None),
    ],
)
def test_a_job_is_complete_when_its_kind_of_target_is_reached(
    target: Target, progress: tuple[str, str], multiplier: int | None, left: str | None
) -> None:
    seen = view(job=job(target=target), situation=replace(GOOD, token=token(multiplier=multiplier)))
    bought, counted = map(money.amount, progress)

    decision = decide(replace(seen, progress=Progress(bought, counted)))

    if left is None:
        assert decision == End(JobEvent.COMPLETE)
    else:
        expected = money.ceil_to(Decimal(left) / Decimal("0.227"), Decimal("0.01"))
        assert placed(decision).working_quantity == expected


def test_a_job_is_complete_whatever_the_market_is() -> None:
    blind = replace(GOOD, tick=None, rules=None, token=None, balance=None)

    assert decide(view(bought="100", situation=blind)) == End(JobEvent.COMPLETE)


def test_a_token_that_another_job_holds_is_left_to_it() -> None:
    blind = replace(GOOD, tick=None)

    assert decide(view(held_elsewhere=True, situation=blind)) == Sleep(
        after_s(5), Reason.SYMBOL_HELD
    )


def test_a_reason_that_heals_is_a_wait_of_its_own_length() -> None:
    wide = replace(GOOD, tick=tick("0.226", "0.228", trade="0.227"))
    unlisted = replace(GOOD, rules=None)

    assert decide(view(situation=wide)) == Sleep(
        after_s(1), Reason.WIDE_SPREAD, "88.5 bps, 50 at most"
    )
    assert decide(view(situation=unlisted)) == Sleep(
        after_s(5), Reason.RULES_UNKNOWN, "it is not in the lists"
    )


@pytest.mark.parametrize(
    ("permission", "reason"),
    [
        (Permission(terms_accepted=False), Reason.TERMS),
        (Permission(terms_accepted=True, acknowledged=False), Reason.NOT_ACKNOWLEDGED),
    ],
)
def test_a_reason_that_never_heals_is_for_a_human(permission: Permission, reason: Reason) -> None:
    decision = decide(view(situation=situation(permission=permission)))

    assert isinstance(decision, End)
    assert (decision.event, decision.reason) == (JobEvent.NEED_HUMAN, reason)


def test_a_halted_job_waits() -> None:
    halted = situation(permission=replace(builders.ALLOWED, halted="halted by ann"))

    assert decide(view(situation=halted)) == Sleep(after_s(1), Reason.HALTED, "halted by ann")


@pytest.mark.parametrize(
    "around",
    [replace(GOOD, balance=None), situation(permission=Permission(terms_accepted=None))],
    ids=["balance", "terms"],
)
def test_an_account_that_was_never_read_is_read_first(around: Situation) -> None:
    assert decide(view(situation=around)) == ReadAccount()


def test_an_account_is_read_again_when_its_last_reading_is_old() -> None:
    placed(decide(with_account_read_at(-KNOWN_S)))
    assert decide(with_account_read_at(-KNOWN_S - 0.001)) == ReadAccount()


def test_an_account_is_not_read_for_a_market_that_cannot_be_traded() -> None:
    closed = replace(GOOD, balance=None, tick=None)

    assert isinstance(decide(view(situation=closed)), Sleep)


def test_a_balance_just_read_as_too_low_is_waited_for() -> None:
    assert decide(with_account_read_at(-3, free="10")) == Sleep(
        after_s(3), Reason.LOW_BALANCE, "10.00 USDT are free, 20.03 needed"
    )


def test_a_balance_read_as_too_low_some_time_ago_is_read_again() -> None:
    assert decide(with_account_read_at(-3.001, free="10")) == ReadAccount()
