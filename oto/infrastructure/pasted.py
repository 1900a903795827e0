"""A login as people have it: copied from a browser, exported by it, or in a file of sessions."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec

from oto.domain.errors import SentenceError
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.copied_curl import header_lines

Pairs: TypeAlias = list[tuple[str, str]]

_REQUEST_LINE = re.compile(r"[A-Z]+ \S+ HTTP/[\d.]+")
# A browser writes a header without a value as `name;` into a command.
_HEADER = re.compile(r"(:?[^\s:;]+)(?::(.*)|;)")
_HOW = (
    "open the developer tools of a logged-in browser, choose a request under Network whose"
    " address holds /bapi/ and /private/, and copy it as cURL"
)


class PastedError(SentenceError, ValueError):
    """What was pasted is not a whole login; the message shows none of its values."""


class _Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a login; its text shows nothing of it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<hidden>)"


class _Session(_Hidden, frozen=True, kw_only=True):
    name: str | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    cookies: dict[str, str] | str = ""


class _Header(_Hidden, frozen=True, kw_only=True):
    name: str
    value: str


class _Request(_Hidden, frozen=True, kw_only=True):
    url: str
    headers: list[_Header]


class _Entry(_Hidden, frozen=True, kw_only=True):
    request: _Request
    started_at: Annotated[datetime, msgspec.Meta(tz=True)] = msgspec.field(name="startedDateTime")


class _Log(_Hidden, frozen=True, kw_only=True):
    entries: list[_Entry]


class _File(_Session, frozen=True, kw_only=True):
    """One session, or several users' sessions, or a browser's HAR export."""

    users: list[_Session] | None = None
    log: _Log | None = None


def read_login(text: str, user: str | None = None) -> Credentials:
    """Return the login that a text holds.

    It may be a request copied as cURL for bash or cmd, lines `Name: value`, a HAR export (its
    newest private request counts), or JSON: `{"headers", "cookies"}`, or `{"users": [{"name", …}]}`
    of which `user` names one, the first if None.

    Raises:
        PastedError: no such text, something is missing, or no such user.
    """
    try:
        return _login(text.strip(), user)
    except ValueError as error:
        sentence = str(error)
    del text  # a traceback may show locals
    raise PastedError(sentence)


def _login(text: str, user: str | None) -> Credentials:
    if not text.startswith(("{", "[")):
        is_command = text.startswith(("curl ", "curl.exe "))
        return _from_browser(_pairs(header_lines(text) if is_command else _lines(text)), user)
    file = _decoded(text)
    if file.log is not None:
        return _from_browser(_newest_private(file.log), user)
    session = _chosen(file, user)
    return Credentials(session.headers, session.cookies)


def _decoded(text: str) -> _File:
    try:
        return msgspec.json.decode(text, type=_File)
    # Their sentences name fields and show no values.
    except (msgspec.ValidationError, RecursionError) as error:
        raise PastedError(str(error)) from None
    except msgspec.DecodeError as error:
        raise PastedError(f"not JSON: {error}") from None
    except UnicodeEncodeError:
        raise PastedError("not JSON: it is not UTF-8 text") from None


def _chosen(file: _File, user: str | None) -> _Session:
    for session in [file] if file.users is None else file.users:
        if user in {None, session.name}:
            return session
    raise PastedError("It holds no user of that name." if user else "Its list of users is empty.")


def _newest_private(log: _Log) -> Pairs:
    private = [entry for entry in log.entries if _is_private(entry.request)]
    if not private:
        raise PastedError(
            "This HAR file holds no request with cookies to /bapi/…/private/…;"
            " export it from a logged-in page, with sensitive data."
        )
    newest = max(private, key=lambda entry: entry.started_at)
    return [(header.name, header.value) for header in newest.request.headers]


def _is_private(request: _Request) -> bool:
    path = request.url.partition("?")[0]
    has_cookies = any(header.name.lower() == "cookie" for header in request.headers)
    return "/bapi/" in path and "/private/" in path and has_cookies


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return lines[1:] if lines and _REQUEST_LINE.fullmatch(lines[0]) else lines


def _pairs(lines: Iterable[str]) -> Pairs:
    return [_pair(line, number) for number, line in enumerate(lines, 1)]


def _pair(line: str, number: int) -> tuple[str, str]:
    header = _HEADER.fullmatch(line)
    if header is None:
        raise PastedError(f"Header {number} is not of the form `Name: value`; {_HOW}.")
    return header[1], header[2] or ""


def _from_browser(pairs: Pairs, user: str | None) -> Credentials:
    if user is not None:
        raise PastedError("It holds one login without a name; do not ask for a user by name.")
    headers = {name.lower(): value for name, value in pairs}
    headers.pop("cookie", None)  # the last of several only
    cookies = "; ".join(value for name, value in pairs if name.lower() == "cookie")
    _check_complete(headers, cookies)
    return Credentials(headers, cookies)


def _check_complete(headers: dict[str, str], cookies: str) -> None:
    present = {name.strip() for name, _, value in _split(cookies) if value.strip()}
    if "p20t" not in present:
        raise PastedError(f"The cookie p20t, which proves the login, is missing; {_HOW}.")
    if not (present & {"cr00", "csrfToken"} or headers.get("csrftoken", "").strip()):
        raise PastedError(f"The cookie cr00 and the header csrftoken are missing; {_HOW}.")


def _split(cookies: str) -> list[tuple[str, str, str]]:
    return [cookie.partition("=") for cookie in cookies.split(";")]
