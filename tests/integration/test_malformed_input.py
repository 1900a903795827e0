"""Whatever arrives, the simulator answers, keeps its books, and goes on."""

import json
import logging
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from itertools import count
from logging.handlers import BufferingHandler
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websocket import ABNF, WebSocket, WebSocketBadStatusException, create_connection

from oto.simulator.app import MARKET_STREAM_PATH, USER_STREAM_PATH
from oto.simulator.faults import FaultKind
from oto.simulator.rest import ROUTES
from tests.simulated import (
    AITECH,
    NEX,
    PLACE,
    PLACE_OTO,
    TRADE,
    Exchange,
    oto_body,
    payment,
    plain_body,
    running,
    silent_plan,
)

pytestmark = pytest.mark.integration

SOCKETS = (MARKET_STREAM_PATH, USER_STREAM_PATH)
CANCEL = f"{TRADE}/order/cancel"
CANCEL_ALL = f"{TRADE}/order/cancel-all"
PATIENCE_S = 10
EACH = settings(max_examples=100)

# JSON texts, not values: most of them have no value that a writer of JSON would write.
HOSTILE = (
    *("1e400", "-1e400", "1e-400", "1e99999999999999999999", "1" + "0" * 5_000, "7" * 4_300),
    *("0." + "3" * 400, "3" * 40, "0.1e1", "1E5", "-1", "-0", "-0.0", "0", "2", "0.5"),
    *("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "5.", "0x10", "1_0", "9223372036854775808"),
    *('"1e400"', '"NaN"', '"sNaN"', '"Infinity"', '"-1"', '"-0"', '""', '" 1 "', '"1_0"', '"１"'),
    *(
        '"²"',
        '"0x10"',
        '"' + "7" * 5_000 + '"',
        '"0.' + "3" * 400 + '"',
        '"1e99999999999999999999"',
    ),
    *(r'"\ud800"', r'"\udfff\ud800"', r'"\u0000"', '"\u202e"', '"' + "x" * 5_000 + '"', '"\x00"'),
    *("null", "true", "false", "[]", "{}", "[[]]", '[""]', '{"":{}}', '{"a":1,"a":2}', "'1'"),
    *("[" * 33 + "]" * 33, "[" * 900 + "]" * 900, "[" * 100_000, '{"a":' * 60 + "1" + "}" * 60),
)
BYTES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(HOSTILE).map(lambda text: text.encode(errors="replace")),
    st.sampled_from((b'"\xff"', b'{"\xed\xa0\x80":1}', b"\xff\xfe1\x00", b"\xef\xbb\xbf{}", b"{")),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.sampled_from(HOSTILE).map(lambda text: f"[{text}]"),
    JSON.map(json.dumps),
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
)

ORDER = plain_body("BUY", "0.000005583", "1791151.7", "9.99999994", "ALPHA_971")
PAIR = oto_body("0.000005583", "1791151.7", "0.0000058", "9.99999994", "ALPHA_971")
BODIES: tuple[tuple[str, Mapping[str, object]], ...] = (
    (PLACE, ORDER),
    (PLACE, ORDER | {"side": "SELL"}),
    (PLACE_OTO, PAIR),
    (PLACE_OTO, PAIR | {"workingSide": "SELL"}),
    (CANCEL, {"orderId": "1", "symbol": NEX}),
    ("/bapi/apex/v1/private/apex/alpha/pnl/avg-cost", {"tokens": ["ALPHA_971"]}),
    (
        "/bapi/asset/v3/private/asset-service/asset/get-wallet-asset",
        {"includeWallets": ["CARD", "MAIN"], "includeEq": True},
    ),
    (
        "/bapi/defi/v1/public/wallet-direct/security/token/audit",
        {"contractAddress": f"0x{971:040x}", "binanceChainId": "56", "requestId": "1"},
    ),
)
QUERIES = (
    *("symbol", "limit", "page", "rows", "startTime", "endTime", "fromId", "interval", "orderId"),
    *("orderStatus", "kind", "side", "baseAsset", "contractAddress", "tokenAddress", "chainId"),
)
WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        (
            *(NEX, NEX.lower(), "²", "-1", "0", "9" * 15, "9" * 16, "9" * 5_000, "1e9", "１", "٣"),
            *(
                "1s",
                "1M",
                "1w",
                "FILLED,NEW",
                "%00",
                "\u0000",
                "ALPHA_971",
                f"0x{971:040x}",
                "x" * 999,
            ),
        )
    ),
)


class Victim:
    """An exchange under fire: a user who only loses orders, and one who then trades normally."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.headers = exchange.add_user("ann")
        for symbol in (NEX, AITECH):
            exchange.set_book(symbol, bids=[], asks=[])

    def truth(self) -> dict[str, Any]:
        """Return what a refused request must not change."""
        truth = self.exchange.truth()
        return {key: truth[key] for key in ("accounts", "orders", "now_ms", "last_prices")}

    def check(self, response: httpx.Response, before: dict[str, Any]) -> None:
        """Refused is unchanged; accepted without a market only moves money from free to locked."""
        assert response.status_code < 500
        after = self.truth()
        if response.status_code != 200 or response.json()["code"] != "000000":
            assert after == before
        assert held(after) == held(before)

    def trade_normally(self) -> None:
        """Buy and sell a pair at once, as in a quiet hour."""
        exchange = self.exchange
        book = {"bids": [["0.22990000", "100"]], "asks": [["0.23000000", "100"]]}
        exchange.set_book(AITECH, **book)
        headers = exchange.add_user("zoe")
        body = oto_body("0.23", "10", "0.0001", payment("0.23", "10"))
        answer = exchange.post(PLACE_OTO, headers, body)
        assert answer["code"] == "000000", answer
        exchange.step(1_000)
        ids = {str(answer["data"][name]) for name in ("workingOrderId", "pendingOrderId")}
        legs = [one for one in exchange.orders() if one["order_id"] in ids]
        assert [(one["leg"], one["status"]) for one in legs] == [
            ("working", "FILLED"),
            ("pending", "FILLED"),
        ]
        zoe = next(one for one in exchange.truth()["accounts"] if one["name"] == "zoe")
        # 10 bought at 0.23 less 0.001 fee; 9.99 sold at 0.2299 less 0.00022967 fee.
        assert Decimal(zoe["funding"]["free"]) == Decimal("999.99647133")
        exchange.set_book(AITECH, bids=[], asks=[])


def held(truth: Mapping[str, Any]) -> dict[str, Decimal]:
    return {
        one["name"]: Decimal(one["funding"]["free"]) + Decimal(one["funding"]["locked"])
        for one in truth["accounts"]
    }


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with running(silent_plan()) as exchange:
        yield Victim(exchange)


@pytest.fixture(autouse=True)
def unharmed(victim: Victim) -> Iterator[None]:
    """Whatever a test did: no traceback, healthy, and a normal round works afterwards."""
    heard = BufferingHandler(capacity=10_000)
    loggers = [logging.getLogger(name) for name in ("", "uvicorn", "uvicorn.error")]
    for logger in loggers:
        logger.addHandler(heard)
    try:
        yield
        exchange = victim.exchange
        assert exchange.http.get("/sim/health").json()["stepped"] is True
        assert exchange.post(CANCEL_ALL, victim.headers, {})["code"] == "000000"
        victim.trade_normally()
        bad = [one for one in heard.buffer if one.exc_info or one.levelno >= logging.ERROR]
        assert [one.getMessage() for one in bad] == []
    finally:
        for logger in loggers:
            logger.removeHandler(heard)


@st.composite
def mangled(draw: st.DrawFn, fields: Mapping[str, object]) -> bytes:
    """Write an object of which some fields are hostile, missing or unheard of."""
    texts = {key: json.dumps(value) for key, value in fields.items()}
    names = sorted(texts)
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)):
        texts[name] = draw(TEXTS)
    for name in draw(st.lists(st.sampled_from(names), max_size=1)):
        texts.pop(name)
    if "paymentDetails" in texts and draw(st.booleans()):
        wallet = draw(st.just('"CARD"') | TEXTS)
        detail = f'{{"amount":{draw(TEXTS)},"paymentWalletType":{wallet}}}'
        texts["paymentDetails"] = f"[{','.join([detail] * draw(st.integers(1, 3)))}]"
    pairs = [f"{json.dumps(name)}:{text}" for name, text in texts.items()]
    return "{{{}}}".format(",".join(pairs)).encode(errors="replace")


@EACH
@given(data=st.data())
def test_a_mangled_body_changes_nothing(victim: Victim, data: st.DataObject) -> None:
    path, fields = data.draw(st.sampled_from(BODIES))
    body = data.draw(mangled(fields))
    before = victim.truth()
    victim.check(victim.exchange.http.post(path, headers=victim.headers, content=body), before)


@EACH
@given(call=st.sampled_from(sorted(ROUTES)), body=BYTES | JSON.map(json.dumps))
def test_any_call_survives_any_body(victim: Victim, call: tuple[str, str], body: object) -> None:
    method, path = call
    content = body if isinstance(body, bytes) else str(body).encode()
    before = victim.truth()
    request = victim.exchange.http.build_request(
        method, path, headers=victim.headers, content=content
    )
    victim.check(victim.exchange.http.send(request), before)


@EACH
@given(
    call=st.sampled_from(sorted(path for method, path in ROUTES if method == "GET")),
    query=st.lists(st.tuples(st.sampled_from(QUERIES) | st.text(max_size=5), WORDS), max_size=6),
)
def test_any_call_survives_any_query(
    victim: Victim, call: str, query: list[tuple[str, str]]
) -> None:
    before = victim.truth()
    url = httpx.URL(call, params=[(key, value.encode(errors="replace")) for key, value in query])
    victim.check(victim.exchange.http.get(url, headers=victim.headers), before)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_each_field_of_an_order_refuses_each_hostile_value(victim: Victim, text: str) -> None:
    before = victim.truth()
    for path, fields in BODIES[:5]:
        for name in fields.keys() - {"pendingPrice"}:  # only its grid counts
            texts = {key: json.dumps(value) for key, value in fields.items()} | {name: text}
            body = "{{{}}}".format(",".join(f'"{key}":{value}' for key, value in texts.items()))
            answer = victim.exchange.http.post(
                path, headers=victim.headers, content=body.encode(errors="replace")
            )
            assert answer.status_code == 200
            assert answer.json()["success"] is False, (path, name)
    assert victim.truth() == before


def test_payments_are_added_up_exactly(victim: Victim) -> None:
    before = victim.truth()
    parts = [ORDER["paymentDetails"][0] | {"amount": one} for one in ("9.99999994", "1e-40")]
    answer = victim.exchange.post(PLACE, victim.headers, ORDER | {"paymentDetails": parts})
    assert answer["code"] == "000002"
    assert victim.truth() == before


def test_an_order_id_is_not_cut_to_one_that_exists(victim: Victim) -> None:
    order_id = victim.exchange.post(PLACE, victim.headers, ORDER)["data"]
    before = victim.truth()
    body = {"orderId": order_id.zfill(18) + "0", "symbol": NEX}
    assert victim.exchange.post(CANCEL, victim.headers, body)["success"] is False
    assert victim.truth() == before


@pytest.mark.parametrize("path", [PLACE, "/sim/accounts/ann", "/sim/step"])
def test_ten_megabytes_are_refused(victim: Victim, path: str) -> None:
    before = victim.truth()
    for body in (b"[" * 10_000_000, b"9" * 10_000_000, b'"' + b"x" * 10_000_000 + b'"'):
        answer = victim.exchange.http.post(path, headers=victim.headers, content=body)
        assert answer.status_code in {400, 413}
    assert victim.truth() == before


def connected(exchange: Exchange) -> socket.socket:
    place = urlsplit(exchange.rest)
    return socket.create_connection((place.hostname, place.port), PATIENCE_S)


def spoken(exchange: Exchange, data: bytes, handshake: bytes = b"") -> bytes:
    """Send bytes and the end of them, and return all that comes back until the other end closes."""
    with closing(connected(exchange)) as wire:
        answer = b""
        try:
            wire.sendall(handshake)
            while handshake and not answer.endswith(b"\r\n\r\n"):
                answer += wire.recv(1)
            wire.sendall(data)
            wire.shutdown(socket.SHUT_WR)
            while part := wire.recv(65_536):
                answer += part
        except TimeoutError:
            raise  # it neither answers nor hangs up
        except OSError:
            pass  # it hung up on what it had not read
        return answer


def private_request(victim: Victim, path: str, declared: int | None, body: bytes) -> bytes:
    headers = [f"{key}: {value}" for key, value in victim.headers.items()]
    length = "" if declared is None else f"Content-Length: {declared}\r\n"
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, length])
    return head.encode() + b"\r\n" + body


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"{}" + b" " * 99])
def test_half_a_request_has_no_effect(victim: Victim, body: bytes) -> None:
    victim.exchange.post(PLACE, victim.headers, ORDER)
    before = victim.truth()
    request = private_request(victim, CANCEL_ALL, len(body) + 1, body)
    assert b" 200 " not in spoken(victim.exchange, request)
    assert victim.truth() == before


@pytest.mark.parametrize(
    "body", [b"{}", b"2\r\n{}\r\n", b"ffffffffffffffffff\r\n{}", b"-1\r\n{}\r\n0\r\n\r\n"]
)
def test_broken_chunks_have_no_effect(victim: Victim, body: bytes) -> None:
    victim.exchange.post(PLACE, victim.headers, ORDER)
    before = victim.truth()
    request = private_request(victim, CANCEL_ALL, None, b"").removesuffix(b"\r\n")
    request += b"Transfer-Encoding: chunked\r\n\r\n" + body
    assert b" 500 " not in spoken(victim.exchange, request)
    assert victim.truth() == before


def test_half_a_control_request_has_no_effect(victim: Victim) -> None:
    before = victim.truth()
    request = b'POST /sim/step HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"ms":1000}'
    assert b" 200 " not in spoken(victim.exchange, request)
    assert victim.truth() == before


NAMES = (
    *("Cookie", "csrftoken", "clienttype", "Content-Length", "Content-Type", "Transfer-Encoding"),
    *("Host", "Expect", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"),
)


@EACH
@given(
    start=st.sampled_from(("GET /sim/health", f"POST {PLACE}", "GET /w3w/stream", "HEAD /", "X *"))
    | st.text(max_size=20),
    headers=st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=20)), max_size=5),
    body=BYTES,
)
def test_no_http_kills_it(
    victim: Victim, start: str, headers: list[tuple[str, bytes]], body: bytes
) -> None:
    before = victim.truth()
    lines = [start.encode(errors="replace") + b" HTTP/1.1", b"Host: x"]
    lines += [name.encode() + b": " + value for name, value in headers]
    answer = spoken(victim.exchange, b"\r\n".join([*lines, b"", body]))
    assert not answer.startswith(b"HTTP/1.1 5")
    assert victim.truth() == before


LATIN = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40
)


@EACH
@given(
    cookie=LATIN,
    token=LATIN,
)
def test_no_session_is_found_in_garbage(victim: Victim, cookie: str, token: str) -> None:
    before = victim.truth()
    session = victim.headers["cookie"]
    for cookies in (cookie, f"{session};{cookie}", f"p20t={cookie}"):
        headers = [("clienttype", "web"), ("csrftoken", token), ("cookie", cookies)]
        encoded = [(name.encode(), value.strip().encode("latin-1")) for name, value in headers]
        answer = victim.exchange.http.post(CANCEL_ALL, headers=encoded, content=b"{}")
        assert answer.status_code == 200
        assert answer.json()["code"] in {"100001005", "100002001"}
    assert victim.truth() == before


HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(first: int, payload: bytes, declared: int | None = None, *, masked: bool = True) -> bytes:
    """Write a frame by hand; the mask is of zeros."""
    length = len(payload) if declared is None else declared
    head = struct.pack("!BBQ", first, 0x80 * masked | 127, length)
    return head + b"\0" * 4 * masked + payload


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize(
    "frames",
    [
        b"\xff" * 100,
        b"\x81",
        b"\x81\xfe\xff",
        frame(0x81, b"{}", 100),
        frame(0x81, b"{}", 1 << 63),
        frame(0x81, b"{}", masked=False),
        frame(0x81, b"\xff\xfe"),
        frame(0x01, b"\xc3") + frame(0x80, b"\x28"),
        frame(0x80, b"a continuation of nothing"),
        frame(0x01, b"{") + frame(0x81, b"}"),
        frame(0x83, b"an opcode of nobody"),
        frame(0xF1, b"reserved bits"),
        frame(0x88, b"\x00"),
        frame(0x88, b"\x03\xe7\xff"),
        frame(0x89, b"x" * 200),
        frame(0x09, b"a ping in parts"),
    ],
    ids=str,
)
def test_a_broken_frame_costs_its_own_socket_only(victim: Victim, path: str, frames: bytes) -> None:
    with closing(Talk(victim.exchange, path).socket) as other:
        answer = spoken(victim.exchange, frames, HANDSHAKE % path.encode())
        assert answer.startswith(b"HTTP/1.1 101 ")
        other.send('{"method":"LIST_SUBSCRIPTION","id":1}')
        assert json.loads(other.recv()) == {"result": [], "id": 1}


@pytest.mark.parametrize("path", SOCKETS)
@pytest.mark.parametrize("opcode", [ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY])
def test_a_frame_of_two_megabytes_is_refused(victim: Victim, path: str, opcode: int) -> None:
    huge = frame(0x80 | opcode, b"x" * (2 << 20))
    answer = spoken(victim.exchange, huge, HANDSHAKE % path.encode())
    # Its notice (1009) may be lost with the connection, but nobody looked into the frame.
    assert b"Invalid JSON" not in answer


def test_a_handshake_that_is_not_awaited_harms_nobody(victim: Victim) -> None:
    for number in range(60):
        wire = connected(victim.exchange)
        wire.sendall(HANDSHAKE % SOCKETS[number % 2].encode())
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()


@pytest.mark.parametrize("path", ["/bapi/x", PLACE, "/sim/health", "/", "/w3w", "/w3w/stream/x"])
def test_there_is_no_socket_elsewhere(victim: Victim, path: str) -> None:
    with pytest.raises(WebSocketBadStatusException) as refused:
        create_connection(victim.exchange.ws + path, timeout=PATIENCE_S)
    assert refused.value.status_code == 403


class Talk:
    """One socket that must survive every command."""

    def __init__(self, exchange: Exchange, path: str) -> None:
        self.socket: WebSocket = create_connection(exchange.ws + path, timeout=PATIENCE_S)
        self._numbers = count()

    def say(self, message: bytes, opcode: int) -> list[Any]:
        """Send a command, and return what came back before the answer to one more command."""
        number = f"probe-{next(self._numbers)}"
        self.socket.send(message, opcode)
        self.socket.send(json.dumps({"method": "LIST_SUBSCRIPTION", "id": number}))
        heard = []
        while (answer := json.loads(self.socket.recv())).get("id") != number:
            heard.append(answer)
        assert isinstance(answer["result"], list)
        return heard


@pytest.fixture(scope="module", params=SOCKETS)
def talk(request: pytest.FixtureRequest, victim: Victim) -> Iterator[Talk]:
    conversation = Talk(victim.exchange, request.param)
    yield conversation
    conversation.socket.close()


STREAMS = ("!ticker@arr", "alpha_971usdt@depth", "alpha_971usdt@kline_2y", "alpha@", "alpha@0")
COMMANDS = st.builds(
    lambda *texts: '{{"method":{},"params":{},"id":{}}}'.format(*texts).encode(errors="replace"),
    st.sampled_from(('"SUBSCRIBE"', '"UNSUBSCRIBE"', '"LIST_SUBSCRIPTIONS"')) | TEXTS,
    st.lists(st.sampled_from(STREAMS) | st.text(max_size=9)).map(json.dumps) | TEXTS,
    st.sampled_from(("1", "null", '"a"')) | TEXTS,
)


@EACH
@given(message=COMMANDS)
def test_every_command_is_answered(talk: Talk, message: bytes) -> None:
    answers = [one for one in talk.say(message, ABNF.OPCODE_TEXT) if "stream" not in one]
    (answer,) = answers
    assert set(answer) in ({"error"}, {"error", "id"}, {"result", "id"})


@EACH
@given(message=BYTES, opcode=st.sampled_from((ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY)))
def test_every_readable_frame_is_answered(talk: Talk, message: bytes, opcode: int) -> None:
    if opcode == ABNF.OPCODE_TEXT:  # a text that is none closes the socket: tested above
        message = message.decode(errors="replace").encode()
    (answer,) = [one for one in talk.say(message, opcode) if "stream" not in one]
    assert "error" in answer


def test_a_stream_without_a_key_is_nobodys(victim: Victim) -> None:
    talk = Talk(victim.exchange, USER_STREAM_PATH)
    talk.say(b'{"method":"SUBSCRIBE","params":["alpha@"],"id":1}', ABNF.OPCODE_TEXT)
    assert victim.exchange.post(PLACE, victim.headers, ORDER)["success"] is True
    assert talk.say(b"{}", ABNF.OPCODE_TEXT) == [
        {"error": {"code": 2, "msg": "Invalid request"}, "id": None}
    ]
    talk.socket.close()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Victim]:
    """An exchange whose controls may be played with."""
    with running(silent_plan()) as exchange:
        yield Victim(exchange)


CONTROLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("step", ("ms",)),
    ("accounts/ann", ("funding", "spot", "earn", "tokens", "terms_accepted", "session_live")),
    ("accounts/%F0%9F%98%80%00", ("funding", "tokens")),
    (
        "faults",
        (
            *("kind", "endpoint", "user", "per_mille", "count", "in_ms", "for_ms", "delay_ms"),
            *("status", "after", "retry_after_s", "code", "fault_id", "from_ms"),
        ),
    ),
    (
        "settings",
        (
            *("partial_fill", "match_delay_ms", "report_delay_ms", "history_delay_ms", "book"),
            *("volume_lag_ms", "fee_millionths", "zombie_per_mille", "last_event_id"),
        ),
    ),
    (f"symbols/{NEX}", ("token", "info", "last_order_id", "last_trade_id")),
    (f"symbols/{NEX}/book", ("bids", "asks")),
    (f"symbols/{NEX}/trade", ("price", "quantity", "buyer_is_maker")),
    ("symbols/ALPHA_0USDT", ("token",)),
    ("nothing", ("x",)),
)
TOKEN_KEYS = ("price", "mulPoint", "contractAddress", "count24h", "offline", "symbol", "score")
INFO_KEYS = ("symbol", "status", "pricePrecision", "baseAsset", "filters", "orderTypes")
KINDS = tuple(json.dumps(kind.value) for kind in FaultKind)


@st.composite
def control_bodies(draw: st.DrawFn, names: tuple[str, ...]) -> bytes:
    """Write a control request that is hostile in some fields, and mostly well-formed."""
    texts = {name: draw(TEXTS) for name in draw(st.sets(st.sampled_from(names), min_size=1))}
    nested = {"token": TOKEN_KEYS, "info": INFO_KEYS, "tokens": ("ALPHA_971", "x")}
    for name in texts.keys() & nested.keys():
        inner = {key: draw(TEXTS) for key in draw(st.sets(st.sampled_from(nested[name])))}
        texts[name] = "{{{}}}".format(",".join(f'"{key}":{text}' for key, text in inner.items()))
    for name in texts.keys() & {"bids", "asks"}:
        texts[name] = f"[[{draw(TEXTS)},{draw(TEXTS)}]]"
    if "kind" in texts and draw(st.booleans()):
        texts["kind"] = draw(st.sampled_from(KINDS))
    pairs = [f"{json.dumps(name)}:{text}" for name, text in texts.items()]
    return "{{{}}}".format(",".join(pairs)).encode(errors="replace")


@settings(max_examples=150)
@given(data=st.data())
def test_the_controls_refuse_garbage_whole(sandbox: Victim, data: st.DataObject) -> None:
    path, names = data.draw(st.sampled_from(CONTROLS))
    body = data.draw(control_bodies(names) | BYTES)
    exchange = sandbox.exchange
    before = exchange.truth_bytes()
    answer = exchange.http.post(f"/sim/{path}", content=body)
    assert answer.status_code in {200, 400, 404}
    if answer.status_code != 200:
        assert exchange.truth_bytes() == before
    assert_works(sandbox)


@EACH
@given(word=WORDS)
def test_the_controls_refuse_garbage_in_their_paths(sandbox: Victim, word: str) -> None:
    exchange = sandbox.exchange
    before = exchange.truth_bytes()
    odd = word.encode(errors="replace").hex("%")
    for method, path in (
        ("DELETE", f"faults?id=%{odd}"),
        ("POST", f"symbols/%{odd}"),
        ("POST", f"symbols/%{odd}/book"),
        ("POST", f"%{odd}"),
        ("PATCH", "truth"),
    ):
        answer = exchange.http.request(method, f"/sim/{path}")
        assert answer.status_code < 500
    assert exchange.truth_bytes() == before


def assert_works(sandbox: Victim) -> None:
    """Nothing that a control accepted may break what everybody reads, or an order."""
    exchange = sandbox.exchange
    assert exchange.http.get("/sim/faults").status_code == 200
    assert exchange.http.delete("/sim/faults").status_code == 200
    alpha = "/bapi/defi/v1/public/alpha-trade"
    for path in (
        "/bapi/defi/v1/public/wallet-direct/buw/wallet/cex/alpha/all/token/list",
        f"{alpha}/get-exchange-info",
        f"{alpha}/fullDepth?symbol={NEX}",
        f"{alpha}/ticker?symbol={NEX}",
        f"{alpha}/klines?symbol={NEX}&interval=1M",
        f"{alpha}/agg-trades?symbol={NEX}",
    ):
        answer = exchange.http.get(path)
        assert answer.status_code == 200
        assert answer.json()["code"] == "000000"
    for path, fields in BODIES[:4]:
        answer = exchange.http.post(path, headers=sandbox.headers, json=fields)
        assert answer.status_code == 200
    exchange.step(10)
    answer = exchange.http.post(CANCEL_ALL, headers=sandbox.headers)
    assert answer.status_code == 200
