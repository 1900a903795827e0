"""What every error of the exchange means for a job."""

from collections.abc import Iterator

import pytest

from oto.application.reasons import Trouble, trouble
from oto.domain.errors import (
    AccountBusyError,
    AccountRestrictedError,
    ContractDriftError,
    ExchangeError,
    FirewalledError,
    HumanNeededError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusalReason,
    RefusedError,
    RetryLaterError,
    SessionOverError,
    UnavailableError,
    UndecodableError,
    UnexpectedShapeError,
    UnknownCodeError,
    VerificationRequiredError,
)
from oto.domain.job import NEEDS_HUMAN, Reason
from oto.domain.leg import StrangeStatusError

pytestmark = pytest.mark.unit

REASONS = {
    RateLimitedError("slow down"): Reason.RATE_LIMITED,
    UnavailableError("no connection"): Reason.UNAVAILABLE,
    AccountBusyError("busy"): Reason.ACCOUNT_BUSY,
    NotSentError("too late"): Reason.UNAVAILABLE,
    SessionOverError("over"): Reason.SESSION_OVER,
    VerificationRequiredError("challenge"): Reason.VERIFICATION,
    AccountRestrictedError("restricted"): Reason.RESTRICTED,
    FirewalledError("403"): Reason.FIREWALLED,
    RefusedError(RefusalReason.OFF_GRID, "1", "off"): Reason.REFUSED,
    OutcomeUnknownError("timed out"): Reason.UNRESOLVED,
    UnknownCodeError("7", "?"): Reason.UNKNOWN_ANSWER,
    UnexpectedShapeError("a list"): Reason.UNKNOWN_ANSWER,
    UndecodableError("not JSON"): Reason.UNKNOWN_ANSWER,
    StrangeStatusError("PENDING_NEW"): Reason.UNKNOWN_ANSWER,
}
BRANCHES = {ExchangeError, RetryLaterError, HumanNeededError, ContractDriftError}
"""Never raised themselves: their branches say what is meant."""


def below(kind: type[ExchangeError]) -> Iterator[type[ExchangeError]]:
    for one in kind.__subclasses__():
        yield one
        yield from below(one)


def test_every_error_of_the_house_is_listed_here() -> None:
    known = {one for one in below(ExchangeError) if one.__module__.startswith("oto.domain.")}

    assert known - BRANCHES == {type(error) for error in REASONS}


@pytest.mark.parametrize(("error", "reason"), REASONS.items(), ids=lambda one: type(one).__name__)
def test_every_error_has_its_reason(error: ExchangeError, reason: Reason) -> None:
    met = trouble(error)

    assert (met.reason, met.detail) == (reason, str(error))


def test_what_only_a_human_can_clear_never_heals() -> None:
    humans = {trouble(error).reason for error in REASONS if isinstance(error, HumanNeededError)}
    later = {trouble(error).reason for error in REASONS if isinstance(error, RetryLaterError)}

    assert humans <= NEEDS_HUMAN
    assert not later & NEEDS_HUMAN


@pytest.mark.parametrize("why", RefusalReason)
def test_a_refusal_for_want_of_money_is_a_low_balance(why: RefusalReason) -> None:
    low = why is RefusalReason.INSUFFICIENT_BALANCE

    met = trouble(RefusedError(why, "1", "no"))

    assert met.reason is (Reason.LOW_BALANCE if low else Reason.REFUSED)
    assert met.pause_s == (3 if low else 5)


@pytest.mark.parametrize(("asked_s", "pause_s"), [(0, 1), (1, 1), (30, 30)])
def test_a_pause_is_as_long_as_the_exchange_asks_for(asked_s: int, pause_s: int) -> None:
    assert trouble(RateLimitedError("slow down", asked_s)).pause_s == pause_s


def test_why_an_outcome_is_unknown_says_more_than_that_it_is() -> None:
    lost = OutcomeUnknownError("sent, and then the connection broke")
    lost.__cause__ = UnavailableError("reset", 7)

    assert trouble(lost) == Trouble(Reason.UNAVAILABLE, "reset (retry after 7 s)", 7)


def test_a_cause_that_is_not_the_exchanges_leaves_the_outcome_unknown() -> None:
    lost = OutcomeUnknownError("timed out")
    lost.__cause__ = TimeoutError()

    assert trouble(lost).reason is Reason.UNRESOLVED


def test_an_error_that_nobody_has_placed_calls_for_a_human() -> None:
    class NewError(ExchangeError):
        """A branch that someone adds one day."""

    assert trouble(NewError("?")).reason is Reason.UNKNOWN_ANSWER


def test_a_branch_added_below_a_known_one_means_the_same() -> None:
    class BannedError(AccountRestrictedError):
        """A closer word."""

    assert trouble(BannedError("banned")).reason is Reason.RESTRICTED
