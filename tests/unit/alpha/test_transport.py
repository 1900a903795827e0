"""Over a real connection: what is sent, what comes back, what is repeated and what never is."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from oto.domain import errors as tree
from oto.domain.market import Symbol
from oto.domain.orders import OrderId
from oto.infrastructure.alpha.client import Limits
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.endpoints import LOGIN_PROBE
from oto.infrastructure.alpha.errors import ChallengedError, SupposedlySessionOverError
from oto.infrastructure.alpha.limits import RateBudget
from oto.infrastructure.alpha.parse_account import nothing
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.public import PublicAlpha
from oto.infrastructure.alpha.transport import Settings, Transport
from tests.unit.alpha import server
from tests.unit.alpha.server import Behaviour, Exchange, Reply
from tests.unit.alpha.wire import BUY, NEX, OTO

pytestmark = pytest.mark.unit

CHALLENGE = {"risk_challenge_biz_no": "abc", "risk_challenge_enable_flow": "true"}

WRITES: dict[str, Callable[[PrivateAlpha], object]] = {
    "place": lambda alpha: alpha.place(BUY),
    "place_oto": lambda alpha: alpha.place_oto(OTO),
    "cancel": lambda alpha: alpha.cancel(NEX, OrderId("1")),
    "cancel_all": lambda alpha: alpha.cancel_all(),
}


@pytest.fixture(params=WRITES)
def write(request: pytest.FixtureRequest) -> Callable[[PrivateAlpha], object]:
    return WRITES[request.param]


@pytest.fixture
def over() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_private_call_carries_the_session_and_one_fresh_id_twice(
    exchange: Exchange, private: PrivateAlpha
) -> None:
    exchange.script = [server.ok("7")]
    private.place(BUY)
    private.place(BUY)
    first, second = exchange.seen
    assert first.path == "/bapi/asset/v1/private/alpha-trade/order/place"
    assert first.headers["csrftoken"] == hashlib.md5(b"seed-of-the-token").hexdigest()
    assert first.headers["clienttype"] == "web"
    assert first.headers["content-type"] == "application/json"
    assert "p20t=web.1.canary" in first.headers["cookie"]
    assert first.headers["x-trace-id"] == first.headers["x-ui-request-trace"]
    assert first.headers["x-trace-id"] != second.headers["x-trace-id"]


def test_the_id_factory_can_be_given(exchange: Exchange, credentials: Credentials) -> None:
    exchange.script = [server.ok("7")]
    settings = Settings(new_trace_id=lambda: "trace-7")
    with PrivateAlpha(exchange.base_url, credentials, settings=settings) as alpha:
        alpha.place(BUY)
    assert exchange.seen[0].headers["x-ui-request-trace"] == "trace-7"


def test_cookies_that_come_back_are_not_kept(exchange: Exchange, private: PrivateAlpha) -> None:
    reply = server.ok([])
    exchange.script = [Reply(200, reply.body, {"set-cookie": "planted=1; Path=/"}), reply]
    private.open_orders()
    private.open_orders()
    assert "planted" not in exchange.seen[1].headers["cookie"]


def test_a_public_call_carries_no_session(exchange: Exchange, public: PublicAlpha) -> None:
    exchange.script = [server.ok([])]
    public.token_list()
    assert not {"cookie", "csrftoken"} & set(exchange.seen[0].headers)


def test_a_private_call_without_a_session_is_not_made(exchange: Exchange) -> None:
    transport = Transport(exchange.base_url)
    with pytest.raises(ValueError, match="needs a session"):
        transport.read(LOGIN_PROBE, nothing)
    transport.close()
    assert exchange.seen == []


VERIFICATION = tree.VerificationRequiredError


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        (server.cut, tree.UnavailableError),
        (server.half, tree.UnavailableError),
        (Reply(500), tree.UnavailableError),
        (Reply(502, b"<html>"), tree.UnavailableError),
        (server.html(403), tree.FirewalledError),
        (server.html(200), tree.FirewalledError),
        (Reply(302, headers={"location": "/elsewhere"}), tree.UndecodableError),
        (Reply(302, headers={"location": "mailto:foo"}), tree.UndecodableError),
        (Reply(307, headers={"location": "http:foo"}), tree.UndecodableError),
        (Reply(308, headers={"location": "data:,x"}), tree.UndecodableError),
        (Reply(200, b"{}", CHALLENGE), ChallengedError),
        (Reply(200, b'{"code":"000000","data":"1', CHALLENGE), ChallengedError),
        (Reply(200, b'{"code":"000000","success":false}', CHALLENGE), ChallengedError),
        (Reply(200, b"<html>", CHALLENGE), ChallengedError),
        (Reply(404), tree.UndecodableError),
        (Reply(200, b"OK"), tree.UndecodableError),
        (Reply(200, b"x", {"content-encoding": "gzip"}), tree.UndecodableError),
        (server.refusal("424242", "what?"), tree.UnknownCodeError),
        (server.refusal("424242", "请求失败"), SupposedlySessionOverError),
        (Reply(200, b'{"data":1}'), tree.UnexpectedShapeError),
    ],
)
def test_a_write_whose_outcome_is_open_is_sent_once_and_says_why(
    exchange: Exchange,
    private: PrivateAlpha,
    write: Callable[[PrivateAlpha], object],
    behaviour: Behaviour,
    cause: type[tree.ExchangeError],
) -> None:
    exchange.script = [behaviour]
    with pytest.raises(tree.OutcomeUnknownError) as caught:
        write(private)
    assert type(caught.value.__cause__) is cause
    assert len(exchange.seen) == 1


def test_a_write_that_is_not_answered_in_time_is_sent_once(
    exchange: Exchange,
    private: PrivateAlpha,
    write: Callable[[PrivateAlpha], object],
    over: threading.Event,
) -> None:
    exchange.script = [server.silence(over)]
    with pytest.raises(tree.OutcomeUnknownError, match="ReadTimeout"):
        write(private)
    assert len(exchange.seen) == 1


@pytest.mark.parametrize(
    ("behaviour", "branch"),
    [
        (Reply(429, headers={"retry-after": "1"}), tree.RateLimitedError),
        (Reply(401), tree.SessionOverError),
        (server.refusal("100002001", ""), tree.SessionOverError),
        (server.refusal("481020", ""), tree.RefusedError),
        (server.refusal("351022", ""), tree.AccountRestrictedError),
        (Reply(200, server.refusal("100001003", "").body, CHALLENGE), VERIFICATION),
        (Reply(200, server.refusal("424242", "").body, CHALLENGE), VERIFICATION),
    ],
)
def test_a_write_without_effect_is_not_repeated_either(
    exchange: Exchange,
    private: PrivateAlpha,
    write: Callable[[PrivateAlpha], object],
    behaviour: Behaviour,
    branch: type[tree.ExchangeError],
) -> None:
    exchange.script = [behaviour]
    with pytest.raises(branch):
        write(private)
    assert len(exchange.seen) == 1


def test_without_a_connection_nothing_was_sent(
    credentials: Credentials, settings: Settings, write: Callable[[PrivateAlpha], object]
) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        with (
            PrivateAlpha(url, credentials, settings=settings) as alpha,
            pytest.raises(tree.UnavailableError, match="ConnectError"),
        ):
            write(alpha)


def test_our_own_budget_holds_a_write_back_before_it_is_sent(
    exchange: Exchange, credentials: Credentials
) -> None:
    exchange.script = [server.ok("7")]
    budget = RateBudget(per_second=0.001, burst=1)
    with PrivateAlpha(exchange.base_url, credentials, budget=budget) as alpha:
        alpha.place(BUY)
        with pytest.raises(tree.RateLimitedError):
            alpha.place(BUY)
    assert len(exchange.seen) == 1


@pytest.mark.parametrize("name", ["place", "place_oto"])
def test_a_placement_that_succeeds_without_ids_is_open(
    exchange: Exchange, private: PrivateAlpha, name: str
) -> None:
    exchange.script = [server.ok(None)]
    with pytest.raises(tree.OutcomeUnknownError) as caught:
        WRITES[name](private)
    assert isinstance(caught.value.__cause__, tree.UnexpectedShapeError)


def test_a_challenged_placement_without_ids_is_open_and_needs_a_human(
    exchange: Exchange, private: PrivateAlpha
) -> None:
    exchange.script = [Reply(200, server.ok(None).body, CHALLENGE)]
    with pytest.raises(tree.OutcomeUnknownError) as caught:
        private.place(BUY)
    assert isinstance(caught.value.__cause__, tree.VerificationRequiredError)


def test_a_challenged_placement_with_an_id_was_placed(
    exchange: Exchange, private: PrivateAlpha
) -> None:
    exchange.script = [Reply(200, server.ok("77").body, CHALLENGE)]
    assert private.place(BUY) == "77"


def test_an_answer_beyond_the_bound_is_not_read_on(exchange: Exchange) -> None:
    exchange.script = [Reply(200, b" " * 300_000)]
    settings = Settings(limits=Limits(body_bytes=1000))
    with (
        PublicAlpha(exchange.base_url, settings=settings) as alpha,
        pytest.raises(tree.UndecodableError, match="1000 bytes"),
    ):
        alpha.token_list()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nx-a: ", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_answer_that_trickles_for_ever_is_given_up(
    exchange: Exchange, credentials: Credentials, over: threading.Event, answer: bytes
) -> None:
    exchange.script = [server.trickle(answer, over)]
    settings = Settings(limits=Limits(whole_s=0.5, read_s=0.4), attempts=1)
    with (
        PrivateAlpha(exchange.base_url, credentials, settings=settings) as alpha,
        pytest.raises(tree.OutcomeUnknownError, match="ReadTimeout"),
    ):
        alpha.place(BUY)
    assert len(exchange.seen) == 1


def test_a_process_that_was_held_up_after_it_was_allowed_to_send_sends_nothing(
    exchange: Exchange, credentials: Credentials
) -> None:
    exchange.script = [server.ok([]), server.ok("7")]
    settings = Settings(limits=Limits(whole_s=2), attempts=1)

    def held_up() -> bool:
        time.sleep(2.1)
        return True

    with PrivateAlpha(exchange.base_url, credentials, settings=settings) as alpha:
        alpha.open_orders()  # so that a connection is there already
        with pytest.raises(tree.OutcomeUnknownError, match="WriteTimeout"):
            alpha.place(BUY, held_up)
    assert [one.method for one in exchange.seen] == ["GET"]


def test_a_symbol_is_sent_as_a_value_and_nothing_else(
    exchange: Exchange, public: PublicAlpha
) -> None:
    exchange.script = [server.ok({"buyerCommission": 1, "sellerCommission": 1})]
    public.fee_rates(Symbol("A&x=1#/../"))
    assert exchange.seen[0].path.endswith("get-fee-rate?symbol=A%26x%3D1%23%2F..%2F")
