"""A user's headers and cookies become a session that can be sent and cannot be seen."""

import copy
import hashlib
import io
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable, Iterator

import msgspec
import pytest
import structlog
from rich.console import Console
from rich.traceback import Traceback

from oto.domain.errors import ExchangeError
from oto.domain.money import price, quantity
from oto.domain.orders import LimitOrder, Side
from oto.infrastructure.alpha.client import Limits
from oto.infrastructure.alpha.credentials import Credentials, ListenKey
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.transport import Settings
from oto.infrastructure.logs import REDACTED, configure_logging
from tests.unit.alpha import server
from tests.unit.alpha.server import Behaviour, Exchange, Reply
from tests.unit.alpha.wire import rules

pytestmark = pytest.mark.unit

CANARY = "canary-5f0c1d"
COOKIES = {"cr00": f"{CANARY}-cr00", "p20t": f"web.1.{CANARY}", "bnc-uuid": "u-u-i-d"}
BUY = LimitOrder(rules("ALPHA_1"), Side.BUY, price("1"), quantity("10"))


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    level, handlers = logging.root.level, logging.root.handlers[:]
    yield
    structlog.reset_defaults()
    logging.root.setLevel(level)
    logging.root.handlers[:] = handlers


def session(headers: dict[str, str] | None = None) -> Credentials:
    return Credentials(headers or {}, COOKIES)


def test_the_csrf_token_is_the_md5_of_cr00() -> None:
    expected = hashlib.md5(COOKIES["cr00"].encode()).hexdigest()
    given = {"csrftoken": "stale"}
    assert session(given).reveal_headers()["csrftoken"] == expected


@pytest.mark.parametrize(
    ("headers", "cookies", "token"),
    [
        ({"CsrfToken": "from-header"}, {"a": "1"}, "from-header"),
        ({"csrftoken": "from-header"}, {"csrfToken": "from-cookie"}, "from-cookie"),
    ],
)
def test_without_cr00_the_csrf_token_is_what_was_given(
    headers: dict[str, str], cookies: dict[str, str], token: str
) -> None:
    assert Credentials(headers, cookies).reveal_headers()["csrftoken"] == token


def test_cookies_may_come_as_a_mapping_a_string_or_a_header() -> None:
    text = "; ".join(f"{name}={value}" for name, value in COOKIES.items())
    expected = session().reveal_headers()
    assert Credentials({}, text).reveal_headers() == expected
    assert Credentials({"Cookie": text}).reveal_headers() == expected


def test_given_cookies_outweigh_those_of_the_header() -> None:
    both = Credentials({"cookie": "cr00=old; x=1"}, {"cr00": "new"})
    assert both.reveal_headers()["cookie"] == "cr00=new; x=1"


def test_what_belongs_to_one_connection_or_request_is_not_replayed() -> None:
    given = {
        ":authority": "a",
        "Host": "a",
        "Content-Length": "1",
        "Connection": "a",
        "Accept-Encoding": "br",
        "Transfer-Encoding": "a",
        "TE": "a",
        "Upgrade": "a",
        "Keep-Alive": "a",
        "Proxy-Authorization": "a",
        "Content-Type": "a",
        "X-Trace-Id": "a",
        "X-UI-Request-Trace": "a",
        "User-Agent": "Mozilla",
    }
    assert set(session(given).reveal_headers()) == {
        "bnc-uuid",
        "clienttype",
        "cookie",
        "csrftoken",
        "user-agent",
    }


def test_device_headers_come_from_cookies_unless_given() -> None:
    cookies = COOKIES | {"BNC_FV_KEY": "id", "BNC_FV_KEY_T": "tok"}
    derived = Credentials({"FVideo-ID": "given"}, cookies).reveal_headers()
    assert derived["fvideo-id"] == "given"
    assert derived["fvideo-token"] == "tok"
    assert derived["bnc-uuid"] == "u-u-i-d"
    assert derived["clienttype"] == "web"


@pytest.mark.parametrize(
    ("headers", "cookies", "problem"),
    [
        ({"lang": f"{CANARY}\r\nx: y"}, COOKIES, "'lang'"),
        ({"lang": f"{CANARY} 中"}, COOKIES, "'lang'"),
        ({f"{CANARY} x": "v"}, COOKIES, "name of a header"),
        ({}, {"cr00": f"{CANARY};x"}, "'cr00'"),
        ({}, {"cr00": f"{CANARY}\n"[:-1] + "\x00"}, "'cr00'"),
        ({}, {f"{CANARY}\n": "v"}, "name of a cookie"),
        ({}, {"lang": CANARY}, "neither the cookie cr00"),
        ({"csrftoken": CANARY}, {}, "no cookie"),
    ],
    ids=range(8),
)
def test_what_cannot_be_sent_is_named_without_its_value(
    headers: dict[str, str], cookies: dict[str, str], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        Credentials(headers, cookies)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("secret", [session(), ListenKey(CANARY)], ids=["session", "listen key"])
def test_a_secret_shows_nothing_of_itself(secret: Credentials | ListenKey) -> None:
    shown = [repr(secret), str(secret), f"{secret}", pprint.pformat([secret]), str({"s": secret})]
    assert all(CANARY not in text for text in shown)
    public = [getattr(secret, name) for name in dir(secret) if not name.startswith("_")]
    assert all(CANARY not in repr(value) for value in public)
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("secret", [session(), ListenKey(CANARY)], ids=["session", "listen key"])
@pytest.mark.parametrize(
    "leak",
    [
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        json.dumps,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        msgspec.to_builtins,
        vars,
        lambda secret: secret.__reduce__(),
        lambda secret: secret.__getstate__(),
    ],
    ids=range(10),
)
def test_a_secret_is_neither_copied_nor_encoded(
    secret: Credentials | ListenKey, leak: Callable[[object], object]
) -> None:
    with pytest.raises(TypeError) as caught:
        leak(secret)
    assert CANARY not in str(caught.value)


def test_the_text_of_a_session_names_its_cookies() -> None:
    assert repr(session()) == "Credentials(cookies named bnc-uuid, cr00, p20t)"


FAILURES: list[Behaviour] = [
    server.cut,
    server.half,
    Reply(500),
    server.html(403),
    server.refusal("100002001", "over"),
    server.refusal("999", "what?"),
    Reply(200, b'{"code":"000000","data":{"x":"' + CANARY.encode() + b'"}}'),
    Reply(200, CANARY.encode(), {"set-cookie": f"p20t={CANARY}"}),
    Reply(302, headers={"location": f"https://x/{CANARY}"}),
]


@pytest.fixture(params=range(len(FAILURES)))
def failure(request: pytest.FixtureRequest, exchange: Exchange) -> ExchangeError:
    exchange.script = [FAILURES[request.param]]
    settings = Settings(limits=Limits(read_s=0.3))
    with (
        PrivateAlpha(exchange.base_url, session(), settings=settings) as alpha,
        pytest.raises(ExchangeError) as caught,
    ):
        alpha.place(BUY)
    assert CANARY in exchange.seen[0].headers["cookie"]
    return caught.value


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Walk causes and contexts, suppressed ones too."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_no_text_of_an_error_holds_a_secret(failure: ExchangeError) -> None:
    shown = [
        str(failure),
        repr(failure),
        "".join(traceback.format_exception(failure)),
        "".join(traceback.TracebackException.from_exception(failure, capture_locals=True).format()),
    ]
    assert all(CANARY not in text for text in shown)
    assert CANARY.encode() not in pickle.dumps(failure)


def test_no_error_of_the_http_client_is_left_in_the_chain(failure: ExchangeError) -> None:
    assert all(isinstance(error, ExchangeError) for error in chain(failure))


def test_even_a_traceback_with_locals_hides_the_secret(failure: ExchangeError) -> None:
    console = Console(file=io.StringIO(), width=200)
    shown = Traceback.from_exception(
        type(failure), failure, failure.__traceback__, show_locals=True, locals_max_string=9999
    )
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    assert CANARY not in console.file.getvalue()


@pytest.mark.parametrize("as_json", [True, False])
def test_no_log_line_holds_a_secret(
    failure: ExchangeError, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    configure_logging(json=as_json, level="DEBUG")
    log = structlog.get_logger()
    try:
        raise failure
    except ExchangeError:
        log.exception("exchange.failed", user=session(), nested={"Set-Cookie": CANARY})
    log.info("exchange.call", cookie=CANARY, headers={"a": CANARY}, listenKey=CANARY)
    log.info("exchange.deep", sent=[{"csrfToken": CANARY, "p20t": CANARY}], symbol="ALPHA_1USDT")
    written = capsys.readouterr()
    assert written.out == ""
    assert CANARY not in written.err
    assert REDACTED in written.err
    assert "ALPHA_1USDT" in written.err
    assert "Traceback" in written.err


def test_json_log_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(json=True)
    structlog.get_logger().warning("cycle.opened", job=7)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["job"], line["level"]) == ("cycle.opened", 7, "warning")


def test_libraries_that_log_headers_stay_above_debug() -> None:
    configure_logging(json=True, level="DEBUG")
    assert logging.getLogger("httpcore").level == logging.WARNING


def test_an_unknown_log_level_is_refused() -> None:
    with pytest.raises(ValueError, match="no log level"):
        configure_logging(json=True, level="LOUD")
