"""What an answer means: an envelope that says success, or the error its signals stand for.

Signals in the order of their weight: status, challenge headers, content type, code, message
(PROTOCOL §3).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import ceil
from typing import TypeAlias

from oto.domain.errors import (
    AccountBusyError,
    AccountRestrictedError,
    ContractDriftError,
    ExchangeError,
    FirewalledError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusalReason,
    RefusedError,
    SessionOverError,
    UnavailableError,
    UndecodableError,
    UnexpectedShapeError,
    UnknownCodeError,
    VerificationRequiredError,
)
from oto.infrastructure.alpha.decoding import decode
from oto.infrastructure.alpha.schemas import Envelope

SUCCESS = "000000"
DEFAULT_RETRY_AFTER_S = 30
"""What one trader waits after a 429 without Retry-After (PROTOCOL §3)."""

_LONGEST_RETRY_AFTER_S = 24 * 3600
_LONGEST_MESSAGE = 200
_HTML_STARTS = (b"<!doctype", b"<html", b"<head", b"<body")

_Branch: TypeAlias = type[
    SessionOverError | VerificationRequiredError | AccountRestrictedError | AccountBusyError
]
Meaning: TypeAlias = RefusalReason | _Branch


class ChallengedError(VerificationRequiredError):
    """A challenge beside an answer that is no refusal: no promise of a write without effect."""


class SupposedlySessionOverError(SessionOverError):
    """A text says so, under a code that we do not know: no promise of a write without effect."""


BY_CODE: Mapping[str, Meaning] = {
    "100002001": SessionOverError,
    "100001005": SessionOverError,
    "100001003": VerificationRequiredError,
    "208075": VerificationRequiredError,
    "351022": AccountRestrictedError,
    # Illegal parameter; its two known texts are told apart by message.
    "000002": RefusalReason.INVALID_FORMAT,
    "481001": RefusalReason.INVALID_FORMAT,
    "481002": RefusalReason.INVALID_PRICE_OR_AMOUNT,
    "481003": RefusalReason.INSUFFICIENT_BALANCE,
    "481011": RefusalReason.QUANTITY_TOO_LARGE,
    "481013": RefusalReason.NOTIONAL_TOO_SMALL,
    "481020": RefusalReason.INSUFFICIENT_BALANCE,
}
# Looked at for code 000002 and for codes that are not in the table.
BY_MESSAGE: Mapping[str, Meaning] = {
    "must be the same as sum(paymentDetail.amount)": RefusalReason.AMOUNT_MISMATCH,
    "must be an integer multiple of the minimum amount movement": RefusalReason.OFF_GRID,
    "Total must be greater than": RefusalReason.NOTIONAL_TOO_SMALL,
    "step flows have not finish": VerificationRequiredError,
    "补充认证失败": VerificationRequiredError,
    "该账户有异步操作进行中": AccountBusyError,
    "登录状态已经失效": SessionOverError,
    "请检查是否已登录": SupposedlySessionOverError,
    "请求失败": SupposedlySessionOverError,
}
_SAYS_MORE_IN_ITS_MESSAGE = "000002"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, reduced to its signals; headers are not kept, the body is not shown."""

    status: int
    content_type: str = ""
    retry_after: str = ""
    date: str = ""
    challenged: bool = False
    firewall_action: str = ""
    body: bytes = field(default=b"", repr=False)


def is_challenged(headers: Mapping[str, str]) -> bool:
    """Tell whether the headers announce risk control (PROTOCOL §0, fact 10)."""
    return (
        bool(headers.get("risk_challenge_biz_no", "").strip())
        and headers.get("risk_challenge_enable_flow", "").strip().lower() == "true"
    )


def classify(answer: Answer) -> Envelope | ExchangeError:
    """Return the envelope of a success, or the error that the answer stands for."""
    if error := _by_status(answer):
        return error
    result = _by_body(answer)
    if not answer.challenged or isinstance(result, Envelope):
        return result
    refused = not isinstance(result, UndecodableError | UnexpectedShapeError | FirewalledError)
    return verification() if refused else ChallengedError(str(verification()))


def verification() -> VerificationRequiredError:
    """Return the error of a risk challenge; its number is not for anyone but the user's browser."""
    return VerificationRequiredError("the exchange asks the user for a verification")


def _by_status(answer: Answer) -> ExchangeError | None:
    match answer.status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimitedError(
                "too many requests", _retry_after_s(answer, DEFAULT_RETRY_AFTER_S)
            )
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.IM_A_TEAPOT:
            return SessionOverError(f"the session is over (HTTP {answer.status})")
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wait_s = _retry_after_s(answer, 0)
            return UnavailableError(f"the exchange is failing (HTTP {status})", wait_s)
        case status if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return UndecodableError(f"HTTP {status}: the endpoint may have moved")
        case _:
            return None


def _retry_after_s(answer: Answer, default_s: int) -> int:
    """Read seconds, or a date as seconds from the answer's own date; else return the default."""
    text = answer.retry_after
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), _LONGEST_RETRY_AFTER_S)
    until, since = _moment(text), _moment(answer.date)
    if until is None or since is None:
        return default_s
    return min(max(ceil((until - since).total_seconds()), 0), _LONGEST_RETRY_AFTER_S)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _by_body(answer: Answer) -> Envelope | ExchangeError:
    try:
        envelope = decode(answer.body, Envelope, "answer")
    except ContractDriftError as error:
        return _by_absence_of_an_envelope(answer, error)
    if str(envelope.code) != SUCCESS:
        return by_code(str(envelope.code), _readable(envelope.message))
    if envelope.success is False or answer.status >= HTTPStatus.BAD_REQUEST:
        return UnexpectedShapeError("answer: its code says success, the rest says otherwise")
    return envelope


def _by_absence_of_an_envelope(answer: Answer, error: ContractDriftError) -> ExchangeError:
    if answer.firewall_action or answer.status in {HTTPStatus.FORBIDDEN, HTTPStatus.ACCEPTED}:
        return FirewalledError(f"the firewall turned the request away (HTTP {answer.status})")
    if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE}:
        return UndecodableError(f"HTTP {answer.status}: the endpoint may have moved")
    if _is_html(answer):
        return FirewalledError(f"a web page came instead of an answer (HTTP {answer.status})")
    return error


def _is_html(answer: Answer) -> bool:
    start = answer.body[:64].lstrip().lower()
    return "html" in answer.content_type.lower() or start.startswith(_HTML_STARTS)


def by_code(code: str, message: str) -> ExchangeError:
    """Return the error that a code and a message stand for."""
    meaning = BY_CODE.get(code)
    if meaning is None or code == _SAYS_MORE_IN_ITS_MESSAGE:
        meaning = _by_message(message) or meaning
    if meaning is None:
        return UnknownCodeError(_readable(code), message)
    if isinstance(meaning, RefusalReason):
        return RefusedError(meaning, code, message)
    return meaning(f"{message or 'no message'} (code {_readable(code)})")


def _by_message(message: str) -> Meaning | None:
    return next((meaning for text, meaning in BY_MESSAGE.items() if text in message), None)


def _readable(message: object) -> str:
    """Cut a foreign text to what a log line or a terminal can bear."""
    text = message if isinstance(message, str) else ""
    return "".join(sign if sign.isprintable() else " " for sign in text[:_LONGEST_MESSAGE])


# These say that the request had no effect; any other error leaves a write's outcome open.
_WITHOUT_EFFECT = (
    RateLimitedError,
    AccountBusyError,
    SessionOverError,
    VerificationRequiredError,
    AccountRestrictedError,
    RefusedError,
    OutcomeUnknownError,
)


_UNSURE = (SupposedlySessionOverError, ChallengedError)


def of_a_write(error: ExchangeError, name: str) -> ExchangeError:
    """Return what an answer's error means for a write: itself, or that the outcome is unknown."""
    if isinstance(error, _WITHOUT_EFFECT) and not isinstance(error, _UNSURE):
        return error
    return outcome_unknown(name, error)


def outcome_unknown(name: str, cause: ExchangeError) -> OutcomeUnknownError:
    """Return that a write was sent and may have had its effect, and why we do not know."""
    unknown = OutcomeUnknownError(f"{name}: sent, but the outcome is not known: {cause}")
    unknown.__cause__ = cause
    return unknown
