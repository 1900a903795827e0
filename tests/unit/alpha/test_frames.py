import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oto.domain.errors import ExchangeError, UndecodableError, UnexpectedShapeError
from oto.domain.market import (
    AggTrade,
    AlphaId,
    BookDelta,
    BookLevel,
    BookTop,
    DayTicker,
    Kline,
    MiniTicker,
    Symbol,
    Trade,
    at_ms,
)
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import (
    ExecutionReport,
    ExecutionType,
    LegRole,
    OrderId,
    OrderListId,
    OrderStatus,
    OtoMembership,
    ReportedFill,
    Side,
)
from oto.domain.tokens import TokenTicker
from oto.infrastructure.alpha import market_stream
from oto.infrastructure.alpha.frames import (
    Ack,
    Frame,
    Method,
    Push,
    Refused,
    ServerShutdown,
    Subscriptions,
    command_text,
    parse_frame,
    without_listen_key,
)
from tests.samples import sample_bytes

pytestmark = pytest.mark.unit

KEY = "0123456789abcdef0123456789abcdef"


def sample(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(sample_bytes(name))
    return value


def sequence(name: str) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = json.loads(sample_bytes(name))
    return values


def price(text: str) -> Price:
    return Price(Decimal(text))


def quantity(text: str) -> Quantity:
    return Quantity(Decimal(text))


def amount(text: str) -> Amount:
    return Amount(Decimal(text))


def level(at: str, size: str) -> BookLevel:
    return BookLevel(price(at), quantity(size))


MARKET = {
    "ws_agg_trade_2025-09.json": Push(
        "alpha_373usdt@aggTrade",
        (
            AggTrade(
                Symbol("ALPHA_373USDT"),
                798462,
                price("0.22690468"),
                quantity("26959.29"),
                buyer_is_maker=False,
                traded_at=at_ms(1759043579983),
            ),
        ),
    ),
    "ws_agg_trade_2026-05.json": Push(
        "alpha_971usdt@aggTrade",
        (
            AggTrade(
                Symbol("ALPHA_971USDT"),
                164916,
                price("0.000005540"),
                quantity("98228237.90"),
                buyer_is_maker=False,
                traded_at=at_ms(1779369536868),
            ),
        ),
    ),
    "ws_trade_official.json": Push(
        "alpha_116usdt@trade",
        (
            Trade(
                Symbol("ALPHA_116USDT"),
                19911650,
                price("8.4"),
                quantity("0.979157"),
                buyer_is_maker=False,
                traded_at=at_ms(1773110023877),
            ),
        ),
    ),
    "ws_book_ticker_official.json": Push(
        "alpha_116usdt@bookTicker",
        (
            BookTop(
                Symbol("ALPHA_116USDT"),
                level("8.3", "0.910769"),
                level("9.3", "2.003532"),
                6663207693,
                at_ms(1773108379054),
            ),
        ),
    ),
    "ws_full_depth_2026-05.json": Push(
        "alpha_971usdt@fulldepth@500ms",
        (
            BookDelta(
                Symbol("ALPHA_971USDT"),
                59178703253,
                59178704340,
                59178703146,
                (level("0.000005530", "34940853.20"),),
                (level("0.000005540", "9802441.00"),),
                at_ms(1779369537256),
            ),
        ),
    ),
    "ws_full_depth_docs.json": Push(
        "alpha_474usdt@fulldepth@500ms",
        (
            BookDelta(
                Symbol("ALPHA_474USDT"),
                42648947917,
                42648948229,
                42648947321,
                (
                    level("0.08513788", "0"),
                    level("0.08520502", "23.47"),
                    level("0.08521196", "320.94"),
                    level("0.08529880", "0"),
                    level("0.08529885", "0"),
                ),
                (level("0.07680652", "0"), level("0.08529794", "0")),
                at_ms(1771828614258),
            ),
        ),
    ),
    "ws_full_depth_official.json": Push(
        "alpha_474usdt@fulldepth@500ms",
        (
            BookDelta(
                Symbol("ALPHA_474USDT"),
                42648947917,
                42648948229,
                42648947321,
                (level("0.16479999", "0"), level("0.1648", "18.68")),
                (level("0.1649", "500"), level("0.165", "0")),
                at_ms(1771828614258),
            ),
        ),
    ),
    "ws_partial_depth_official.json": Push(
        "alpha_116usdt@depth",
        (
            BookDelta(
                Symbol("ALPHA_116USDT"),
                6663367135,
                6663367147,
                6663366971,
                (level("8.4", "1266.847896"),),
                (level("8.3", "8.027767"),),
                at_ms(1773110222767),
            ),
        ),
    ),
    "ws_kline_official.json": Push(
        "alpha_116usdt@kline_1m",
        (
            Kline(
                "1m",
                at_ms(1773111000000),
                at_ms(1773111059999),
                price("8.4"),
                price("8.4"),
                price("8.4"),
                price("8.4"),
                quantity("63.648763"),
                amount("534.6496092"),
            ),
        ),
    ),
    "ws_kline_short_2026-05.json": Push(
        "came@alpha_971@short@kline_1s",
        (
            Kline(
                "1s",
                at_ms(1779369468000),
                at_ms(1779369469000),
                price("0.000005466"),
                price("0.000005482"),
                price("0.000005466"),
                price("0.00000548"),
                quantity("2255.554101049"),
            ),
        ),
    ),
    "ws_kline_contract_numbers_2025-07.json": Push(
        "came@0xff7d6a96ae471bbcd7713af9cb1feeb16cf56b41@56@kline_1s",
        (
            Kline(
                "1s",
                at_ms(1752172979000),
                at_ms(1752172980000),
                price("0.07156"),
                price("0.07162070848390285"),
                price("0.07156"),
                price("0.07156472358283535"),
                quantity("4535.899309725156"),
            ),
        ),
    ),
    "ws_ticker_list_2026-05.json": Push(
        "came@allTokens@ticker24",
        (
            TokenTicker(
                "0x365de036a1f7dccb621530d517133521debb2013",
                "56",
                price("0.000005526719345531"),
                Decimal("268.24"),
                amount("125298349.046330522979916999983"),
                at_ms(1779369537000),
            ),
        ),
    ),
    "ws_mini_ticker_official.json": Push(
        "alpha_116usdt@miniTicker",
        (
            MiniTicker(
                symbol=Symbol("ALPHA_116USDT"),
                last=price("8.4"),
                open=price("8.4"),
                high=price("8.5"),
                low=price("8.3"),
                volume=quantity("64739.039789"),
                quote_volume=amount("543810.3600509"),
                ticked_at=at_ms(1773109449908),
            ),
        ),
    ),
    "ws_ticker_official.json": Push(
        "alpha_116usdt@ticker",
        (
            DayTicker(
                symbol=Symbol("ALPHA_116USDT"),
                last=price("8.4"),
                open=price("8.4"),
                high=price("8.5"),
                low=price("8.3"),
                weighted_average=price("8.40003127"),
                volume=quantity("64750.634185"),
                quote_volume=amount("543907.3516925"),
                opened_at=at_ms(1773023220000),
                closed_at=at_ms(1773109631555),
                trade_count=217505,
                change_percent=Decimal("0.00"),
            ),
        ),
    ),
}

PLAIN_BUY = ExecutionReport(
    event_id=1884441972,
    symbol=Symbol("ALPHA_118USDT"),
    order_id=OrderId("19933949"),
    client_order_id="web_00000000000000000000000000000003",
    side=Side.BUY,
    execution=ExecutionType.TRADE,
    status=OrderStatus.FILLED,
    price=price("0.12929528"),
    average_price=price("0.128003"),
    quantity=quantity("7.73"),
    cumulative_quantity=quantity("7.73"),
    cumulative_quote=amount("0.98946319"),
    base_asset=AlphaId("ALPHA_118"),
    quote_asset="USDT",
    oto=None,
    fill=ReportedFill(
        "1152681",
        price("0.128003"),
        quantity("7.73"),
        amount("0.98946319"),
        quantity("0.000773"),
        "ALPHA_118",
    ),
    created_at=at_ms(1751959949045),
    transacted_at=at_ms(1751959949922),
    emitted_at=at_ms(1751959949925),
)

# event id, order, execution, status, quantity, cumulative, cumulative quote, average price
OTO = [
    (12501197286, "51481849", "NEW", "NEW", "869.56", "0", "0", "0"),
    (12501197287, "51481850", "NEW", "PENDING", "0", "0", "0", "0"),
    (
        12501200714,
        "51481849",
        "TRADE",
        "FILLED",
        "869.56",
        "869.56",
        "197.30724223",
        "0.226904689",
    ),
    (12501200716, "51481850", "NEW", "NEW", "869.47", "0", "0", "0"),
    (
        12501205152,
        "51481850",
        "TRADE",
        "PARTIALLY_FILLED",
        "869.47",
        "200",
        "45.380936",
        "0.22690468",
    ),
    (
        12501205154,
        "51481850",
        "TRADE",
        "FILLED",
        "869.47",
        "869.47",
        "197.28681211",
        "0.226904679",
    ),
]
OTO_FILES = [
    "ws_user_oto_1_working_new.json",
    "ws_user_oto_2_pending_pending.json",
    "ws_user_oto_3_working_filled.json",
    "ws_user_oto_4_pending_new.json",
    "ws_user_oto_5_pending_partially_filled.json",
    "ws_user_oto_6_pending_filled.json",
]
OTO_FILLS = {
    12501200714: ReportedFill(
        "798491",
        price("0.22690469"),
        quantity("869.56"),
        amount("197.30724223"),
        quantity("0.086956"),
        "ALPHA_373",
    ),
    12501205152: ReportedFill(
        "798492",
        price("0.22690468"),
        quantity("200"),
        amount("45.380936"),
        amount("0.00453809"),
        "USDT",
    ),
    12501205154: ReportedFill(
        "798492",
        price("0.22690468"),
        quantity("669.47"),
        amount("151.90587611"),
        amount("0.01519059"),
        "USDT",
    ),
}


def report_of(frame: Frame) -> ExecutionReport:
    assert isinstance(frame, Push)
    (report,) = frame.values
    assert isinstance(report, ExecutionReport)
    return report


def parse(value: object) -> Frame:
    return parse_frame(json.dumps(value))


def changed_report(**changes: object) -> dict[str, Any]:
    push = sample("ws_user_oto_3_working_filled.json")
    push["data"] |= changes
    return push


@pytest.mark.parametrize("name", MARKET)
def test_a_recorded_market_push_becomes_its_domain_value(name: str) -> None:
    assert parse_frame(sample_bytes(name)) == MARKET[name]


def test_figures_keep_every_digit_of_the_wire() -> None:
    push = parse_frame(sample_bytes("ws_ticker_list_2026-05.json"))
    assert isinstance(push, Push)
    (ticker,) = push.values
    assert isinstance(ticker, TokenTicker)
    assert str(ticker.volume_24h_usd) == "125298349.046330522979916999983"


def test_a_push_is_read_from_bytes_as_from_text() -> None:
    raw = sample_bytes("ws_agg_trade_2026-05.json")
    assert parse_frame(raw.decode()) == parse_frame(raw)


def test_a_plain_order_belongs_to_no_oto() -> None:
    frame = parse_frame(sample_bytes("ws_user_plain_buy_filled_2025-07.json"))
    assert report_of(frame) == PLAIN_BUY


def assert_report(
    report: ExecutionReport, row: tuple[int, str, str, str, str, str, str, str]
) -> None:
    event_id, order_id, execution, status, whole, done, quote, average = row
    working = order_id == "51481849"
    assert report.event_id == event_id
    assert report.order_id == order_id
    assert report.side is (Side.BUY if working else Side.SELL)
    assert report.price == price("0.23" if working else "0.0001")
    assert (report.execution.value, report.status.value) == (execution, status)
    assert (report.quantity, report.cumulative_quantity) == (quantity(whole), quantity(done))
    assert (report.cumulative_quote, report.average_price) == (amount(quote), price(average))
    role = LegRole.WORKING if working else LegRole.PENDING
    assert report.oto == OtoMembership(OrderListId("89863105"), role)
    assert report.fill == OTO_FILLS.get(event_id)
    assert (report.base_asset, report.quote_asset) == ("ALPHA_373", "USDT")
    assert report.created_at == datetime(2025, 9, 28, 7, 13, 28, 334000, tzinfo=UTC)


@pytest.mark.parametrize(("name", "row"), list(zip(OTO_FILES, OTO, strict=True)))
def test_each_recorded_report_of_an_oto_is_read(
    name: str, row: tuple[int, str, str, str, str, str, str, str]
) -> None:
    assert_report(report_of(parse_frame(sample_bytes(name))), row)


def test_the_recorded_oto_is_read_in_order() -> None:
    reports = [report_of(parse(push)) for push in sequence("ws_user_oto_sequence_2025-09.json")]
    for report, row in zip(reports, OTO, strict=True):
        assert_report(report, row)
    assert reports[2].transacted_at == reports[3].transacted_at == at_ms(1759043609181)
    assert reports[5].emitted_at == at_ms(1759043610678)


def test_a_cancelled_oto_as_we_suppose_it_is_read() -> None:
    reports = [report_of(parse(push)) for push in sequence("ws_user_oto_canceled_guess.json")]
    assert [report.status for report in reports] == [OrderStatus.CANCELED] * 2
    assert [report.execution for report in reports] == [ExecutionType.CANCELED] * 2
    assert [report.quantity for report in reports] == [quantity("869.56"), quantity("0")]
    assert all(report.fill is None for report in reports)


def test_an_unknown_status_or_execution_word_is_unknown_and_not_an_error() -> None:
    report = report_of(parse(changed_report(x="TRADE_PREVENTION", X="PENDING_CANCEL")))
    assert report.execution is ExecutionType.UNKNOWN
    assert report.status is OrderStatus.UNKNOWN
    assert report.fill is None


def test_ids_that_come_as_numbers_become_text() -> None:
    report = report_of(parse(changed_report(i=51481849, il=89863105, t=798491)))
    assert report.order_id == "51481849"
    assert report.oto == OtoMembership(OrderListId("89863105"), LegRole.WORKING)
    assert report.fill is not None
    assert report.fill.trade_id == "798491"


@pytest.mark.parametrize("field", ["n", "N", "il"])
def test_a_report_that_lacks_half_of_a_pair_is_refused(field: str) -> None:
    push = changed_report()
    del push["data"][field]
    with pytest.raises(UnexpectedShapeError, match=rf"\$\.data\..*{field}"):
        parse(push)


def test_the_listen_key_never_leaves_the_parser() -> None:
    frame = parse_frame(sample_bytes("ws_user_oto_1_working_new.json"))
    assert isinstance(frame, Push)
    assert frame.stream == "alpha@<hidden>"
    listing = parse({"result": [f"alpha@{KEY}", "alpha_971usdt@aggTrade"], "id": 3})
    assert listing == Subscriptions(3, ("alpha@<hidden>", "alpha_971usdt@aggTrade"))
    refused = parse({"error": {"code": 2, "msg": f'Invalid stream "alpha@{KEY}"'}, "id": 1})
    assert refused == Refused(1, 2, 'Invalid stream "alpha@<hidden>"')


@pytest.mark.parametrize("name", ["came@alpha_971@short@kline_1s", "alpha_971usdt@aggTrade"])
def test_public_stream_names_are_shown(name: str) -> None:
    assert without_listen_key(name) == name


def test_an_acknowledgement_may_lack_its_result() -> None:
    assert parse_frame(sample_bytes("ws_ack_2026-05.json")) == Ack(2)
    assert parse_frame(sample_bytes("ws_ack_without_result_2025-09.json")) == Ack(1)
    assert parse({"result": None, "id": None}) == Ack(None)
    assert parse({"result": None, "id": "a1"}) == Ack("a1")


def test_a_listing_is_asked_for_and_answered_as_recorded() -> None:
    recorded = sample("ws_list_subscriptions.json")
    assert json.loads(command_text(Method.LIST_SUBSCRIPTION, 3)) == recorded["request"]
    assert parse(recorded["response"]) == Subscriptions(3, ("alpha_971usdt@aggTrade",))


def test_a_refusal_is_read_in_both_known_shapes() -> None:
    nested = parse({"error": {"code": 2, "msg": "Invalid request"}, "id": 7})
    assert nested == Refused(7, 2, "Invalid request")
    assert parse({"code": 3, "msg": "Invalid JSON"}) == Refused(None, 3, "Invalid JSON")


@pytest.mark.parametrize(
    "value",
    [
        {"event": {"e": "serverShutdown"}},
        {"event": {"e": "serverShutdown", "E": 1759043608346}},
        {"e": "serverShutdown", "E": 1759043608346},
        {"stream": "alpha_971usdt@aggTrade", "data": {"e": "serverShutdown"}},
        {"data": {"e": "serverShutdown"}},
    ],
)
def test_a_shutdown_is_understood_wherever_it_stands(value: object) -> None:
    assert parse(value) == ServerShutdown()


@pytest.mark.parametrize(
    "name",
    ["ws_mini_ticker_official.json", "ws_ticker_official.json", "ws_book_ticker_official.json"],
)
def test_a_stream_of_all_symbols_may_send_one_event_or_a_list(name: str) -> None:
    data = sample(name)["data"]
    one, many = (
        parse({"stream": "!x@arr", "data": data}),
        parse({"stream": "!x@arr", "data": [data] * 2}),
    )
    assert isinstance(one, Push)
    assert many == Push("!x@arr", one.values * 2)


SUBSCRIPTIONS = {
    "ws_subscribe_public_2026-05.json": (
        Method.SUBSCRIBE,
        [
            market_stream.ALL_TOKENS_TICKER,
            "came@stockToken@metaInfo@change",
            market_stream.full_depth(Symbol("ALPHA_971USDT")),
            market_stream.agg_trade(Symbol("ALPHA_971USDT")),
        ],
    ),
    "ws_subscribe_user_2026-05.json": (Method.SUBSCRIBE, [f"alpha@{KEY}"]),
    "ws_subscribe_kline_short_2026-05.json": (
        Method.SUBSCRIBE,
        [market_stream.short_kline(AlphaId("ALPHA_971"), "1s")],
    ),
    "ws_unsubscribe.json": (
        Method.UNSUBSCRIBE,
        [market_stream.agg_trade(Symbol("ALPHA_971USDT"))],
    ),
}


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
def test_commands_are_written_as_recorded(name: str) -> None:
    recorded = sample(name)
    method, names = SUBSCRIPTIONS[name]
    assert json.loads(command_text(method, recorded["id"], names)) == recorded


def test_streams_are_named_as_the_exchange_names_them() -> None:
    symbol = Symbol("ALPHA_116USDT")
    assert market_stream.book_ticker(symbol) == "alpha_116usdt@bookTicker"
    assert market_stream.full_depth(symbol, "100ms") == "alpha_116usdt@fulldepth@100ms"
    assert market_stream.kline(symbol, "1m") == "alpha_116usdt@kline_1m"
    assert market_stream.contract_kline("0xff", "56", "1s") == "came@0xff@56@kline_1s"


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"e": "aggTrade", "s": "X", "a": 1, "p": "0.1", "q": "1", "m": False}, "$.data"),
        ({"e": "aggTrade", "s": "X", "a": 1, "p": 7, "q": "1", "m": False, "T": 1}, "$.data.p"),
        ({"e": "aggTrade", "s": "X", "a": 1, "p": "NaN", "q": "1", "m": False, "T": 1}, "$.data.p"),
        ({"e": "aggTrade", "s": "X", "a": 1, "p": "1", "q": "-1", "m": False, "T": 1}, "$.data.q"),
        (
            {"e": "aggTrade", "s": "X", "a": 1, "p": "1", "q": "1", "m": False, "T": 10**15},
            "$.data.T",
        ),
        ({"e": "tickerList", "d": [{"ca": "0xff", "p": "1"}]}, "$.data.d[0]"),
        (
            {"e": "tickerList", "d": [{"ca": "0xff", "p": "1", "pc24": "1", "vol24": "1", "t": 1}]},
            "$.data.d[...].ca",
        ),
        (
            {"e": "kline", "k": {"i": "1s", "o": "1", "h": "1", "l": "1", "c": "1", "v": "1"}},
            "$.data.k.t",
        ),
        ({"e": "marginCall"}, "$.data.e"),
        ({}, "$.data"),
        ("text", "$.data"),
    ],
)
def test_a_push_of_another_shape_is_refused_with_the_path_of_its_field(
    data: object, path: str
) -> None:
    with pytest.raises(UnexpectedShapeError) as caught:
        parse({"stream": "alpha_971usdt@aggTrade", "data": data})
    assert path in str(caught.value)


@pytest.mark.parametrize("value", [{}, {"stream": "x"}, {"result": None}, {"e": "other"}, [], 1])
def test_an_answer_of_another_shape_is_refused(value: object) -> None:
    with pytest.raises(UnexpectedShapeError):
        parse(value)


def test_a_push_without_a_stream_name_is_refused() -> None:
    push = sample("ws_agg_trade_2026-05.json")
    del push["stream"]
    with pytest.raises(UnexpectedShapeError, match=r"\$\.stream"):
        parse(push)


def test_errors_do_not_show_values() -> None:
    with pytest.raises(UnexpectedShapeError) as caught:
        parse(changed_report(S="a-secret-word"))
    assert "secret" not in str(caught.value)
    assert "$.data.S" in str(caught.value)


@pytest.mark.parametrize(
    "raw", ["", "{", "nonsense", b"\xff\xfe", '{"id": 1', b'{"stream": "\xff"}']
)
def test_what_is_not_json_is_undecodable(raw: str | bytes) -> None:
    with pytest.raises(UndecodableError):
        parse_frame(raw)


def test_deep_nesting_is_undecodable_and_not_a_crash() -> None:
    with pytest.raises(UndecodableError):
        parse_frame('{"other":' + "[" * 100_000)


def assert_total(raw: str | bytes) -> None:
    try:
        parse_frame(raw)
    except ExchangeError:
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["stream", "data", "id", "result", "error", "code", "msg", "event", "e"]
            )
            | st.text(max_size=4),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)
EVENTS = [*MARKET, *OTO_FILES]


@given(JSON)
def test_any_json_ends_in_a_frame_or_an_exchange_error(value: object) -> None:
    assert_total(json.dumps(value))


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_end_in_a_frame_or_an_exchange_error(raw: bytes | str) -> None:
    assert_total(raw)


@given(st.sampled_from(EVENTS), st.data())
def test_a_truncated_push_ends_in_an_exchange_error(name: str, data: st.DataObject) -> None:
    whole = json.dumps(sample(name)).encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ExchangeError):
        parse_frame(whole[:cut])


@given(st.sampled_from(EVENTS), st.data(), JSON)
def test_a_push_with_a_strange_field_ends_in_a_frame_or_an_exchange_error(
    name: str, data: st.DataObject, strange: object
) -> None:
    push = sample(name)
    field = data.draw(st.sampled_from(sorted(push["data"])))
    push["data"][field] = strange
    assert_total(json.dumps(push))
