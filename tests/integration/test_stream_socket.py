import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from oto.domain.errors import UndecodableError, UnexpectedShapeError
from oto.domain.market import AggTrade, Symbol
from oto.domain.tokens import TokenTicker
from oto.infrastructure.alpha.frames import Push
from oto.infrastructure.alpha.market_stream import ALL_TOKENS_TICKER, MarketStream, agg_trade
from oto.infrastructure.alpha.socket import StreamListener, StreamSocket
from oto.infrastructure.alpha.states import (
    Connected,
    ConnectionState,
    Loss,
    Lost,
    Stopped,
    StreamTimings,
    Subscribed,
)
from tests.integration.listeners import RememberingListener
from tests.integration.stream_server import (
    Handshaker,
    StreamServer,
    ack,
    bare_ack,
    elapsed,
    no_ack,
    refusal,
    stream_server,
    unused_port,
)

pytestmark = pytest.mark.integration

QUICK = StreamTimings(
    connect_within_s=2.0,
    ack_within_s=5.0,
    ping_every_s=5.0,
    silent_after_s=10.0,
    renew_after_s=600.0,
    stable_after_s=30.0,
    first_backoff_s=0.02,
    longest_backoff_s=0.1,
    poll_every_s=0.01,
)
TRADES = agg_trade(Symbol("ALPHA_971USDT"))
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def server() -> Iterator[StreamServer]:
    with stream_server() as running:
        yield running


@pytest.fixture
def listener() -> RememberingListener:
    return RememberingListener()


@contextmanager
def streaming(
    url: str, listener: StreamListener, timings: StreamTimings = QUICK
) -> Iterator[StreamSocket]:
    stream = StreamSocket(url, listener, timings, name="test", chance=lambda: 1.0)
    stream.start()
    try:
        yield stream
    finally:
        assert stream.stop()


def trade(trade_id: int, price: str = "0.000005540") -> dict[str, object]:
    data = {"e": "aggTrade", "E": 1, "T": 1779369536868, "s": "ALPHA_971USDT", "a": trade_id}
    figures = {"p": price, "q": "98228237.90", "f": 1, "l": 1, "m": False}
    return {"stream": TRADES, "data": data | figures}


def trade_ids(listener: RememberingListener) -> list[int]:
    values = [value for push in listener.pushes for value in push.values]
    return [value.trade_id for value in values if isinstance(value, AggTrade)]


def params(command: dict[str, object]) -> object:
    return command["method"], command["params"]


def test_pushes_arrive_as_domain_values_in_order(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener) as stream:
        stream.subscribe([TRADES])
        listener.wait_state(Subscribed())
        for number in range(1, 101):
            server.peer().json(trade(number))
        listener.wait(lambda: len(listener.pushes) == 100)
    assert trade_ids(listener) == list(range(1, 101))
    assert listener.received_ns == sorted(listener.received_ns)
    assert listener.states == [Connected(), Subscribed(), Stopped()]


def test_names_wanted_before_the_start_go_in_one_command(
    server: StreamServer, listener: RememberingListener
) -> None:
    stream = MarketStream(server.url + "/", listener, QUICK)
    stream.subscribe([ALL_TOKENS_TICKER])
    stream.watch(Symbol("ALPHA_971USDT"))
    stream.start()
    commands = server.commands(0, 1)
    assert stream.stop()
    names = [ALL_TOKENS_TICKER, "alpha_971usdt@aggTrade", "alpha_971usdt@bookTicker"]
    assert commands == [{"method": "SUBSCRIBE", "params": names, "id": 1}]
    assert server.peer().path == "/w3w/wsa/stream"
    assert not server.peer().header_names & {"cookie", "origin", "user-agent"}


def test_streams_come_and_go_on_one_live_socket(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener) as stream:
        stream.subscribe(["a", "b"])
        listener.wait_state(Subscribed(), 1)
        stream.unsubscribe(["a", "never"])
        listener.wait_state(Subscribed(), 2)
        stream.subscribe(["b", "c"])
        listener.wait_state(Subscribed(), 3)
    commands = server.commands(0, 3)
    assert [params(command) for command in commands] == [
        ("SUBSCRIBE", ["a", "b"]),
        ("UNSUBSCRIBE", ["a"]),
        ("SUBSCRIBE", ["c"]),
    ]
    assert [command["id"] for command in commands] == [1, 2, 3]
    assert len(server.peers) == 1


def test_a_replacement_is_subscribed_before_the_old_is_dropped(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener) as stream:
        stream.replace(["old"])
        listener.wait_state(Subscribed(), 1)
        stream.replace(["new"])
        listener.wait_state(Subscribed(), 2)
    assert [params(command) for command in server.commands(0, 3)] == [
        ("SUBSCRIBE", ["old"]),
        ("SUBSCRIBE", ["new"]),
        ("UNSUBSCRIBE", ["old"]),
    ]


def test_many_names_go_in_several_commands_one_after_the_other(
    server: StreamServer, listener: RememberingListener
) -> None:
    names = [f"alpha_{number}usdt@aggTrade" for number in range(250)]
    with streaming(server.url, listener) as stream:
        stream.subscribe(names)
        listener.wait_state(Subscribed())
    commands = server.commands(0, 3)
    assert [len(command["params"]) for command in commands] == [100, 100, 50]
    assert [name for command in commands for name in command["params"]] == names


def test_subscriptions_from_many_threads_all_arrive(
    server: StreamServer, listener: RememberingListener
) -> None:
    names = {f"stream-{number}" for number in range(40)}
    with streaming(server.url, listener) as stream:
        threads = [threading.Thread(target=stream.subscribe, args=([name],)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        peer = server.peer()
        server.wait(
            lambda: {name for command in peer.commands for name in command["params"]} == names
        )


def test_an_acknowledgement_without_a_result_counts(
    server: StreamServer, listener: RememberingListener
) -> None:
    server.reply = bare_ack
    with streaming(server.url, listener) as stream:
        stream.subscribe([TRADES])
        listener.wait_state(Subscribed())
    assert listener.drifts == []


def test_a_withheld_acknowledgement_means_a_new_connection(
    server: StreamServer, listener: RememberingListener
) -> None:
    server.reply = no_ack
    with streaming(server.url, listener, replace(QUICK, ack_within_s=0.05)) as stream:
        stream.subscribe([TRADES])
        listener.wait_lost(Loss.UNACKNOWLEDGED)
        server.reply = ack
        listener.wait_state(Subscribed())
    assert listener.losses()[0] is Loss.UNACKNOWLEDGED


def test_a_refused_command_is_told_and_the_connection_goes_on(
    server: StreamServer, listener: RememberingListener
) -> None:
    server.reply = refusal
    with streaming(server.url, listener) as stream, capture_logs() as logs:
        stream.subscribe([f"alpha@{SECRET}"])
        listener.wait(lambda: bool(listener.refusals))
        server.peer().json(trade(1))
        listener.wait(lambda: bool(listener.pushes))
    (refused,) = listener.refusals
    assert (refused.method, refused.names) == ("SUBSCRIBE", ("alpha@<hidden>",))
    assert (refused.code, refused.message) == (2, "Invalid stream alpha@<hidden>")
    assert Subscribed() not in listener.states
    assert listener.losses() == []
    assert SECRET not in json.dumps(logs, default=repr)


def test_after_a_dropped_connection_all_wanted_streams_are_subscribed_again(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener) as stream:
        stream.subscribe(["a", "b"])
        listener.wait_state(Subscribed(), 1)
        stream.unsubscribe(["a"])
        listener.wait_state(Subscribed(), 2)
        server.peer(0).drop()
        listener.wait_state(Subscribed(), 3)
        server.peer(1).json(trade(1))
        listener.wait(lambda: bool(listener.pushes))
    (command,) = server.commands(1, 1)
    assert params(command) == ("SUBSCRIBE", ["b"])
    assert command["id"] == 3
    assert listener.losses() == [Loss.BROKEN]


def test_a_close_by_the_server_means_a_new_connection(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener):
        server.peer(0).close(1001)
        listener.wait_state(Connected(), 2)
    lost = Lost(Loss.CLOSED_BY_SERVER, "close code 1001", 0.02)
    assert lost in listener.states


@pytest.mark.parametrize(
    "notice",
    [
        {"event": {"e": "serverShutdown"}},
        {"e": "serverShutdown", "E": 1},
        {"stream": "x", "data": {"e": "serverShutdown"}},
    ],
)
def test_an_announced_shutdown_means_a_new_connection_at_once(
    server: StreamServer, listener: RememberingListener, notice: object
) -> None:
    with streaming(server.url, listener, replace(QUICK, first_backoff_s=60.0)) as stream:
        stream.subscribe([TRADES])
        listener.wait_state(Subscribed())
        server.peer(0).json(notice)
        listener.wait_state(Subscribed(), 2)
        server.wait(lambda: server.peers[0].gone)
    assert Lost(Loss.SERVER_SHUTDOWN, "", 0.0) in listener.states


def test_a_server_that_only_announces_shutdowns_is_not_hammered(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener):
        for number in range(3):
            server.peer(number).json({"e": "serverShutdown"})
        listener.wait_lost(Loss.SERVER_SHUTDOWN, 3)
    pauses = [state.retry_in_s for state in listener.states if isinstance(state, Lost)]
    assert pauses == [0.0, 0.04, 0.08]


def test_a_connection_is_renewed_before_its_day_is_over(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener, replace(QUICK, renew_after_s=0.1)) as stream:
        stream.subscribe([TRADES])
        listener.wait_lost(Loss.RENEWAL)
        server.commands(1, 1)


def test_a_silent_server_is_noticed_although_its_socket_stays_open(
    server: StreamServer, listener: RememberingListener
) -> None:
    server.answers_pings = False
    timings = replace(QUICK, ping_every_s=0.05, silent_after_s=0.3)
    with streaming(server.url, listener, timings):
        server.wait(lambda: bool(server.peers) and server.peers[0].pings > 1)
        listener.wait_lost(Loss.SILENT)
        server.peer(1)


def test_answered_pings_keep_a_quiet_connection(
    server: StreamServer, listener: RememberingListener
) -> None:
    timings = replace(QUICK, ping_every_s=0.02, silent_after_s=0.5)
    with streaming(server.url, listener, timings):
        server.wait(lambda: bool(server.peers) and server.peers[0].pings > 40)
    assert listener.losses() == []


def test_streams_that_should_push_and_do_not_mean_a_new_connection(
    server: StreamServer, listener: RememberingListener
) -> None:
    timings = replace(QUICK, ping_every_s=0.02, no_data_after_s=0.2)
    with streaming(server.url, listener, timings) as stream:
        stream.subscribe([TRADES])
        listener.wait_lost(Loss.NO_DATA)
        server.peer(1)


def test_quiet_is_right_while_nothing_is_subscribed(
    server: StreamServer, listener: RememberingListener
) -> None:
    timings = replace(QUICK, ping_every_s=0.02, no_data_after_s=0.1)
    with streaming(server.url, listener, timings):
        server.wait(lambda: bool(server.peers) and server.peers[0].pings > 15)
    assert listener.losses() == []


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        ('{"stream": "alpha_971usdt@aggTr', UndecodableError),
        ('{"stream": "alpha_971usdt@aggTrade", "data": {"e": "new"}}', UnexpectedShapeError),
        ("", UndecodableError),
    ],
)
def test_an_unreadable_frame_is_told_and_the_connection_goes_on(
    server: StreamServer, listener: RememberingListener, frame: str, kind: type[Exception]
) -> None:
    with streaming(server.url, listener):
        server.peer().text(frame)
        server.peer().json(trade(1))
        listener.wait(lambda: bool(listener.pushes))
    assert [type(error) for error in listener.drifts] == [kind]
    assert listener.losses() == []


def test_binary_frames_are_read_when_they_are_json_and_told_when_not(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener):
        server.peer().binary(json.dumps(trade(1)).encode())
        server.peer().binary(b"\x00\xff\x00")
        server.peer().json(trade(2))
        listener.wait(lambda: len(listener.pushes) == 2)
    assert trade_ids(listener) == [1, 2]
    assert len(listener.drifts) == 1


def test_text_that_is_not_utf_8_is_told_and_the_connection_goes_on(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener):
        server.peer().raw(b"\x81\x04\xff\xfe\xff\xfe")
        server.peer().json(trade(1))
        listener.wait(lambda: bool(listener.pushes))
    assert [type(error) for error in listener.drifts] == [UndecodableError]


def test_a_huge_frame_is_read_whole(server: StreamServer, listener: RememberingListener) -> None:
    line = {"ca": "0xff@56", "p": "1.5", "pc24": "-2", "vol24": "9", "t": 1779369537000}
    push = {"stream": ALL_TOKENS_TICKER, "data": {"e": "tickerList", "d": [line] * 50_000}}
    with streaming(server.url, listener):
        server.peer().json(push)
        listener.wait(lambda: bool(listener.pushes))
    (heard,) = listener.pushes
    assert len(heard.values) == 50_000
    assert isinstance(last := heard.values[-1], TokenTicker)
    assert last.price == Decimal("1.5")


def test_a_frame_that_arrives_in_pieces_is_read_whole(
    server: StreamServer, listener: RememberingListener
) -> None:
    body = json.dumps(trade(1)).encode()
    assert 125 < len(body) < 65536
    frame = b"\x81\x7e" + len(body).to_bytes(2, "big") + body
    pause = threading.Event()
    with streaming(server.url, listener):
        for start in range(0, len(frame), 40):
            server.peer().raw(frame[start : start + 40])
            pause.wait(0.03)
        listener.wait(lambda: bool(listener.pushes))
    assert trade_ids(listener) == [1]


def test_a_protocol_error_means_a_new_connection(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener):
        server.peer(0).raw(b"\xf1\x00")
        listener.wait_state(Connected(), 2)
    assert listener.losses() == [Loss.BROKEN]


def test_a_refused_handshake_is_tried_again_with_a_growing_pause(
    server: StreamServer, listener: RememberingListener
) -> None:
    server.status = 403
    with streaming(server.url, listener):
        listener.wait_lost(Loss.NOT_CONNECTED, 5)
        server.status = 101
        listener.wait_state(Connected())
    lost = [state for state in listener.states if isinstance(state, Lost)]
    assert {state.detail for state in lost} == {"handshake status 403"}
    assert [state.retry_in_s for state in lost[:5]] == [0.02, 0.04, 0.08, 0.1, 0.1]


def test_a_port_where_nobody_listens_is_tried_again(listener: RememberingListener) -> None:
    with streaming(f"ws://127.0.0.1:{unused_port()}", listener):
        listener.wait_lost(Loss.NOT_CONNECTED, 2)
    assert Connected() not in listener.states


def test_a_fault_of_our_own_is_logged_and_does_not_end_the_thread(
    listener: RememberingListener,
) -> None:
    with capture_logs() as logs, streaming("not-a-url", listener):
        listener.wait_lost(Loss.FAULT, 2)
    assert "stream_fault" in {entry["event"] for entry in logs}


def test_a_connection_on_request_is_a_new_one(
    server: StreamServer, listener: RememberingListener
) -> None:
    with streaming(server.url, listener) as stream:
        server.peer(0)
        listener.wait_state(Connected())
        stream.reconnect()
        server.peer(1)
        listener.wait_state(Connected(), 2)
    assert listener.losses() == [Loss.REQUESTED]


class FailingListener(RememberingListener):
    """Remembers, then raises, whatever it is told."""

    def on_push(self, push: Push, received_ns: int) -> None:
        super().on_push(push, received_ns)
        raise RuntimeError("the listener's own fault")

    def on_state(self, state: ConnectionState) -> None:
        super().on_state(state)
        raise RuntimeError("the listener's own fault")


def test_a_listener_that_raises_is_logged_and_hears_the_next_push(server: StreamServer) -> None:
    listener = FailingListener()
    with capture_logs() as logs, streaming(server.url, listener):
        server.peer().json(trade(1))
        server.peer().json(trade(2))
        listener.wait(lambda: len(listener.pushes) == 2)
    failed = [entry for entry in logs if entry["event"] == "stream_listener_failed"]
    assert {entry["callback"] for entry in failed} == {"on_push", "on_state"}
    assert all(entry["log_level"] == "error" for entry in failed)


def test_stopping_is_quick_while_the_handshake_is_unanswered(
    server: StreamServer, listener: RememberingListener
) -> None:
    server.mute = True
    stream = StreamSocket(server.url, listener, replace(QUICK, connect_within_s=30.0))
    stream.start()
    server.wait(lambda: server.accepted == 1)
    assert elapsed(stream.stop) < 1.2
    assert listener.states == [Stopped()]


def test_stopping_is_quick_while_pausing(listener: RememberingListener) -> None:
    timings = replace(QUICK, first_backoff_s=60.0, longest_backoff_s=60.0)
    stream = StreamSocket(f"ws://127.0.0.1:{unused_port()}", listener, timings, chance=lambda: 1.0)
    stream.start()
    listener.wait_lost(Loss.NOT_CONNECTED)
    assert elapsed(stream.stop) < 0.5


def test_stopping_says_goodbye_to_the_server(
    server: StreamServer, listener: RememberingListener
) -> None:
    stream = StreamSocket(server.url, listener, QUICK)
    stream.start()
    listener.wait_state(Connected())
    assert elapsed(stream.stop) < 0.5
    server.wait(lambda: server.peers[0].gone)
    assert listener.states == [Connected(), Stopped()]


def test_a_stream_may_be_stopped_twice_from_its_own_callback_or_before_its_start(
    server: StreamServer,
) -> None:
    class Stopping(RememberingListener):
        def on_push(self, push: Push, received_ns: int) -> None:
            super().on_push(push, received_ns)
            assert stream.stop()

    listener = Stopping()
    assert StreamSocket(server.url, listener, QUICK).stop()
    stream = StreamSocket(server.url, listener, QUICK)
    stream.start()
    server.peer().json(trade(1))
    listener.wait_state(Stopped())
    assert stream.stop()
    assert stream.stop()


def test_no_thread_is_left(server: StreamServer, listener: RememberingListener) -> None:
    with streaming(server.url, listener):
        listener.wait_state(Connected())
        assert "oto-test" in {thread.name for thread in threading.enumerate()}
    assert "oto-test" not in {thread.name for thread in threading.enumerate()}


def test_a_redirected_handshake_is_not_followed() -> None:
    elsewhere = Handshaker(b"")
    target = f"ws://127.0.0.1:{elsewhere.port}/"
    redirecting = Handshaker(
        f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    listener = RememberingListener()
    stream = StreamSocket(f"ws://127.0.0.1:{redirecting.port}/", listener, QUICK)
    stream.subscribe(["alpha@0123456789abcdef0123456789abcdef"])
    stream.start()

    listener.wait_lost(Loss.NOT_CONNECTED, 2)

    assert stream.stop()
    assert len(redirecting.heard) >= 2
    assert elsewhere.heard == []
    redirecting.close()
    elsewhere.close()


def test_no_cookie_of_one_socket_goes_out_with_another() -> None:
    setting = Handshaker(
        b"HTTP/1.1 302 Found\r\nSet-Cookie: awswaf=ANN; Domain=127.0.0.1\r\n"
        b"Location: /\r\nContent-Length: 0\r\n\r\n"
    )
    for _ in range(2):
        listener = RememberingListener()
        stream = StreamSocket(f"ws://127.0.0.1:{setting.port}/", listener, QUICK)
        stream.start()
        listener.wait_lost(Loss.NOT_CONNECTED)
        assert stream.stop()

    assert len(setting.heard) >= 2
    assert all(b"ANN" not in heard for heard in setting.heard)
    setting.close()


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Handshaker(b"HTTP/1.1 200 OK\r\n\r\n")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    listener = RememberingListener()
    stream = StreamSocket("ws://exchange.invalid/", listener, QUICK)
    stream.start()

    listener.wait_lost(Loss.NOT_CONNECTED)

    assert stream.stop()
    assert proxy.heard == []
    proxy.close()


def test_a_connection_with_a_refused_stream_is_never_told_to_be_subscribed() -> None:
    with stream_server() as server:
        server.reply = lambda command: (
            refusal(command) if "bad" in command["params"] else ack(command)
        )
        listener = RememberingListener()
        stream = StreamSocket(server.url, listener, QUICK)
        stream.subscribe(["bad"])
        stream.start()
        listener.wait(lambda: bool(listener.refusals))
        stream.subscribe(["good"])
        server.commands(0, 2)
        server.peer().json({"stream": "x@aggTrade", "data": {}})
        listener.wait(lambda: bool(listener.drifts))

        assert Subscribed() not in listener.states
        stream.unsubscribe(["bad"])
        listener.wait_state(Subscribed())
        assert stream.stop()


def test_a_secure_socket_talks_only_to_a_host_that_its_certificate_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = self_signed("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    secure = Handshaker(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", context)

    for host in ("127.0.0.1", "localhost"):
        assert secure.heard == []
        listener = RememberingListener()
        stream = StreamSocket(f"wss://{host}:{secure.port}/", listener, QUICK)
        stream.start()
        listener.wait_lost(Loss.NOT_CONNECTED)
        assert stream.stop()

    assert secure.heard[0].startswith(b"GET / HTTP/1.1")
    secure.close()


def self_signed(name: str, folder: Path) -> tuple[Path, Path]:
    """Write a certificate for a host name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths
