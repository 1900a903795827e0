"""Every signal of the exchange leads to the branch that says what to do."""

import json

import pytest

from oto.domain import errors as tree
from oto.domain.errors import RefusalReason
from oto.infrastructure.alpha.errors import (
    BY_CODE,
    BY_MESSAGE,
    Answer,
    by_code,
    classify,
    is_challenged,
    of_a_write,
)
from oto.infrastructure.alpha.schemas import Envelope
from tests.samples import sample, sample_bytes

pytestmark = pytest.mark.unit

# PROTOCOL §3, code by code.
CODES: dict[str, type[tree.ExchangeError] | RefusalReason] = {
    "100002001": tree.SessionOverError,
    "100001005": tree.SessionOverError,
    "000002": RefusalReason.INVALID_FORMAT,
    "481020": RefusalReason.INSUFFICIENT_BALANCE,
    "481013": RefusalReason.NOTIONAL_TOO_SMALL,
    "481011": RefusalReason.QUANTITY_TOO_LARGE,
    "481001": RefusalReason.INVALID_FORMAT,
    "481002": RefusalReason.INVALID_PRICE_OR_AMOUNT,
    "481003": RefusalReason.INSUFFICIENT_BALANCE,
    "351022": tree.AccountRestrictedError,
    "100001003": tree.VerificationRequiredError,
    "208075": tree.VerificationRequiredError,
}


def envelope_of(code: str, message: str = "") -> bytes:
    return json.dumps({"code": code, "message": message, "data": None}).encode()


def test_the_table_holds_every_known_code_and_no_other() -> None:
    assert dict(BY_CODE) == CODES


@pytest.mark.parametrize(("code", "meaning"), CODES.items())
def test_each_code_has_its_branch(
    code: str, meaning: type[tree.ExchangeError] | RefusalReason
) -> None:
    error = by_code(code, "words")
    if isinstance(meaning, RefusalReason):
        assert isinstance(error, tree.RefusedError)
        assert (error.reason, error.code, error.message) == (meaning, code, "words")
    else:
        assert type(error) is meaning


@pytest.mark.parametrize(("text", "meaning"), BY_MESSAGE.items())
def test_each_known_text_has_its_branch_under_an_unknown_code(
    text: str, meaning: type[tree.ExchangeError] | RefusalReason
) -> None:
    error = by_code("999999", f"... {text} ...")
    if isinstance(meaning, RefusalReason):
        assert isinstance(error, tree.RefusedError)
        assert error.reason is meaning
    else:
        assert type(error) is meaning


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rest_error_amount_mismatch.json", RefusalReason.AMOUNT_MISMATCH),
        ("rest_error_oto_amount_mismatch.json", RefusalReason.AMOUNT_MISMATCH),
        ("rest_error_step.json", RefusalReason.OFF_GRID),
        ("rest_error_insufficient_balance.json", RefusalReason.INSUFFICIENT_BALANCE),
        ("rest_error_min_notional.json", RefusalReason.NOTIONAL_TOO_SMALL),
        ("rest_error_qty_too_large.json", RefusalReason.QUANTITY_TOO_LARGE),
    ],
)
def test_a_recorded_refusal_has_its_reason(name: str, reason: RefusalReason) -> None:
    error = classify(Answer(200, body=sample_bytes(name)))
    assert isinstance(error, tree.RefusedError)
    assert error.reason is reason
    assert error.message == sample(name)["message"]


def test_the_recorded_end_of_a_session_is_the_end_of_the_session() -> None:
    error = classify(Answer(200, body=sample_bytes("rest_error_session_expired.json")))
    assert isinstance(error, tree.SessionOverError)


def test_the_recorded_challenge_needs_a_human() -> None:
    recorded = sample("rest_error_risk_challenge.json")
    assert is_challenged(recorded["headers"])
    body = json.dumps(recorded["body"]).encode()
    assert isinstance(classify(Answer(200, body=body)), tree.VerificationRequiredError)


@pytest.mark.parametrize("body", [envelope_of("777"), b"<html>", b"", b"{}"])
def test_challenge_headers_outweigh_the_body(body: bytes) -> None:
    error = classify(Answer(200, challenged=True, body=body))
    assert isinstance(error, tree.VerificationRequiredError)


def test_a_success_with_challenge_headers_is_a_success() -> None:
    assert isinstance(classify(Answer(200, challenged=True, body=envelope_of("000000"))), Envelope)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"risk_challenge_biz_no": "1"},
        {"risk_challenge_biz_no": "", "risk_challenge_enable_flow": "true"},
        {"risk_challenge_biz_no": "1", "risk_challenge_enable_flow": "false"},
    ],
)
def test_half_a_challenge_is_none(headers: dict[str, str]) -> None:
    assert not is_challenged(headers)


@pytest.mark.parametrize(
    ("answer", "branch"),
    [
        (Answer(401), tree.SessionOverError),
        (Answer(418), tree.SessionOverError),
        (Answer(429, body=b"<html>"), tree.RateLimitedError),
        (Answer(500), tree.UnavailableError),
        (Answer(503, "text/html", body=b"<html>"), tree.UnavailableError),
        (Answer(403, "text/html", body=b"<html>"), tree.FirewalledError),
        (Answer(403, body=b"{}"), tree.FirewalledError),
        (Answer(202), tree.FirewalledError),
        (Answer(405, firewall_action="captcha"), tree.FirewalledError),
        (Answer(200, body=b"  <!DOCTYPE html>"), tree.FirewalledError),
        (Answer(200, "text/html"), tree.FirewalledError),
        (Answer(302), tree.UndecodableError),
        (Answer(404, "text/html", body=b"<html>"), tree.UndecodableError),
        (Answer(404, body=b'{"status":404}'), tree.UndecodableError),
        (Answer(200, body=b"OK"), tree.UndecodableError),
        (Answer(200, body=b'{"data":[]}'), tree.UnexpectedShapeError),
        (Answer(400, body=envelope_of("000000")), tree.UnexpectedShapeError),
        (Answer(200, body=b'{"code":"000000","success":false}'), tree.UnexpectedShapeError),
        (Answer(403, body=envelope_of("481020")), tree.RefusedError),
        (Answer(200, body=envelope_of("123456", "?")), tree.UnknownCodeError),
    ],
)
def test_other_signals_have_their_branch(answer: Answer, branch: type[tree.ExchangeError]) -> None:
    assert type(classify(answer)) is branch


@pytest.mark.parametrize(("status", "hint"), [(404, "moved"), (301, "moved")])
def test_an_endpoint_that_is_gone_is_said_to_have_moved(status: int, hint: str) -> None:
    assert hint in str(classify(Answer(status)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("", 30),
        ("soon", 30),
        ("9" * 99, 86400),
        ("Wed, 21 Oct 2026 07:28:20 GMT", 20),
        ("Wednesday, 21-Oct-26 07:28:20 GMT", 20),
        ("Wed, 21 Oct 2026 07:28:20 -0000", 20),
        ("Wed, 21 Oct 2026 09:28:20 +0200", 20),
        ("Wed, 21 Oct 2026 07:27:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("Wed, 99 Oct 2026 07:28:20 GMT", 30),
        (f"{'9' * 30} Oct 2026 07:28:20 GMT", 30),
    ],
)
def test_retry_after_is_read_in_seconds_or_as_a_date_after_the_answers_own(
    text: str, seconds: int
) -> None:
    now = "Wed, 21 Oct 2026 07:28:00 GMT"
    error = classify(Answer(429, retry_after=text, date=now))
    assert isinstance(error, tree.RateLimitedError)
    assert error.retry_after_s == seconds


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_retry_after_date_means_nothing_without_the_answers_own_date(date: str) -> None:
    error = classify(Answer(429, retry_after="Wed, 21 Oct 2026 07:28:20 GMT", date=date))
    assert isinstance(error, tree.RateLimitedError)
    assert error.retry_after_s == 30


@pytest.mark.parametrize(("text", "seconds"), [("", 0), ("12", 12)])
def test_a_failing_exchange_may_say_when_to_come_back(text: str, seconds: int) -> None:
    error = classify(Answer(503, retry_after=text))
    assert isinstance(error, tree.UnavailableError)
    assert error.retry_after_s == seconds
    assert ("retry after 12 s" in str(error)) == bool(seconds)


@pytest.mark.parametrize("text", ["请求失败", "请检查是否已登录"])
def test_an_end_of_session_known_by_its_text_only_leaves_a_write_open(text: str) -> None:
    error = classify(Answer(200, body=envelope_of("999999", text)))
    assert isinstance(error, tree.SessionOverError)
    unknown = of_a_write(error, "place")
    assert isinstance(unknown, tree.OutcomeUnknownError)
    assert unknown.__cause__ is error


def test_an_end_of_session_known_by_its_code_had_no_effect_whatever_its_text() -> None:
    error = classify(Answer(200, body=envelope_of("100002001", "请求失败")))
    assert isinstance(error, tree.SessionOverError)
    assert of_a_write(error, "place") is error


def test_a_message_is_cut_and_cleared_of_control_characters() -> None:
    error = by_code("777", "x")
    assert str(error) == "unknown code 777: x"
    hostile = classify(Answer(200, body=envelope_of("777", "\x1b[2J\n" + "y" * 9999)))
    assert str(hostile).isprintable()
    assert len(str(hostile)) < 300


def test_a_message_detail_may_be_an_object() -> None:
    body = b'{"code":"481020","message":"no","messageDetail":{"title":null},"success":false}'
    assert isinstance(classify(Answer(200, body=body)), tree.RefusedError)


@pytest.mark.parametrize(
    "error",
    [
        tree.UnavailableError("x"),
        tree.FirewalledError("x"),
        tree.UndecodableError("x"),
        tree.UnexpectedShapeError("x"),
        tree.UnknownCodeError("1", "x"),
    ],
)
def test_what_leaves_a_write_open_becomes_outcome_unknown(error: tree.ExchangeError) -> None:
    unknown = of_a_write(error, "place")
    assert isinstance(unknown, tree.OutcomeUnknownError)
    assert unknown.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        tree.RateLimitedError("x", 1),
        tree.AccountBusyError("x"),
        tree.SessionOverError("x"),
        tree.VerificationRequiredError("x"),
        tree.AccountRestrictedError("x"),
        tree.RefusedError(RefusalReason.OFF_GRID, "1", "x"),
    ],
)
def test_what_had_no_effect_stays_itself_for_a_write(error: tree.ExchangeError) -> None:
    assert of_a_write(error, "place") is error
