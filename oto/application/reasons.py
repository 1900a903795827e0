"""What an error of the exchange means for the job that met it."""

from collections.abc import Mapping
from dataclasses import dataclass

from oto.domain.errors import (
    AccountBusyError,
    AccountRestrictedError,
    ContractDriftError,
    ExchangeError,
    FirewalledError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusalReason,
    RefusedError,
    RetryLaterError,
    SessionOverError,
    UnavailableError,
    VerificationRequiredError,
)
from oto.domain.job import Reason
from oto.domain.leg import StrangeStatusError

_REASONS: Mapping[type[ExchangeError], Reason] = {
    RateLimitedError: Reason.RATE_LIMITED,
    UnavailableError: Reason.UNAVAILABLE,
    AccountBusyError: Reason.ACCOUNT_BUSY,
    NotSentError: Reason.UNAVAILABLE,
    SessionOverError: Reason.SESSION_OVER,
    VerificationRequiredError: Reason.VERIFICATION,
    AccountRestrictedError: Reason.RESTRICTED,
    FirewalledError: Reason.FIREWALLED,
    RefusedError: Reason.REFUSED,
    ContractDriftError: Reason.UNKNOWN_ANSWER,
    StrangeStatusError: Reason.UNKNOWN_ANSWER,
    OutcomeUnknownError: Reason.UNRESOLVED,
}
_PAUSE_S: Mapping[Reason, int] = {Reason.REFUSED: 5, Reason.LOW_BALANCE: 3}
_SHORTEST_PAUSE_S = 1


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a job cannot go on, and for how long not to try, in seconds."""

    reason: Reason
    detail: str
    pause_s: int


def trouble(error: ExchangeError) -> Trouble:
    """Return what an error means, by the nearest branch of the error tree."""
    if isinstance(error, OutcomeUnknownError) and isinstance(error.__cause__, ExchangeError):
        # Why the outcome is unknown says more than that it is.
        return trouble(error.__cause__)
    reason = next(
        (_REASONS[kind] for kind in type(error).__mro__ if kind in _REASONS),
        Reason.UNKNOWN_ANSWER,
    )
    if isinstance(error, RefusedError) and error.reason is RefusalReason.INSUFFICIENT_BALANCE:
        reason = Reason.LOW_BALANCE
    pause_s = _PAUSE_S.get(reason, _SHORTEST_PAUSE_S)
    if isinstance(error, RetryLaterError):
        pause_s = max(pause_s, error.retry_after_s)
    return Trouble(reason, str(error), pause_s)
