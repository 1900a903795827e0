"""What people paste as a login is read as the browser sent it, or refused in a sentence."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.pasted import PastedError, read_login
from tests.logins import told

pytestmark = pytest.mark.unit

CANARY = "canary-5f0c1d"
COOKIES = f"cr00={CANARY}1; p20t=web.1.{CANARY}; theme=dark"
HEADERS = {"user-agent": "Mozilla/5.0 (X11)", "sec-ch-ua": '"Chromium";v="152", "a\\b"'}
EXPECTED = Credentials(HEADERS, COOKIES).reveal_headers()
URL = "https://www.binance.com/bapi/defi/v1/private/alpha-trade/order/get-open-order?side=&a=1"

CHROME = rf"""curl '{URL}' \
  -H 'user-agent: Mozilla/5.0 (X11)' \
  -H 'sec-ch-ua: "Chromium";v="152", "a\b"' \
  -b '{COOKIES}' \
  --data-raw $'{{"note":"it\'s \u0021 -H \'x: y\' "}}' ;"""
FIREFOX = rf"""curl '{URL}' \
  --compressed \
  -X POST \
  -H 'User-Agent: Mozilla/5.0 (X11)' \
  -H $'Sec-Ch-Ua: "Chromium";v="152", \x22a\\b\042' \
  -H 'Cookie: {COOKIES}' \
  -H 'Connection: keep-alive'"""
LONG_OPTIONS = rf"""curl --location '{URL}' --header 'user-agent: Mozilla/5.0 (X11)' \
  --header 'sec-ch-ua: "Chromium";v="152", "a\b"' --cookie '{COOKIES}'"""
DOUBLE_QUOTES = rf"""curl "{URL}" -H "user-agent: Mozilla/5.0 (X11)" \
  -H "sec-ch-ua: \"Chromium\";v=\"152\", \"a\\b\"" -H "cookie: {COOKIES}" """
CMD = rf"""curl ^"{URL.replace("&", "^&")}^" ^
  -H ^"user-agent: Mozilla/5.0 (X11)^" ^
  -H ^"sec-ch-ua: ^\^"Chromium^\^";v=^\^"152^\^", ^\^"a^\^\b^\^"^" ^
  -b ^"{COOKIES}^" ^
  --data-raw ^"^{{^\^"note^\^":^\^"it's 5^%^^^\^"^}}^" """
OLDER_CMD = rf"""curl.exe "{URL.replace("&", "^&")}" ^
  -H "user-agent: Mozilla/5.0 (X11)" ^
  -H "sec-ch-ua: ^\^"Chromium^\^";v=^\^"152^\^", ^\^"a^\^\b^\^"" ^
  -H "cookie: {COOKIES}" ^
  --compressed"""
HEADER_LINES = rf"""GET /bapi/x HTTP/1.1
:authority: www.binance.com
Host: www.binance.com
User-Agent: Mozilla/5.0 (X11)
Sec-Ch-Ua:"Chromium";v="152", "a\b"

cookie: cr00={CANARY}1; p20t=web.1.{CANARY}
cookie: theme=dark
"""


def har_entry(started_at: str, cookie: str | None, url: str = URL) -> dict[str, Any]:
    given = HEADERS | ({} if cookie is None else {"Cookie": cookie})
    headers = [{"name": name, "value": value} for name, value in given.items()]
    return {
        "startedDateTime": started_at,
        "request": {"method": "GET", "url": url, "headers": headers, "cookies": []},
        "response": {"status": 200},
    }


def har(*entries: dict[str, Any]) -> str:
    return json.dumps({"log": {"version": "1.2", "entries": entries}})


HAR = har(
    har_entry("2026-11-01T10:00:00.000Z", "cr00=old; p20t=old"),
    har_entry("2026-11-01T12:00:01.500+01:00", COOKIES),
    har_entry("2026-11-01T10:30:00Z", "cr00=older; p20t=older"),
    har_entry("2026-11-01T12:00:00Z", None),
    har_entry("2026-11-01T12:00:00Z", "cr00=x; p20t=x", URL.replace("/private/", "/public/")),
    har_entry("2026-11-01T12:00:00Z", "cr00=x", "https://x.org/?u=/bapi/v1/private/"),
)
SESSION = json.dumps({"headers": HEADERS, "cookies": COOKIES})
JAR = json.dumps({"headers": HEADERS, "cookies": dict(c.split("=") for c in COOKIES.split("; "))})
FORMS = {
    "chrome": CHROME,
    "firefox": FIREFOX,
    "long options": LONG_OPTIONS,
    "double quotes": DOUBLE_QUOTES,
    "cmd": CMD,
    "older cmd": OLDER_CMD,
    "header lines": HEADER_LINES,
    "har": HAR,
    "session": SESSION,
    "jar": JAR,
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_every_form_gives_the_same_login(text: str, newline: str) -> None:
    pasted = f"\n  {text}\n".replace("\n", newline)
    assert read_login(pasted).reveal_headers() == EXPECTED


def test_a_header_without_a_value_is_kept() -> None:
    assert read_login(f"{LONG_OPTIONS} -H 'x-empty;'").reveal_headers()["x-empty"] == ""


def test_a_user_of_a_file_of_sessions_is_chosen_by_name() -> None:
    users = [{"name": name, "cookies": {"cr00": name, "p20t": "1"}} for name in ("ann", "bob")]
    text = json.dumps({"users": users})
    assert read_login(text, "bob").reveal_headers()["cookie"] == "cr00=bob; p20t=1"
    assert read_login(text).reveal_headers()["cookie"] == "cr00=ann; p20t=1"


def test_without_cr00_the_header_csrftoken_is_enough() -> None:
    login = read_login(f"csrftoken: {CANARY}\ncookie: p20t=1")
    assert login.reveal_headers()["csrftoken"] == CANARY


def without(cookie: str) -> Callable[[str], str]:
    return lambda text: text.replace(f"{cookie}=", f"{cookie}x=")


@pytest.mark.parametrize("form", ["chrome", "firefox", "cmd", "older cmd", "header lines", "har"])
@pytest.mark.parametrize(
    ("lose", "problem"),
    [
        (without("p20t"), "The cookie p20t, which proves the login, is missing"),
        (without("cr00"), "The cookie cr00 and the header csrftoken are missing"),
        (lambda text: text.replace(f"web.1.{CANARY}", ""), "The cookie p20t"),
    ],
    ids=["no p20t", "no cr00", "empty p20t"],
)
def test_what_is_missing_is_named_with_how_to_copy_it(
    form: str, lose: Callable[[str], str], problem: str
) -> None:
    with pytest.raises(PastedError, match=f"^{problem}.* copy it as cURL.$") as caught:
        read_login(lose(FORMS[form]))
    assert CANARY not in told(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "The cookie p20t"),
        (CANARY, "Header 1 is not of the form"),
        (f"user-agent: x\n{CANARY} x", "Header 2 is not of the form"),
        (f"curl '{URL}' -H '{CANARY}'", "Header 1 is not of the form"),
        (f"curl '{URL}'", "The cookie p20t"),
        (f"curl '{URL}' -H 'cookie: {CANARY}", "cut off inside a quotation"),
        (f"curl '{URL}' -b $'{CANARY}\\'", "cut off inside a quotation"),
        (f'curl ^"{URL}^" -H ^"cookie: {CANARY}', "cut off inside a quotation"),
        (f"{CHROME}\n{CHROME}", "several commands"),
        (f"{CHROME} -H 'lang: {CANARY} 中'", "header 'lang' is not one line"),
        (f"{CHROME} -H $'lang: {CANARY}\\ud83d'", "header 'lang' is not one line"),
        (har(), "holds no request with cookies"),
        (har(har_entry("2026-11-01T12:00:00Z", None)), "with sensitive data"),
        (har(har_entry(CANARY, COOKIES)), "Invalid RFC3339"),
        (f'{{"log": "{CANARY}"}}', "Expected `object"),
        (f'{{"cookies": "{CANARY}', "not JSON"),
        (f'{{"cookies": "{CANARY}\ud83d"}}', "not JSON: it is not UTF-8 text"),
        (f'["{CANARY}"]', "Expected `object`"),
        ('{"x": ' + "[" * 100_000, "recursion depth"),
        (f'{{"headers": {{"lang": "{CANARY}"}}}}', "hold no cookie"),
        (f'{{"cookies": {{"p20t": "{CANARY}"}}}}', "neither the cookie cr00"),
        ('{"users": []}', "list of users is empty"),
    ],
    ids=range(22),
)
def test_what_is_no_login_is_told_without_a_value(text: str, problem: str) -> None:
    with pytest.raises(PastedError, match=problem) as caught:
        read_login(text)
    assert CANARY not in told(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [(CHROME, "one login without a name"), (HAR, "one login without a name"), (SESSION, "no user")],
    ids=["curl", "har", "session"],
)
def test_a_name_that_is_not_there_is_told(text: str, problem: str) -> None:
    with pytest.raises(PastedError, match=problem):
        read_login(text, "zoe")
