"""What can go wrong with the exchange; a branch says what the caller should do.

ExchangeError
├── RetryLaterError              nothing was placed; ask again, not before `retry_after_s`
│   ├── RateLimitedError         slow down
│   ├── UnavailableError         no connection, or the exchange is failing
│   ├── AccountBusyError         another operation of this account is under way
│   └── NotSentError             we held a write back ourselves: its time was over
├── SessionOverError             stop this user; new headers and cookies are needed
├── HumanNeededError             stop this user; only its human can clear this
│   ├── VerificationRequiredError  a challenge waits in the browser or the app
│   ├── AccountRestrictedError     the exchange restricted the account
│   └── FirewalledError            the exchange's firewall turned the request away
├── RefusedError                 nothing was placed, for the given reason; do not repeat it as is
├── OutcomeUnknownError          the order may or may not exist; look before you act
└── ContractDriftError           the exchange speaks otherwise than we know; pause and tell us
    ├── UnknownCodeError         an error code that is not in our table
    ├── UnexpectedShapeError     a field is missing or of another type
    └── UndecodableError         not JSON at all

An error other than OutcomeUnknownError, raised by a placement or a cancel, promises that the
request had no effect.
"""

from enum import Enum


class RefusalReason(Enum):
    """Why the exchange refused; the words are for a person."""

    AMOUNT_MISMATCH = "price times quantity did not equal the payment amount"
    OFF_GRID = "price or quantity was not on the symbol's grid"
    INSUFFICIENT_BALANCE = "the balance was insufficient"
    INSUFFICIENT_TOKENS = "the wallet held fewer tokens than were to be sold"
    NOTIONAL_TOO_SMALL = "the order was below the minimum notional"
    QUANTITY_TOO_LARGE = "the quantity was above the maximum"
    INVALID_FORMAT = "the exchange did not accept the request's format"
    INVALID_PRICE_OR_AMOUNT = "the exchange did not accept the price or the amount"


class SentenceError(Exception):
    """Its text is a sentence for a person: what is wrong, and what to do."""


class ExchangeError(SentenceError):
    """Something between us and the exchange went wrong."""


class RetryLaterError(ExchangeError):
    """Nothing was placed; the same request may be made again, not before `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: int = 0) -> None:
        super().__init__(message, retry_after_s)
        self.message = message
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        wait = f" (retry after {self.retry_after_s} s)" if self.retry_after_s else ""
        return f"{self.message}{wait}"


class RateLimitedError(RetryLaterError):
    """Too many requests; slow down."""


class UnavailableError(RetryLaterError):
    """The exchange could not be reached or is failing."""


class AccountBusyError(RetryLaterError):
    """Another operation of this account is under way."""


class NotSentError(RetryLaterError):
    """A write was not sent, because the right to send it may be over."""


class SessionOverError(ExchangeError):
    """The session has ended; the user must bring new headers and cookies."""


class HumanNeededError(ExchangeError):
    """The account's human must act; no program can or should."""


class VerificationRequiredError(HumanNeededError):
    """A verification challenge waits for the account's human in the browser or the app."""


class AccountRestrictedError(HumanNeededError):
    """The exchange restricted this account."""


class FirewalledError(HumanNeededError):
    """The exchange's firewall turned the request away; back off for long."""


class RefusedError(ExchangeError):
    """The exchange refused, with a reason that we know; nothing was placed."""

    def __init__(self, reason: RefusalReason, code: str, message: str) -> None:
        super().__init__(reason, code, message)
        self.reason = reason
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"refused: {self.reason.value} (code {self.code}: {self.message})"


class OutcomeUnknownError(ExchangeError):
    """A placement or a cancel was sent and its outcome is not known; `__cause__` says why."""


class ContractDriftError(ExchangeError):
    """The exchange answered in a way that we do not know."""


class UnknownCodeError(ContractDriftError):
    """An error code that is not in our table."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"unknown code {self.code}: {self.message}"


class UnexpectedShapeError(ContractDriftError):
    """A field is missing or of another type than we know."""


class UndecodableError(ContractDriftError):
    """An answer that is not JSON."""
