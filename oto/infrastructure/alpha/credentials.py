"""What proves to the exchange who we are: a browser session's headers and cookies, a listen key."""

import hashlib
import re
from collections.abc import Mapping

from oto.infrastructure.alpha.sealed import Sealed

# Set anew by whoever sends the request (PROTOCOL §1.1), or meant for one connection only.
_NEVER_REPLAYED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-trace-id",
        "x-ui-request-trace",
    }
)
_FROM_COOKIES = {
    "bnc-uuid": "bnc-uuid",
    "fvideo-id": "BNC_FV_KEY",
    "fvideo-token": "BNC_FV_KEY_T",
}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\xa0-\xff]")
_LISTEN_KEY = re.compile(r"[0-9A-Za-z_-]{8,256}")


class Credentials(Sealed[dict[str, str]]):
    """One user's session, made of the headers and cookies that a browser sends.

    Raises:
        ValueError: a name or a value that cannot be sent, or no session in them; the message
            names the entry and never its value.
    """

    __slots__ = ("cookie_names",)

    def __init__(
        self, headers: Mapping[str, str], cookies: Mapping[str, str] | str | None = None
    ) -> None:
        given = _readable_headers(headers)
        jar = _cookies(given.get("cookie", ""), "the cookie header") | _cookies(cookies, "cookies")
        if not jar:
            raise ValueError("These credentials hold no cookie; copy them from a logged-in page.")
        super().__init__(_session_headers(given, jar))
        self.cookie_names = tuple(sorted(jar))

    def __repr__(self) -> str:
        return f"Credentials(cookies named {', '.join(self.cookie_names)})"

    def reveal_headers(self) -> dict[str, str]:
        """Return the secret headers, for the one place that sends them."""
        return dict(self._unseal())


class ListenKey(Sealed[str]):
    """The name of a user's private stream; whoever knows it can read the stream.

    Raises:
        ValueError: not a listen key.
    """

    __slots__ = ()

    def __init__(self, key: str) -> None:
        if not _LISTEN_KEY.fullmatch(key):
            raise ValueError("That is not a listen key.")
        super().__init__(key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ListenKey) and self._unseal() == other.reveal()

    def __hash__(self) -> int:
        return hash(self._unseal())

    def reveal(self) -> str:
        """Return the secret key, for the one place that subscribes with it."""
        return self._unseal()


def _readable_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name.strip().lower(): _value(value, f"header {name.strip()[:40]!r}")
        for name, value in headers.items()
        if not name.startswith(":") and _checked_name(name.strip(), "header")
    }


def _session_headers(given: Mapping[str, str], jar: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in given.items()
        if name not in _NEVER_REPLAYED and not name.startswith("proxy-")
    }
    derived = {name: jar[cookie] for name, cookie in _FROM_COOKIES.items() if cookie in jar}
    return {
        "clienttype": "web",
        **derived,
        **kept,
        "csrftoken": _csrf_token(given, jar),
        "cookie": "; ".join(f"{name}={value}" for name, value in jar.items()),
    }


def _csrf_token(given: Mapping[str, str], jar: Mapping[str, str]) -> str:
    if seed := jar.get("cr00"):
        return hashlib.md5(seed.encode("latin-1"), usedforsecurity=False).hexdigest()
    if token := jar.get("csrfToken") or given.get("csrftoken"):
        return token
    raise ValueError("These credentials hold neither the cookie cr00 nor the header csrftoken.")


def _cookies(cookies: Mapping[str, str] | str | None, where: str) -> dict[str, str]:
    if cookies is None:
        return {}
    pairs = _cookie_pairs(cookies) if isinstance(cookies, str) else list(cookies.items())
    return {
        name: _cookie_value(value, f"cookie {name[:40]!r}")
        for name, value in pairs
        if _checked_name(name, f"cookie in {where}")
    }


def _cookie_pairs(text: str) -> list[tuple[str, str]]:
    parts = [part.partition("=") for part in text.split(";") if part.strip()]
    return [(name.strip(), value.strip()) for name, _, value in parts]


def _checked_name(name: object, what: str) -> bool:
    # A wrong name may be a value that slipped: it is not shown.
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"The name of a {what} is not one that can be sent.")
    return True


def _cookie_value(value: object, what: str) -> str:
    text = _value(value, what)
    if ";" in text:
        raise ValueError(f"The value of {what} holds a semicolon.")
    return text


def _value(value: object, what: str) -> str:
    if not isinstance(value, str) or _UNSENDABLE.search(text := value.strip()):
        raise ValueError(f"The value of {what} is not one line of text that a header can carry.")
    return text
