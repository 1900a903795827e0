"""The exchange's official Python client, as published, works against the simulator."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from decimal import Decimal
from logging.handlers import BufferingHandler
from typing import Any

import pytest
from binance_common.models import ApiResponse
from binance_common.websocket import RequestStreamHandle
from binance_sdk_alpha.alpha import Alpha, ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_alpha.rest_api import AlphaRestAPI
from binance_sdk_alpha.rest_api import models as answers
from binance_sdk_alpha.websocket_streams import AlphaWebSocketStreams
from binance_sdk_alpha.websocket_streams import models as pushes

from oto.simulator import listings
from oto.simulator.app import MARKET_STREAM_PATH
from oto.simulator.playing import Program
from oto.simulator.tape import MOODS
from tests.simulated import NEX, Exchange, running, silent_plan

pytestmark = pytest.mark.integration

CONTRACT = f"0x{971:040x}"
NOW_MS = 1_759_043_608_334
MINUTE_MS = NOW_MS // 60_000 * 60_000
FIRST_TRADE = 800_001
PATIENCE_S = 15

Subscribing = Awaitable[RequestStreamHandle]

LIVELY = Program(mood=MOODS["choppy"], speed=Decimal(5))


@pytest.fixture(scope="module")
def traded() -> Iterator[Exchange]:
    """A stepped exchange with a known book and two known trades, two seconds apart; to read."""
    symbol = f"symbols/{NEX}"
    with running(silent_plan()) as exchange:
        exchange.control(symbol, {"last_trade_id": FIRST_TRADE - 1})
        exchange.set_book(
            NEX,
            bids=[["0.000005660", "100.5", "50"], ["0.000005659", "7.1"]],
            asks=[["0.000005663", "1000"]],
        )
        exchange.control(f"{symbol}/trade", {"price": "0.000005664", "quantity": "52938"})
        exchange.step(2_000)
        sale = {"price": "0.000005661", "quantity": "1000", "buyer_is_maker": True}
        exchange.control(f"{symbol}/trade", sale)
        yield exchange


@contextmanager
def rest_of(exchange: Exchange) -> Iterator[AlphaRestAPI]:
    """Yield the client's REST side, and fail if it found an answer not to be as documented.

    It loosens its types, or hands out raw JSON, with nothing but a warning in the log.
    """
    complaints = BufferingHandler(capacity=1_000)
    complaints.setLevel(logging.WARNING)
    logging.getLogger().addHandler(complaints)
    try:
        yield Alpha(ConfigurationRestAPI(base_path=exchange.rest, timeout=10_000)).rest_api
        assert [record.getMessage() for record in complaints.buffer] == []
    finally:
        logging.getLogger().removeHandler(complaints)


def flaws(value: object, where: str = "") -> Iterator[str]:
    """Yield what a model declares and did not get, and what it got and does not declare."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "additional_properties":
                yield from flaws(inner, f"{where}.{key}")
            elif inner:
                yield f"{where} has unknown {inner}"
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from flaws(inner, f"{where}[{number}]")
    elif value is None:
        yield f"{where} is missing"


def data_of(response: ApiResponse, model: type[Any]) -> Any:  # noqa: ANN401 - the client has no types
    """Return the data of a complete answer."""
    answer = response.data()
    assert isinstance(answer, model)
    assert answer.code == "000000"
    # Captured: success without a message.
    nulls = {".message is missing", ".messageDetail is missing"}
    unknown = (
        {" has unknown {'success': True}"} if model is answers.AggregatedTradesResponse else {}
    )
    assert set(flaws(answer.model_dump(by_alias=True))) == nulls | set(unknown)
    return answer.data


def test_its_aggregate_trades_are_the_printed_ones(traded: Exchange) -> None:
    with rest_of(traded) as rest:
        first, second = data_of(rest.aggregated_trades(NEX), answers.AggregatedTradesResponse)
        (only,) = data_of(
            rest.aggregated_trades(NEX, from_id=FIRST_TRADE + 1, end_time=NOW_MS + 2_000, limit=1),
            answers.AggregatedTradesResponse,
        )
    assert (first.a, first.f, first.l) == (FIRST_TRADE, FIRST_TRADE, FIRST_TRADE)
    assert (first.p, first.q) == ("0.000005664", "52938.00")
    assert (first.T, first.m) == (NOW_MS, False)
    assert (second.a, second.T, second.m) == (FIRST_TRADE + 1, NOW_MS + 2_000, True)
    assert only == second


@pytest.mark.parametrize("limit", list(answers.FullDepthLimitEnum))
def test_its_full_depth_has_the_book(traded: Exchange, limit: answers.FullDepthLimitEnum) -> None:
    with rest_of(traded) as rest:
        depth = data_of(rest.full_depth(NEX, limit), answers.FullDepthResponse)
    assert depth.symbol == NEX
    assert depth.bids == [["0.000005660", "150.50"], ["0.000005659", "7.10"]]
    assert depth.asks == [["0.000005663", "1000.00"]]
    assert depth.last_update_id > 0
    assert (depth.E, depth.T) == (NOW_MS + 2_000, NOW_MS + 2_000)


def test_its_depth_limit_cuts_the_book() -> None:
    with running(silent_plan()) as exchange, rest_of(exchange) as rest:
        depth = data_of(rest.full_depth(NEX, 5), answers.FullDepthResponse)
        deeper = data_of(rest.full_depth(NEX, 20), answers.FullDepthResponse)
    assert (len(depth.bids), len(depth.asks)) == (5, 5)
    assert (len(deeper.bids), len(deeper.asks)) == (20, 20)


def test_its_exchange_info_has_every_rule(exchange: Exchange) -> None:
    with rest_of(exchange) as rest:
        answer = rest.get_exchange_info().data()
    assert isinstance(answer, answers.GetExchangeInfoResponse)
    info = answer.data
    assert (info.timezone, info.order_types) == ("UTC", "")
    assert [one.asset for one in info.assets][:3] == ["USDT", "ALPHA_971", "ALPHA_373"]
    rules = info.symbols[0]
    plain = rules.model_dump(by_alias=True, exclude={"filters", "additional_properties"})
    assert plain == {
        "symbol": "ALPHA_971USDT",
        "status": "TRADING",
        "baseAsset": "ALPHA_971",
        "quoteAsset": "USDT",
        "pricePrecision": 9,
        "quantityPrecision": 2,
        "baseAssetPrecision": 2,
        "quotePrecision": 8,
        "orderTypes": ["LIMIT"],
    }
    assert {one.filter_type: one.to_dict() for one in rules.filters} == {
        row["filterType"]: row for row in listings.built_in()[0].info_row["filters"]
    }
    # Each filter has keys of its own; together they have every key that the client knows.
    known = set(type(rules.filters[0]).model_fields) - {"additional_properties"}
    found = {key for one in rules.filters for key in known if getattr(one, key) is not None}
    assert found == known
    assert not [one for one in rules.filters if one.additional_properties]


@pytest.mark.parametrize("interval", list(answers.KlinesIntervalEnum))
def test_its_klines_have_all_twelve_columns(
    traded: Exchange, interval: answers.KlinesIntervalEnum
) -> None:
    with rest_of(traded) as rest:
        rows = data_of(rest.klines(NEX, interval), answers.KlinesResponse)
    assert len(rows) == (2 if interval.value in {"1s", "15s"} else 1)
    assert all(len(row) == 12 for row in rows)
    assert rows[-1][4] == "0.000005661"
    assert [type(cell) for cell in rows[-1]] == [str] * 11 + [int]


def test_its_kline_adds_up_the_trades(traded: Exchange) -> None:
    with rest_of(traded) as rest:
        (row,) = data_of(rest.klines(NEX, "1m", limit=5), answers.KlinesResponse)
    assert row == [
        str(MINUTE_MS),
        *("0.000005664", "0.000005664", "0.000005661", "0.000005661", "53938.00"),
        *(str(MINUTE_MS + 59_999), "0.30550183", "2", "52938.00", "0.29984083", 0),
    ]


def test_its_ticker_has_the_rolling_day(traded: Exchange) -> None:
    with rest_of(traded) as rest:
        ticker = data_of(rest.ticker(NEX), answers.TickerResponse)
    assert ticker.to_dict() == {
        "symbol": "ALPHA_971USDT",
        "priceChange": "-0.000000003",
        "priceChangePercent": "-0.053",
        "weightedAvgPrice": "0.000005663",
        "lastPrice": "0.000005661",
        "lastQty": "1000.00",
        "openPrice": "0.000005664",
        "highPrice": "0.000005664",
        "lowPrice": "0.000005661",
        "volume": "53938.00",
        "quoteVolume": "0.30550183",
        "openTime": NOW_MS + 2_000 - 86_400_000,
        "closeTime": NOW_MS + 2_000,
        "firstId": FIRST_TRADE,
        "lastId": FIRST_TRADE + 1,
        "count": 2,
    }


def test_its_token_list_has_every_field(traded: Exchange) -> None:
    with rest_of(traded) as rest:
        tokens = data_of(rest.token_list(), answers.TokenListResponse)
    assert [one.alpha_id for one in tokens][:2] == ["ALPHA_971", "ALPHA_373"]
    token = tokens[0]
    assert (token.symbol, token.chain_id, token.contract_address) == ("NEX", "56", CONTRACT)
    assert (token.price, token.percent_change24h) == ("0.000005661", "-0.053")
    assert (token.price_high24h, token.price_low24h) == ("0.000005664", "0.000005661")
    assert (token.volume24h, token.count24h) == ("0.30550183", "2")
    assert (token.mul_point, token.decimals, token.trade_decimal) == (4, 18, 8)
    assert (token.offline, token.offsell, token.stock_state) == (False, False, False)
    assert [one.alpha_id for one in tokens if one.offline] == ["ALPHA_5"]


def test_it_reads_a_refusal(exchange: Exchange) -> None:
    with rest_of(exchange) as rest:
        answer = rest.ticker("ALPHA_0USDT").data()
    assert isinstance(answer, answers.TickerResponse)
    assert (answer.code, answer.success, answer.data) == ("481905", False, None)


class Listener:
    """The client's streams, what arrived on each, and what the client complained about."""

    def __init__(self, exchange: Exchange) -> None:
        url = f"{exchange.ws}{MARKET_STREAM_PATH}"
        settings = ConfigurationWebSocketStreams(stream_url=url, reconnect_delay=10)
        self.streams = Alpha(config_ws_streams=settings).websocket_streams
        self.arrived: dict[str, list[Any]] = {}
        self.events: list[str] = []
        self.errors: list[object] = []
        self._changed = asyncio.Event()

    async def open(self) -> None:
        await self.streams.create_connection()
        # A push that its model refuses is an `error` here, and nothing else but a line in a log.
        self.streams.on_connection("error", self._fail)
        for event in ("open", "pong", "reconnect", "close"):
            self.streams.on_connection(event, self._noting(event))

    async def listen(self, name: str, subscribing: Subscribing) -> RequestStreamHandle:
        """Await one of the client's stream calls and collect under a name what it pushes."""
        handle = await subscribing
        self.arrived[name] = []

        def keep(push: object) -> None:
            self.arrived[name].append(push)
            self._changed.set()

        handle.on("message", keep)
        return handle

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait until a condition is met; an error of the client ends the wait."""
        async with asyncio.timeout(PATIENCE_S):
            while not met():
                assert self.errors == []
                self._changed.clear()
                await self._changed.wait()

    async def more_of(self, name: str, count: int = 2) -> None:
        wanted = len(self.arrived[name]) + count
        await self.until(lambda: len(self.arrived[name]) >= wanted)

    def _fail(self, error: object) -> None:
        self.errors.append(error)
        self._changed.set()

    def _noting(self, event: str) -> Callable[[], None]:
        def note() -> None:
            self.events.append(event)
            self._changed.set()

        return note


@asynccontextmanager
async def listening(exchange: Exchange) -> AsyncIterator[Listener]:
    listener = Listener(exchange)
    await listener.open()
    try:
        yield listener
    finally:
        await listener.streams.close_connection()


@contextmanager
def lively() -> Iterator[Exchange]:
    with running(silent_plan(stepped=False, start_ms=None, program=LIVELY)) as exchange:
        yield exchange


def every_stream(streams: AlphaWebSocketStreams) -> dict[str, tuple[Subscribing, type, str]]:
    """Return a call for each stream and each option of it, its model and its event type."""
    calls = {
        "aggregate trade": (
            streams.aggregate_trade_stream(NEX),
            pushes.AggregateTradeStreamResponse,
            "aggTrade",
        ),
        "all book ticker": (
            streams.all_book_ticker_stream(),
            pushes.AllBookTickerStreamResponse,
            "bookTicker",
        ),
        "all mini ticker": (
            streams.all_mini_ticker_stream(),
            pushes.AllMiniTickerStreamResponse,
            "24hrMiniTicker",
        ),
        "all ticker": (streams.all_ticker_stream(), pushes.AllTickerStreamResponse, "24hrTicker"),
        "all tokens": (
            streams.all_tokens24h_ticker_stream(),
            pushes.AllTokens24hTickerStreamResponse,
            "tickerList",
        ),
        "book ticker": (
            streams.book_ticker_stream(NEX),
            pushes.BookTickerStreamResponse,
            "bookTicker",
        ),
        "mini ticker": (
            streams.mini_ticker_stream(NEX),
            pushes.MiniTickerStreamResponse,
            "24hrMiniTicker",
        ),
        "ticker": (streams.ticker_stream(NEX), pushes.TickerStreamResponse, "24hrTicker"),
        "trade": (streams.trade_stream(NEX), pushes.TradeStreamResponse, "trade"),
    }
    return calls | klines_and_depths(streams)


def klines_and_depths(streams: AlphaWebSocketStreams) -> dict[str, tuple[Subscribing, type, str]]:
    # The client writes an enum's name, not its value, into a stream's name: give it the value.
    calls: dict[str, tuple[Subscribing, type, str]] = {}
    for each in (one.value for one in pushes.KlineStreamIntervalEnum):
        call = streams.kline_stream(NEX, each)
        calls[f"kline {each}"] = (call, pushes.KlineStreamResponse, "kline")
    for each in (one.value for one in pushes.ContractKlineStreamIntervalEnum):
        call = streams.contract_kline_stream(CONTRACT, "56", each)
        calls[f"contract kline {each}"] = (call, pushes.ContractKlineStreamResponse, "kline")
    for each in (one.value for one in pushes.FullDepthStreamIntervalEnum):
        call = streams.full_depth_stream(NEX, each)
        calls[f"full depth {each}"] = (call, pushes.FullDepthStreamResponse, "depthUpdate")
    for most in (one.value for one in pushes.PartialDepthStreamLevelsEnum):
        for each in (one.value for one in pushes.PartialDepthStreamIntervalEnum):
            call = streams.partial_depth_stream(NEX, most, each)
            calls[f"depth {most} {each}"] = (
                call,
                pushes.PartialDepthStreamResponse,
                "depthUpdate",
            )
    return calls


def test_each_of_its_streams_gets_pushes_that_its_models_accept() -> None:
    async def converse(exchange: Exchange) -> tuple[Listener, dict[str, Any]]:
        async with listening(exchange) as listener:
            calls = every_stream(listener.streams)
            await asyncio.gather(*(listener.listen(name, call[0]) for name, call in calls.items()))
            await listener.until(lambda: all(len(one) > 1 for one in listener.arrived.values()))
            return listener, calls

    with lively() as exchange:
        listener, calls = asyncio.run(converse(exchange))
    assert listener.errors == []
    for name, (_, model, event) in calls.items():
        got = listener.arrived[name]
        assert [type(one) for one in got] == [model] * len(got), name
        assert [flaw for one in got for flaw in flaws(one.model_dump())] == [], name
        assert {one.e for one in got} == {event}, name
    assert_right_figures(listener.arrived)


def assert_right_figures(arrived: dict[str, list[Any]]) -> None:
    own = ("aggregate trade", "book ticker", "mini ticker", "ticker", "trade", "full depth 0ms")
    assert {one.s for name in own for one in arrived[name]} == {NEX}
    everybody = {listing.rules.symbol for listing in listings.built_in()}
    assert {one.s for one in arrived["all ticker"]} == everybody
    assert {one.s for one in arrived["all mini ticker"]} == everybody
    assert {len(one.d) for one in arrived["all tokens"]} == {len(everybody)}
    assert {one.k.i for one in arrived["kline 1M"]} == {"1M"}
    assert {one.k.i for one in arrived["contract kline 15m"]} == {"15m"}
    assert {one.ca for one in arrived["contract kline 1s"]} == {f"{CONTRACT}@56"}
    for levels in (5, 10, 20):
        assert {len(one.b) for one in arrived[f"depth {levels} 0ms"]} == {levels}
        assert {len(one.a) for one in arrived[f"depth {levels} 500ms"]} == {levels}
    trades = {one.t: (one.p, one.q, one.m, one.T) for one in arrived["trade"]}
    for one in arrived["aggregate trade"]:
        assert trades.get(one.a, (one.p, one.q, one.m, one.T)) == (one.p, one.q, one.m, one.T)
    for name in ("full depth 0ms", "full depth 100ms", "full depth 500ms"):
        ids = [(one.pu, one.u) for one in arrived[name]]
        assert [u for _, u in ids[:-1]] == [pu for pu, _ in ids[1:]], name


def test_a_push_that_its_model_refuses_is_noticed() -> None:
    """The tests above see what the client swallows."""
    listing = listings.built_in()[0]
    wrong = replace(listing, token_row={**listing.token_row, "holders": 1000})

    async def converse(exchange: Exchange) -> Listener:
        async with listening(exchange) as listener:
            await listener.listen("all tokens", listener.streams.all_tokens24h_ticker_stream())
            with pytest.raises(AssertionError):
                await listener.until(lambda: False)
            return listener

    plan = silent_plan(stepped=False, start_ms=None, program=LIVELY, listings=[wrong])
    with running(plan) as exchange:
        listener = asyncio.run(converse(exchange))
    assert "hc" in str(listener.errors[0])


def test_its_list_of_subscriptions_is_the_exchanges() -> None:
    async def converse(exchange: Exchange) -> tuple[Any, Any]:
        async with listening(exchange) as listener:
            none = await listener.streams.list_subscribe()
            await asyncio.gather(
                listener.listen("trade", listener.streams.trade_stream(NEX)),
                listener.listen("all ticker", listener.streams.all_ticker_stream()),
            )
            return none, await listener.streams.list_subscribe()

    with lively() as exchange:
        none, both = asyncio.run(converse(exchange))
    assert none["result"] == []
    assert both["result"] == ["!ticker@arr", "alpha_971usdt@trade"]


def test_nothing_is_pushed_to_it_after_it_unsubscribed(caplog: pytest.LogCaptureFixture) -> None:
    # It logs a push that it has no callback for, and that is the only trace of one.
    caplog.set_level(logging.INFO)

    async def converse(exchange: Exchange) -> None:
        async with listening(exchange) as listener:
            _, handle = await asyncio.gather(
                listener.listen("trade", listener.streams.trade_stream(NEX)),
                listener.listen("gone", listener.streams.aggregate_trade_stream(NEX)),
            )
            await listener.more_of("gone")
            await handle.unsubscribe()
            left = await listener.streams.list_subscribe()
            assert left["result"] == ["alpha_971usdt@trade"]
            caplog.clear()
            count = len(listener.arrived["gone"])
            await listener.more_of("trade", 10)
            assert len(listener.arrived["gone"]) == count

    with lively() as exchange:
        asyncio.run(converse(exchange))
    assert not [one for one in caplog.messages if "@aggTrade" in one]


def test_its_ping_is_answered(exchange: Exchange) -> None:
    async def converse() -> None:
        async with listening(exchange) as listener:
            await listener.streams.ping_server(listener.streams.connections[0])
            await listener.until(lambda: "pong" in listener.events)

    asyncio.run(converse())


def test_it_reconnects_after_a_shutdown_notice_and_pushes_go_on() -> None:
    async def converse(exchange: Exchange) -> Listener:
        async with listening(exchange) as listener:
            await asyncio.gather(
                listener.listen("trade", listener.streams.trade_stream(NEX)),
                listener.listen("all tokens", listener.streams.all_tokens24h_ticker_stream()),
            )
            await listener.more_of("trade")
            before = listener.streams.connections[:]
            exchange.fault("server_shutdown")
            await listener.until(lambda: listener.events[-1] == "open" and len(listener.events) > 1)
            for name in ("trade", "all tokens"):
                await listener.more_of(name)
            assert [one for one in listener.streams.connections if one in before] == []
            assert len(listener.streams.connections) == 1
            names = await listener.streams.list_subscribe()
            assert names["result"] == ["alpha_971usdt@trade", "came@allTokens@ticker24"]
            return listener

    with lively() as exchange:
        listener = asyncio.run(converse(exchange))
        log = exchange.http.get("/sim/faults").json()["log"]
    assert listener.errors == []
    assert listener.events[:3] == ["open", "reconnect", "open"]
    assert [(one["kind"], one["endpoint"]) for one in log] == [("server_shutdown", "market")]
