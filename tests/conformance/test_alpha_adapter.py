"""The adapter against the simulator, over the wire.

Whatever the exchange does, the adapter answers with a domain value or with the branch of the error
tree that says what to do next; a placement is sent once; nothing of the session is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from oto.domain import money
from oto.domain.errors import (
    ExchangeError,
    FirewalledError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusalReason,
    RefusedError,
    SessionOverError,
    UnavailableError,
    UndecodableError,
    UnexpectedShapeError,
    UnknownCodeError,
    VerificationRequiredError,
)
from oto.domain.market import BookDelta, SymbolRules, at_ms
from oto.domain.orders import (
    ExecutionType,
    LegRole,
    LimitOrder,
    OrderId,
    OrderStatus,
    OtoOrder,
    PlacedOto,
    Side,
)
from oto.infrastructure.alpha.book import BookFeed
from oto.infrastructure.alpha.client import Limits
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.frames import Push
from oto.infrastructure.alpha.market_stream import MarketStream, full_depth
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.public import PublicAlpha
from oto.infrastructure.alpha.states import Loss, StreamTimings, Subscribed
from oto.infrastructure.alpha.transport import Settings
from oto.infrastructure.alpha.user_stream import ReconcileReason, UserStream
from oto.simulator.faults import REST_FAULTS, FaultKind
from oto.simulator.playing import Program
from oto.simulator.settings import Settings as SimulatorSettings
from oto.simulator.tape import MOODS
from tests.integration.listeners import RememberingListener, RememberingUserListener
from tests.simulated import (
    AITECH,
    NEX,
    PLACE,
    Exchange,
    payment,
    plain_body,
    running,
    silent_plan,
)

pytestmark = pytest.mark.integration

ONCE = Settings(attempts=1, limits=Limits(read_s=1))
QUICK = StreamTimings(
    ack_within_s=2,
    ping_every_s=0.2,
    silent_after_s=1,
    first_backoff_s=0.05,
    longest_backoff_s=0.2,
    poll_every_s=0.02,
)


@dataclass
class Client:
    """One user's adapter, and the exchange that it talks to."""

    exchange: Exchange
    alpha: PrivateAlpha
    public: PublicAlpha
    rules: dict[str, SymbolRules] = field(default_factory=dict)

    def oto(
        self, working_price: str = "0.23", quantity: str = "50", pending_price: str = "0.22"
    ) -> OtoOrder:
        return OtoOrder(
            self.rules[AITECH],
            money.price(working_price),
            money.quantity(quantity),
            money.price(pending_price),
        )

    def rows(self) -> dict[OrderId, OrderStatus]:
        now = at_ms(self.exchange.truth()["now_ms"])
        past = self.alpha.order_history(now - timedelta(days=1), now + timedelta(days=1))
        return {row.order_id: row.status for row in [*past, *self.alpha.open_orders()]}


@pytest.fixture
def client(exchange: Exchange) -> Iterator[Client]:
    given = exchange.credentials()
    exchange.set_book(AITECH, asks=[["0.23", "1000"]], bids=[["0.229", "1000"]])
    credentials = Credentials(given["headers"], given["cookies"])
    with (
        PrivateAlpha(exchange.rest, credentials, settings=ONCE) as alpha,
        PublicAlpha(exchange.rest, settings=ONCE) as public,
    ):
        rules = {str(symbol): rule for symbol, rule in public.exchange_info().items()}
        yield Client(exchange, alpha, public, rules)


@pytest.fixture
def listener(client: Client) -> Iterator[RememberingUserListener]:
    """A user stream that is subscribed; what it heard so far is forgotten."""
    heard = RememberingUserListener()
    stream = UserStream(client.exchange.ws, client.alpha.listen_key, heard, QUICK)
    stream.start()
    heard.wait(lambda: ReconcileReason.SUBSCRIBED in heard.reasons)
    heard.reasons.clear()
    yield heard
    assert stream.stop()


def test_a_whole_oto_life_is_placed_reported_listed_and_paid(
    client: Client, listener: RememberingUserListener
) -> None:
    placed = client.alpha.place_oto(client.oto())

    listener.wait(lambda: len(listener.reports) >= 5)
    told = [(one.order_id, one.execution, one.status, one.quantity) for one in listener.reports]
    working, pending = placed.working_order_id, placed.pending_order_id
    assert told == [
        (working, ExecutionType.NEW, OrderStatus.NEW, 50),
        (pending, ExecutionType.NEW, OrderStatus.PENDING, 0),
        (working, ExecutionType.TRADE, OrderStatus.FILLED, 50),
        (pending, ExecutionType.NEW, OrderStatus.NEW, Decimal("49.99")),
        (pending, ExecutionType.TRADE, OrderStatus.FILLED, Decimal("49.99")),
    ]
    roles = {one.order_id: one.oto.role for one in listener.reports if one.oto}
    assert roles == {working: LegRole.WORKING, pending: LegRole.PENDING}
    assert client.rows() == {working: OrderStatus.FILLED, pending: OrderStatus.FILLED}
    [bought] = client.alpha.user_trades(AITECH, working)
    [sold] = client.alpha.user_trades(AITECH, pending)
    assert (bought.quote, bought.fee, bought.fee_asset) == (
        Decimal("11.5"),
        Decimal("0.005"),
        "ALPHA_373",
    )
    assert (sold.quote, sold.fee, sold.fee_asset) == (
        Decimal("11.44771"),
        Decimal("0.00114477"),
        "USDT",
    )
    assert client.alpha.asset_wallets().funding.free == 1000 - bought.quote + sold.quote - sold.fee
    [dust] = client.alpha.alpha_wallet()
    assert dust.holding.free == Decimal("0.005")
    assert client.alpha.day_volume().counted_usd == bought.quote


def test_a_resting_oto_is_cancelled_by_its_working_id(
    client: Client, listener: RememberingUserListener
) -> None:
    placed = client.alpha.place_oto(client.oto("0.2"))

    client.alpha.cancel(AITECH, placed.working_order_id)

    listener.wait(lambda: len(listener.reports) == 4)
    assert [one.execution for one in listener.reports[2:]] == [ExecutionType.CANCELED] * 2
    assert set(client.rows().values()) == {OrderStatus.CANCELED}


def test_a_partly_filled_working_leg_can_be_cancelled(client: Client) -> None:
    placed = client.alpha.place_oto(client.oto(quantity="1500"))

    client.alpha.cancel(AITECH, placed.working_order_id)

    assert client.rows()[placed.working_order_id] is OrderStatus.CANCELED
    [bought] = client.alpha.user_trades(AITECH, placed.working_order_id)
    assert bought.quantity == 1000


def test_an_active_pending_leg_is_cancelled_by_its_own_id(client: Client) -> None:
    placed = client.alpha.place_oto(client.oto(pending_price="0.25"))
    assert client.rows()[placed.pending_order_id] is OrderStatus.NEW

    client.alpha.cancel(AITECH, placed.pending_order_id)

    assert client.rows() == {
        placed.working_order_id: OrderStatus.FILLED,
        placed.pending_order_id: OrderStatus.CANCELED,
    }
    [held] = client.alpha.alpha_wallet()
    assert (held.holding.free, held.holding.locked) == (Decimal("49.995"), Decimal(0))


def test_a_partly_filled_pending_leg_can_be_cancelled(client: Client) -> None:
    client.exchange.set_book(AITECH, bids=[["0.229", "20"]])
    placed = client.alpha.place_oto(client.oto())

    client.alpha.cancel(AITECH, placed.pending_order_id)

    [sold] = client.alpha.user_trades(AITECH, placed.pending_order_id)
    assert sold.quantity == 20
    assert client.rows()[placed.pending_order_id] is OrderStatus.CANCELED


def test_a_cancel_of_a_closed_order_says_that_we_must_look(client: Client) -> None:
    placed = client.alpha.place_oto(client.oto())

    with pytest.raises(OutcomeUnknownError) as raised:
        client.alpha.cancel(AITECH, placed.working_order_id)

    # The real code of this refusal is unknown, so it is not in the table.
    assert isinstance(raised.value.__cause__, UnknownCodeError)


def test_cancel_all_leaves_nothing_open(client: Client) -> None:
    client.alpha.place_oto(client.oto("0.2"))
    order = LimitOrder(client.rules[AITECH], Side.BUY, money.price("0.21"), money.quantity("50"))
    client.alpha.place(order)
    assert len(client.alpha.open_orders()) == 3

    client.alpha.cancel_all()

    assert client.alpha.open_orders() == []


def test_what_the_exchange_refuses_carries_its_reason(client: Client) -> None:
    rules = client.rules[AITECH]
    too_dear = LimitOrder(rules, Side.BUY, money.price("1"), money.quantity("2000"))
    coarse = replace(rules, lot_step=Decimal("0.001"), min_quantity=money.quantity("0.001"))
    off_step = LimitOrder(coarse, Side.BUY, money.price("0.2"), money.quantity("50.001"))
    lax = replace(rules, min_notional=money.amount("0"))
    too_small = LimitOrder(lax, Side.BUY, money.price("0.2"), money.quantity("0.01"))
    short = replace(rules, quote_precision=6)
    cut = LimitOrder(short, Side.BUY, money.price("0.22983662"), money.quantity("435.09"))

    for order, reason in (
        (too_dear, RefusalReason.INSUFFICIENT_BALANCE),
        (off_step, RefusalReason.OFF_GRID),
        (too_small, RefusalReason.NOTIONAL_TOO_SMALL),
        (cut, RefusalReason.AMOUNT_MISMATCH),
    ):
        with pytest.raises(RefusedError) as raised:
            client.alpha.place(order)
        assert raised.value.reason is reason
    assert client.exchange.orders() == []


UNKNOWN = OutcomeUnknownError

# Per fault: what a read raises, what a placement raises, what the unknown outcome was caused by,
# and whether the order was placed.
REST_BRANCHES: list[
    tuple[FaultKind, dict[str, Any], type[ExchangeError] | None, tuple[Any, Any, bool]]
] = [
    (
        FaultKind.ANSWER_LOST_BEFORE,
        {},
        UnavailableError,
        (UNKNOWN, UnavailableError, False),
    ),
    (FaultKind.ANSWER_LOST_AFTER, {}, UnavailableError, (UNKNOWN, UnavailableError, True)),
    (
        FaultKind.LATE_ANSWER,
        {"delay_ms": 1_500},
        UnavailableError,
        (UNKNOWN, UnavailableError, True),
    ),
    (FaultKind.LATE_ANSWER, {"delay_ms": 10}, None, (None, None, True)),
    (
        FaultKind.SERVER_ERROR,
        {"status": 502},
        UnavailableError,
        (UNKNOWN, UnavailableError, False),
    ),
    (
        FaultKind.SERVER_ERROR,
        {"status": 500, "after": True},
        UnavailableError,
        (UNKNOWN, UnavailableError, True),
    ),
    (
        FaultKind.RATE_LIMITED,
        {"retry_after_s": 7},
        RateLimitedError,
        (RateLimitedError, None, False),
    ),
    (FaultKind.FIREWALL, {}, FirewalledError, (UNKNOWN, FirewalledError, False)),
    (
        FaultKind.CHALLENGE,
        {},
        VerificationRequiredError,
        (VerificationRequiredError, None, False),
    ),
    (FaultKind.SESSION_EXPIRED, {}, SessionOverError, (SessionOverError, None, False)),
    (
        FaultKind.UNKNOWN_CODE,
        {"code": "777777"},
        UnknownCodeError,
        (UNKNOWN, UnknownCodeError, False),
    ),
    (FaultKind.NOT_JSON, {}, FirewalledError, (UNKNOWN, FirewalledError, True)),
    (FaultKind.EXTRA_FIELDS, {}, None, (None, None, True)),
    (
        FaultKind.MISSING_FIELDS,
        {},
        UnexpectedShapeError,
        (UNKNOWN, UnexpectedShapeError, True),
    ),
]


def test_every_rest_fault_of_the_simulator_has_a_documented_branch() -> None:
    assert {row[0] for row in REST_BRANCHES} == REST_FAULTS


@pytest.mark.parametrize(("kind", "options", "read", "_"), REST_BRANCHES)
def test_a_read_under_each_fault_ends_in_its_branch(
    client: Client,
    kind: FaultKind,
    options: dict[str, Any],
    read: type[ExchangeError] | None,
    _: object,
) -> None:
    client.exchange.fault(kind.value, count=1, **options)

    if read is None:
        assert client.alpha.asset_wallets().funding.free == 1000
        return
    with pytest.raises(read):
        client.alpha.asset_wallets()
    assert client.alpha.asset_wallets().funding.free == 1000


@pytest.mark.parametrize(("kind", "options", "_", "write"), REST_BRANCHES)
def test_a_placement_under_each_fault_is_sent_once_and_ends_in_its_branch(
    client: Client,
    kind: FaultKind,
    options: dict[str, Any],
    _: object,
    write: tuple[type[ExchangeError] | None, type[ExchangeError] | None, bool],
) -> None:
    raises, cause, placed = write
    client.exchange.fault(kind.value, endpoint="place_oto", **options)

    if raises is None:
        assert isinstance(client.alpha.place_oto(client.oto("0.2")), PlacedOto)
    else:
        with pytest.raises(raises) as raised:
            client.alpha.place_oto(client.oto("0.2"))
        assert isinstance(raised.value.__cause__, cause or type(None))

    assert len(client.exchange.truth()["faults"]) == 1
    assert len(client.exchange.orders()) == (2 if placed else 0)


@pytest.mark.parametrize(("kind", "options", "_", "write"), REST_BRANCHES)
def test_a_cancel_under_each_fault_is_sent_once_and_ends_in_its_branch(
    client: Client,
    kind: FaultKind,
    options: dict[str, Any],
    _: object,
    write: tuple[type[ExchangeError] | None, type[ExchangeError] | None, bool],
) -> None:
    placed = client.alpha.place_oto(client.oto("0.2"))
    client.exchange.fault(kind.value, endpoint="cancel", **options)
    raises, cause, cancelled = write
    if kind is FaultKind.MISSING_FIELDS:  # a cancel's answer has no field that could be missing
        raises = None

    if raises is None:
        client.alpha.cancel(AITECH, placed.working_order_id)
    else:
        with pytest.raises(raises) as raised:
            client.alpha.cancel(AITECH, placed.working_order_id)
        assert isinstance(raised.value.__cause__, cause or type(None))

    assert len(client.exchange.truth()["faults"]) == 1
    expected = OrderStatus.CANCELED if cancelled else OrderStatus.NEW
    assert client.rows()[placed.working_order_id] is expected


def test_a_read_is_repeated_until_the_exchange_recovers(client: Client) -> None:
    pauses: list[float] = []
    patient = Settings(attempts=3, sleep=pauses.append)
    client.exchange.fault("server_error", endpoint="full_depth", count=1)
    client.exchange.fault("rate_limited", endpoint="full_depth", count=1, retry_after_s=3)

    with PublicAlpha(client.exchange.rest, settings=patient) as public:
        book = public.full_depth(AITECH)

    assert [level.price for level in book.bids] == [Decimal("0.229")]
    assert len(pauses) == 2
    assert pauses[1] >= 3


def test_an_order_that_reads_do_not_show_yet_appears_later(client: Client) -> None:
    client.exchange.fault("late_history", delay_ms=4_000, count=1, user="ann")
    placed = client.alpha.place(
        LimitOrder(client.rules[AITECH], Side.BUY, money.price("0.2"), money.quantity("50"))
    )
    assert client.rows() == {}

    client.exchange.step(4_000)

    assert client.rows() == {placed: OrderStatus.NEW}


def test_a_sweep_to_earn_is_seen_as_a_move_between_wallets(client: Client) -> None:
    client.exchange.fault("swept_to_earn", user="ann")

    wallets = client.alpha.asset_wallets()

    thousand = Decimal(1000)
    assert (wallets.funding.free, wallets.earn.free) == (Decimal(0), thousand)
    assert wallets.total == thousand


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("report_delayed", {"delay_ms": 500}),
        ("report_reordered", {"delay_ms": 500, "count": 2}),
        ("report_duplicated", {"delay_ms": 500}),
    ],
)
def test_late_reordered_and_duplicated_reports_arrive_once_each(
    client: Client, listener: RememberingUserListener, kind: str, options: dict[str, Any]
) -> None:
    client.exchange.fault(kind, user="ann", **options)

    client.alpha.place_oto(client.oto())
    client.exchange.step(10_000)

    listener.wait(lambda: len(listener.reports) == 5)
    ids = [one.event_id for one in listener.reports]
    assert len(set(ids)) == 5
    assert (ids == sorted(ids)) is (kind != "report_reordered")


def test_dropped_reports_are_found_by_reading(
    client: Client, listener: RememberingUserListener
) -> None:
    client.exchange.fault("report_dropped", user="ann")

    placed = client.alpha.place_oto(client.oto())

    assert set(client.rows().values()) == {OrderStatus.FILLED}
    assert client.alpha.user_trades(AITECH, placed.working_order_id)
    assert listener.reports == []


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        ("socket_cut", {Loss.BROKEN, Loss.CLOSED_BY_SERVER}),
        ("socket_silent", {Loss.SILENT}),
        ("server_shutdown", {Loss.SERVER_SHUTDOWN}),
    ],
)
def test_a_lost_user_socket_comes_back_and_asks_for_reconciliation(
    client: Client, listener: RememberingUserListener, kind: str, loss: set[Loss]
) -> None:
    client.exchange.fault(kind, endpoint="user")

    listener.wait(lambda: ReconcileReason.SUBSCRIBED in listener.reasons)
    client.alpha.place_oto(client.oto("0.2"))

    listener.wait(lambda: len(listener.reports) == 2)
    lost = {getattr(state, "loss", None) for state in listener.states} - {None}
    assert lost <= loss
    assert lost


def test_an_expired_listen_key_is_replaced_when_the_connection_is(
    client: Client, listener: RememberingUserListener
) -> None:
    client.exchange.fault("listen_key_expired", user="ann")
    client.exchange.fault("socket_cut", endpoint="user")

    listener.wait(lambda: ReconcileReason.SUBSCRIBED in listener.reasons)
    client.alpha.place_oto(client.oto("0.2"))

    listener.wait(lambda: len(listener.reports) == 2)


def test_an_expired_listen_key_is_replaced_by_its_renewal(client: Client) -> None:
    heard = RememberingUserListener()
    stream = UserStream(
        client.exchange.ws, client.alpha.listen_key, heard, QUICK, renew_key_after_s=0.3
    )
    stream.start()
    heard.wait(lambda: ReconcileReason.SUBSCRIBED in heard.reasons)

    client.exchange.fault("listen_key_expired", user="ann")
    heard.wait(lambda: ReconcileReason.KEY_CHANGED in heard.reasons)
    client.alpha.place_oto(client.oto("0.2"))

    heard.wait(lambda: len(heard.reports) == 2)
    assert stream.stop()


def test_a_truncated_report_asks_for_reconciliation_and_the_stream_goes_on(
    client: Client, listener: RememberingUserListener
) -> None:
    client.exchange.fault("truncated_frame", endpoint="user")

    client.alpha.place_oto(client.oto("0.2"))

    listener.wait(lambda: len(listener.reports) == 1)
    assert isinstance(listener.drifts[0], UndecodableError)
    assert ReconcileReason.UNREADABLE in listener.reasons


def test_an_ended_session_ends_the_user_stream_without_hammering(client: Client) -> None:
    client.exchange.add_user(session_live=False)
    heard = RememberingUserListener()
    stream = UserStream(client.exchange.ws, client.alpha.listen_key, heard, QUICK)
    stream.start()

    heard.wait(lambda: bool(heard.ended))

    assert isinstance(heard.ended[0], SessionOverError)
    assert stream.stop()


def test_a_bare_acknowledgement_is_an_acknowledgement(client: Client) -> None:
    client.exchange.fault("ack_without_result")
    heard = RememberingListener()
    stream = MarketStream(client.exchange.ws, heard, QUICK)
    stream.start()
    stream.watch(AITECH)

    heard.wait_state(Subscribed())
    client.exchange.control(f"symbols/{AITECH}/trade", {"price": "0.2299", "quantity": "5"})

    heard.wait(lambda: any(push.stream.endswith("aggTrade") for push in heard.pushes))
    assert stream.stop()


@pytest.mark.parametrize("kind", ["socket_cut", "socket_silent", "server_shutdown"])
def test_a_lost_market_socket_is_resubscribed(client: Client, kind: str) -> None:
    heard = RememberingListener()
    stream = MarketStream(client.exchange.ws, heard, QUICK)
    stream.start()
    stream.watch(AITECH)
    heard.wait_state(Subscribed())

    client.exchange.fault(kind, endpoint="market")
    heard.wait_state(Subscribed(), 2)
    client.exchange.control(f"symbols/{AITECH}/trade", {"price": "0.2299", "quantity": "5"})

    heard.wait(lambda: any(push.stream.endswith("aggTrade") for push in heard.pushes))
    assert stream.stop()


def test_a_token_that_is_delisted_is_read_as_not_trading(client: Client) -> None:
    client.exchange.control(f"symbols/{NEX}", {"token": {"offline": True}})

    tokens = {token.alpha_id: token for token in client.public.token_list()}

    assert not tokens[client.rules[NEX].base_asset].tradable
    assert tokens[client.rules[AITECH].base_asset].tradable


def test_a_book_kept_from_the_stream_equals_the_published_one() -> None:
    # Zombie and crossed levels come and go, and a user takes liquidity that comes back.
    lively = SimulatorSettings(zombie_per_mille=300, crossed_per_mille=300)
    plan = silent_plan(program=Program(mood=MOODS["calm"]), settings=lively)
    with running(plan) as exchange, PublicAlpha(exchange.rest, settings=ONCE) as public:
        headers = exchange.add_user(funding="100000")
        feed = BookFeed(AITECH, lambda: public.full_depth(AITECH, 1000))
        heard = RememberingListener()
        stream = MarketStream(exchange.ws, heard, QUICK)
        stream.start()
        stream.subscribe([full_depth(AITECH, "100ms")])
        heard.wait_state(Subscribed())

        taken = syncs = 0
        for number in range(2, 60):
            price = exchange.truth()["last_prices"][AITECH]
            dear = f"{Decimal(price) * 2:f}"
            exchange.post(PLACE, headers, plain_body("BUY", dear, "50", payment(dear, "50")))
            exchange.step(1_000)
            # Frames keep their order: once this is acknowledged, every earlier push is here.
            stream.subscribe([f"nobody@{number}"])
            heard.wait_state(Subscribed(), number)
            for delta in deltas(heard.pushes[taken:]):
                feed.take(delta)
            taken = len(heard.pushes)
            if feed.needs_snapshot:
                syncs += feed.sync()
            published = public.full_depth(AITECH, 1000)
            assert feed.levels() == (tuple(published.bids), tuple(published.asks))
        assert syncs == 1
        assert stream.stop()


def deltas(pushes: list[Push]) -> list[BookDelta]:
    values = [value for push in pushes for value in push.values]
    return [value for value in values if isinstance(value, BookDelta)]
