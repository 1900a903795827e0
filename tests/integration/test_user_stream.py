import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from oto.domain.errors import (
    ContractDriftError,
    HumanNeededError,
    OutcomeUnknownError,
    RateLimitedError,
    SessionOverError,
    UnavailableError,
    UndecodableError,
    UnexpectedShapeError,
)
from oto.domain.orders import ExecutionReport
from oto.infrastructure.alpha.credentials import ListenKey
from oto.infrastructure.alpha.states import Loss, Lost, Stopped, StreamTimings, Subscribed
from oto.infrastructure.alpha.user_stream import ReconcileReason, UserListener, UserStream
from tests.integration.listeners import RememberingUserListener, Waiting
from tests.integration.stream_server import StreamServer, ack, refusal, stream_server

pytestmark = pytest.mark.integration

QUICK = StreamTimings(
    connect_within_s=2.0,
    ack_within_s=5.0,
    first_backoff_s=0.02,
    longest_backoff_s=0.05,
    poll_every_s=0.01,
)
NEVER_S = 600.0


class Keys(Waiting):
    """Gives out the named keys or raises the given errors, the last one again and again."""

    def __init__(self, *answers: str | Exception) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked = 0

    def __call__(self) -> ListenKey:
        with self.changed:
            self.asked += 1
            self.changed.notify_all()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return key(answer)


def key(name: str) -> ListenKey:
    return ListenKey(name * 32)


def stream_name(name: str) -> str:
    return f"alpha@{name * 32}"


def report(event_id: int, **changes: object) -> dict[str, object]:
    data: dict[str, object] = {
        "s": "ALPHA_373USDT",
        "c": "web_00000000000000000000000000000001",
        "S": "BUY",
        "q": "869.56000000",
        "p": "0.23000000",
        "ap": "0",
        "x": "NEW",
        "X": "NEW",
        "i": "51481849",
        "l": "0",
        "z": "0",
        "L": "0",
        "t": "0",
        "O": 1759043608334,
        "Z": "0",
        "Y": "0",
        "ba": "ALPHA_373",
        "qa": "USDT",
        "id": event_id,
        "e": "executionReport",
        "T": 1759043608334,
        "E": 1759043608346,
    }
    return {"stream": stream_name("a"), "data": data | changes}


@pytest.fixture
def server() -> Iterator[StreamServer]:
    with stream_server() as running:
        yield running


@pytest.fixture
def listener() -> RememberingUserListener:
    return RememberingUserListener()


@contextmanager
def streaming(
    server: StreamServer,
    keys: Callable[[], ListenKey],
    listener: UserListener,
    renew_key_after_s: float = NEVER_S,
) -> Iterator[UserStream]:
    stream = UserStream(
        server.url, keys, listener, QUICK, renew_key_after_s=renew_key_after_s, chance=lambda: 1.0
    )
    stream.start()
    try:
        yield stream
    finally:
        assert stream.stop()


def told(server: StreamServer, peer: int, at_least: int) -> list[tuple[str, list[str]]]:
    return [(one["method"], one["params"]) for one in server.commands(peer, at_least)]


def event_ids(listener: RememberingUserListener) -> list[int]:
    return [one.event_id for one in listener.reports]


def test_reports_are_handed_on_once_and_in_order_of_arrival(
    server: StreamServer, listener: RememberingUserListener
) -> None:
    with streaming(server, Keys("a"), listener):
        listener.wait(lambda: Subscribed() in listener.states)
        for event_id in (1, 2, 2, 5, 1, 4, 5, 6):
            server.peer().json(report(event_id))
        listener.wait(lambda: 6 in event_ids(listener))
    assert event_ids(listener) == [1, 2, 5, 4, 6]
    assert listener.reasons == [ReconcileReason.SUBSCRIBED]
    assert server.peer().path == "/w3w/stream"
    assert told(server, 0, 1) == [("SUBSCRIBE", [stream_name("a")])]
    assert not server.peer().header_names & {"cookie", "origin", "user-agent"}


def test_every_reconnection_takes_a_new_key_and_asks_to_reconcile(
    server: StreamServer, listener: RememberingUserListener
) -> None:
    keys = Keys("a", "b", "c")
    with streaming(server, keys, listener):
        listener.wait(lambda: len(listener.reasons) == 1)
        server.peer(0).drop()
        listener.wait(lambda: len(listener.reasons) == 2)
        server.peer(1).drop()
        listener.wait(lambda: len(listener.reasons) == 3)
    assert [told(server, peer, 1) for peer in range(3)] == [
        [("SUBSCRIBE", [stream_name(name)])] for name in "abc"
    ]
    assert listener.reasons == [ReconcileReason.SUBSCRIBED] * 3
    assert keys.asked == 3


def test_a_renewed_key_that_is_the_same_changes_nothing(
    server: StreamServer, listener: RememberingUserListener
) -> None:
    keys = Keys("a")
    with streaming(server, keys, listener, renew_key_after_s=0.02):
        listener.wait(lambda: Subscribed() in listener.states)
        keys.wait(lambda: keys.asked > 5)
        server.peer().json(report(1))
        listener.wait(lambda: bool(listener.reports))
    assert told(server, 0, 1) == [("SUBSCRIBE", [stream_name("a")])]
    assert listener.reasons == [ReconcileReason.SUBSCRIBED]


def test_a_changed_key_replaces_the_old_on_the_same_socket(
    server: StreamServer, listener: RememberingUserListener
) -> None:
    with streaming(server, Keys("a", "b"), listener, renew_key_after_s=0.3):
        listener.wait(lambda: ReconcileReason.KEY_CHANGED in listener.reasons)
        server.peer().json(report(1))
        listener.wait(lambda: bool(listener.reports))
    assert told(server, 0, 3) == [
        ("SUBSCRIBE", [stream_name("a")]),
        ("SUBSCRIBE", [stream_name("b")]),
        ("UNSUBSCRIBE", [stream_name("a")]),
    ]
    assert len(server.peers) == 1
    assert listener.reasons == [ReconcileReason.SUBSCRIBED, ReconcileReason.KEY_CHANGED]


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError("no connection"),
        OutcomeUnknownError("timed out"),
        RateLimitedError("too many requests", 0),
    ],
)
def test_a_key_that_cannot_be_had_now_is_asked_for_again(
    server: StreamServer, listener: RememberingUserListener, error: Exception
) -> None:
    keys = Keys(error, error, "a")
    with streaming(server, keys, listener):
        listener.wait(lambda: Subscribed() in listener.states)
    assert keys.asked == 3
    assert listener.ended == []


@pytest.mark.parametrize(
    "error",
    [
        SessionOverError("the session has ended"),
        HumanNeededError("a human must act"),
        ContractDriftError("strange"),
        RuntimeError("a fault of our own"),
    ],
)
def test_a_key_that_only_a_human_can_bring_ends_the_stream(
    server: StreamServer, listener: RememberingUserListener, error: Exception
) -> None:
    keys = Keys(error)
    with streaming(server, keys, listener):
        listener.wait(lambda: bool(listener.ended))
    assert listener.ended == [error]
    assert listener.states[-1] == Stopped()
    assert keys.asked == 1


def test_a_refused_key_is_replaced_over_a_new_connection(
    server: StreamServer, listener: RememberingUserListener
) -> None:
    server.reply = refusal
    with streaming(server, Keys("a", "b"), listener), capture_logs() as logs:
        server.commands(0, 1)
        listener.wait(lambda: any(isinstance(state, Lost) for state in listener.states))
        server.reply = ack
        listener.wait(lambda: Subscribed() in listener.states)
    losses = {state.loss for state in listener.states if isinstance(state, Lost)}
    assert losses == {Loss.REQUESTED}
    assert "a" * 32 not in json.dumps(logs, default=repr)


def test_what_cannot_be_read_is_told_and_asks_to_reconcile(
    server: StreamServer, listener: RememberingUserListener
) -> None:
    with streaming(server, Keys("a"), listener):
        listener.wait(lambda: Subscribed() in listener.states)
        server.peer().text('{"stream": "alpha@')
        server.peer().json({"stream": stream_name("a"), "data": report(1, S="SIDE")["data"]})
        trade = {"e": "trade", "s": "X", "t": 1, "p": "1", "q": "1", "m": True, "T": 1}
        server.peer().json({"stream": "x@trade", "data": trade})
        server.peer().json(report(2))
        listener.wait(lambda: bool(listener.reports))
    assert [type(error) for error in listener.drifts] == [
        UndecodableError,
        UnexpectedShapeError,
        UnexpectedShapeError,
    ]
    unreadable = [ReconcileReason.UNREADABLE] * 3
    assert listener.reasons == [ReconcileReason.SUBSCRIBED, *unreadable]
    assert event_ids(listener) == [2]


class FailingListener(RememberingUserListener):
    def on_report(self, report: ExecutionReport, received_ns: int) -> None:
        super().on_report(report, received_ns)
        if report.event_id == 1:
            raise RuntimeError("the listener's own fault")


def test_a_report_that_was_not_applied_asks_to_reconcile(server: StreamServer) -> None:
    listener = FailingListener()
    with streaming(server, Keys("a"), listener):
        listener.wait(lambda: Subscribed() in listener.states)
        server.peer().json(report(1))
        server.peer().json(report(2))
        listener.wait(lambda: len(listener.reports) == 2)
    assert listener.reasons == [ReconcileReason.SUBSCRIBED, ReconcileReason.NOT_APPLIED]


def test_a_key_fetched_for_a_connection_that_is_gone_is_not_used(
    server: StreamServer, listener: RememberingUserListener
) -> None:
    fetching, go_on = threading.Event(), threading.Event()
    names = iter("ab")

    def slow_then_quick() -> ListenKey:
        name = next(names)
        if name == "a":
            fetching.set()
            assert go_on.wait(10.0)
        return key(name)

    with streaming(server, slow_then_quick, listener):
        assert fetching.wait(10.0)
        server.peer(0).drop()
        server.peer(1)
        listener.wait(lambda: any(isinstance(state, Lost) for state in listener.states))
        listener.wait(lambda: len(listener.states) >= 3)
        go_on.set()
        listener.wait(lambda: Subscribed() in listener.states)
    assert told(server, 1, 1) == [("SUBSCRIBE", [stream_name("b")])]


def test_a_stream_stops_while_its_key_is_put_off(
    server: StreamServer, listener: RememberingUserListener
) -> None:
    keys = Keys(RateLimitedError("too many requests", 3600))
    with streaming(server, keys, listener):
        server.peer()
        keys.wait(lambda: keys.asked == 1)
    assert listener.states[-1] == Stopped()


def test_a_stream_that_never_started_stops(
    server: StreamServer, listener: RememberingUserListener
) -> None:
    assert UserStream(server.url, Keys("a"), listener, QUICK).stop()


def test_the_key_is_not_in_any_log(server: StreamServer, listener: RememberingUserListener) -> None:
    with capture_logs() as logs, streaming(server, Keys("a"), listener):
        listener.wait(lambda: Subscribed() in listener.states)
        server.peer().json(report(1))
        server.peer().drop()
        listener.wait(lambda: listener.states.count(Subscribed()) == 2)
    assert "a" * 32 not in json.dumps(logs, default=repr)
    assert "a" * 32 not in repr(vars(listener))
