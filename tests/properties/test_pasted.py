"""Whatever headers and cookies a login has, each way of copying it gives it back.

And whatever is pasted, whole or cut off anywhere, it is a login or one sentence without a value.
"""

import re
import shlex
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.pasted import PastedError, read_login
from tests import logins

pytestmark = pytest.mark.unit

Quote = Callable[[str], str]

URL = "https://www.binance.com/bapi/asset/v1/private/x?a=1&b=%20'^\""
CANARY = "5f0c1dcanary"


def bash_unicode(text: str) -> str:
    """Quote as Chromium does: controls and ! as four hexadecimal digits."""
    if not re.search(r"[\x00-\x1f\x7f-\x9f!']", text):
        return f"'{text}'"
    inner = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + re.sub(r"[\x00-\x1f\x7f-\x9f!]", lambda c: f"\\u{ord(c[0]):04x}", inner) + "'"


def bash_hex(text: str) -> str:
    """Quote as Firefox does: all but printable ASCII in two hexadecimal digits, ! in octal."""
    if not re.search(r"[^\x20-\x7e]|[!']", text):
        return f"'{text}'"
    inner = text.replace("\\", "\\\\").replace("'", "\\'").replace("!", "\\041")
    return "$'" + re.sub(r"[^\x20-\x7e]", lambda c: f"\\x{ord(c[0]):02x}", inner) + "'"


def cmd_inner(text: str) -> str:
    """Escape for Windows: for the program first, then for the shell, which would expand %NAME%."""
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    inner = re.sub(r"[^a-zA-Z0-9\s_:=+~'/.,?;()*`-]", r"^\g<0>", inner)
    return re.sub(r"%(?=[a-zA-Z0-9_])", "%^", inner)


def cmd(text: str) -> str:
    return f'^"{cmd_inner(text)}^"'


def older_cmd(text: str) -> str:
    return f'"{cmd_inner(text)}"'


SHELLS = {
    "bash, as Chromium": (bash_unicode, " \\\n  "),
    "bash, as Firefox": (bash_hex, " \\\n  "),
    "bash, plain": (shlex.quote, " "),
    "cmd": (cmd, " ^\n  "),
    "cmd, older": (older_cmd, " ^\r\n  "),
}
shells = pytest.mark.parametrize(("quote", "between"), SHELLS.values(), ids=SHELLS)


def command(
    headers: dict[str, str], cookies: dict[str, str], quote: Quote, between: str, body: str = ""
) -> str:
    lines = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in headers.items()]
    return between.join(
        [
            f"curl {quote(URL)}",
            *(f"-H {quote(line)}" for line in lines),
            f"-b {quote(logins.cookie_text(cookies))}",
            f"--data-raw {quote(body)}",
        ]
    )


@shells
@given(logins.headers, logins.cookies, st.text(logins.SENDABLE))
@example({"x": "$", "y": "a'b"}, {"cr00": "1", "p20t": "$'"}, "'")
@example({}, {"cr00": "1", "p20t": "2"}, "curl")
@example({"x": "\\", "y": '\\"'}, {"cr00": "%PATH%", "p20t": "^^"}, '"')
def test_a_copied_command_gives_the_login_back(
    quote: Quote, between: str, headers: dict[str, str], cookies: dict[str, str], body: str
) -> None:
    text = command(headers, cookies, quote, between, body)
    assert read_login(text).reveal_headers() == Credentials(headers, cookies).reveal_headers()


@given(logins.headers, logins.cookies)
def test_header_lines_give_the_login_back(headers: dict[str, str], cookies: dict[str, str]) -> None:
    given_headers = headers | {"Cookie": logins.cookie_text(cookies)}
    text = "\n".join(f"{name}: {value}" for name, value in given_headers.items())
    assert read_login(text).reveal_headers() == Credentials(headers, cookies).reveal_headers()


SECRET = {"lang": f"it's \\ {CANARY}!", "csrftoken": CANARY}
SECRETS = {"cr00": f"{CANARY}'", "p20t": f'{CANARY}"^%A'}


def refusal(text: str) -> str | None:
    """Return all that can be seen of the refusal of a text; None if it is a login."""
    try:
        read_login(text)
    except PastedError as error:
        return logins.told(error)
    return None


@shells
@given(st.data())
def test_a_command_cut_off_anywhere_is_a_login_or_a_sentence(
    quote: Quote, between: str, data: st.DataObject
) -> None:
    text = command(SECRET, SECRETS, quote, between)
    end = data.draw(st.integers(0, len(text)))
    assert CANARY not in (refusal(text[:end]) or "")


@given(st.text())
@example("curl \\")
@example("curl ^")
@example("curl $'\\")
@example('{"users": [{"name": "\\ud800"}]}')
def test_any_text_is_a_login_or_a_sentence(text: str) -> None:
    assert refusal(text) != ""
