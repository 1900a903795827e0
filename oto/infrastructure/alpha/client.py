"""The HTTP client: sends one request once and gives back an answer or the reason for none.

Errors of httpx carry the request, and with it the session's headers: none of them leaves this
file, neither raised nor as a cause or context.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeAlias
from urllib.parse import urlsplit

import httpx
import msgspec

from oto.domain.errors import ExchangeError, NotSentError, UnavailableError, UndecodableError
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.deadline import Deadline, bounded_transport
from oto.infrastructure.alpha.endpoints import Endpoint
from oto.infrastructure.alpha.errors import Answer, is_challenged

Query: TypeAlias = Mapping[str, str | int]

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, in seconds, and how much one request may take."""

    connect_s: float = 5
    read_s: float = 10
    write_s: float = 10
    pool_s: float = 5
    whole_s: float = 30
    body_bytes: int = 32 * 1024 * 1024


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why no answer came; `sent` is False only if the request cannot have left."""

    error: ExchangeError
    sent: bool


class NoConnectionError(UnavailableError):
    """No connection was made; nothing was sent."""


def always() -> bool:
    """Allow every request."""
    return True


class _Session(httpx.Auth):
    """Adds the secret headers inside httpx, so that no frame of ours has them in a local."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        secret = self._credentials.reveal_headers()
        request.headers.update(httpx.Headers(secret, encoding="latin-1"))
        yield request


class Client:
    """A connection pool to one base address, with a session or without; over `wire`, if given."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None,
        limits: Limits,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        self._limits = limits
        self._deadline = Deadline()
        self._has_session = credentials is not None
        self._http = httpx.Client(
            base_url=checked_base_url(base_url),
            auth=_Session(credentials) if credentials else None,
            # The session is what the user gave: cookies that come back are not kept.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(
                connect=limits.connect_s,
                read=limits.read_s,
                write=limits.write_s,
                pool=limits.pool_s,
            ),
            follow_redirects=False,
            transport=wire or bounded_transport(self._deadline),
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        endpoint: Endpoint,
        trace_id: str,
        query: Query | None = None,
        body: Mapping[str, object] | None = None,
        may_send: Callable[[], bool] = always,
    ) -> Answer | NoAnswer:
        """Send a request once, if `may_send`, asked last, allows it.

        Raises:
            ValueError: the endpoint needs a session and this client has none.
        """
        if endpoint.needs_session and not self._has_session:
            raise ValueError(f"{endpoint.name} needs a session")
        request = self._http.build_request(
            endpoint.method,
            endpoint.path,
            params=query,
            content=None if body is None else msgspec.json.encode(body),
            headers=_headers(trace_id, has_body=body is not None),
        )
        # Counted from before it is asked: whoever is held up afterwards sends nothing any more.
        with self._deadline.within(self._limits.whole_s):
            if not may_send():
                reason = f"{endpoint.name}: not sent, for it was held up too long"
                return NoAnswer(NotSentError(reason), sent=False)
            return self._exchange(request)

    def _exchange(self, request: httpx.Request) -> Answer | NoAnswer:
        try:
            response = self._http.send(request, stream=True)
            try:
                return self._read(response)
            finally:
                response.close()
        except _NEVER_SENT as error:
            reason = f"no connection ({type(error).__name__})"
            return NoAnswer(NoConnectionError(reason), sent=False)
        except httpx.DecodingError:
            return NoAnswer(UndecodableError("the answer's compression is broken"), sent=True)
        except httpx.HTTPError as error:
            # Their texts can quote header lines: the type's name has to do.
            return NoAnswer(UnavailableError(f"cut off ({type(error).__name__})"), sent=True)
        except Exception as error:  # noqa: BLE001 - a redirect to no URL, say: it may have left
            reason = f"an answer that cannot be read ({type(error).__name__})"
            return NoAnswer(UndecodableError(reason), sent=True)

    def _read(self, response: httpx.Response) -> Answer | NoAnswer:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self._limits.body_bytes:
                size = self._limits.body_bytes
                return NoAnswer(UndecodableError(f"the answer exceeds {size} bytes"), sent=True)
        return Answer(
            status=response.status_code,
            content_type=response.headers.get("content-type", ""),
            retry_after=response.headers.get("retry-after", ""),
            date=response.headers.get("date", ""),
            challenged=is_challenged(response.headers),
            firewall_action=response.headers.get("x-amzn-waf-action", ""),
            body=bytes(body),
        )


def checked_base_url(text: str) -> str:
    """Return the address of a scheme and a host, without a slash at its end.

    Raises:
        ValueError: anything else, such as an address with a password in it.
    """
    try:
        url = httpx.URL(text)
        urlsplit(text).netloc.encode("idna")
    except (httpx.InvalidURL, ValueError):
        raise ValueError("The base URL is not a URL.") from None
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise ValueError("The base URL must look like https://host or http://host:port.")
    return str(url).rstrip("/")


def _headers(trace_id: str, *, has_body: bool) -> dict[str, str]:
    """Return the headers that are new with each request (PROTOCOL §1.1)."""
    fresh = {"accept": "application/json", "x-trace-id": trace_id, "x-ui-request-trace": trace_id}
    return fresh | {"content-type": "application/json"} if has_body else fresh
