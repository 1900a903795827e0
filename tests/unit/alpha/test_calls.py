"""Each call goes to its place in the form of 2026 and comes back as a domain value."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog.testing

from oto.domain.errors import UnexpectedShapeError
from oto.domain.market import AlphaId
from oto.domain.orders import OrderId, PlacedOto, Side
from oto.infrastructure.alpha import endpoints
from oto.infrastructure.alpha.endpoints import Endpoint, ReadEndpoint, WriteEndpoint
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.public import PublicAlpha
from oto.infrastructure.alpha.times import in_ms
from tests.unit.alpha import server
from tests.unit.alpha.server import Exchange
from tests.unit.alpha.wire import BUY, NEX, OTO, rules_json

pytestmark = pytest.mark.unit

NOON = datetime(2026, 5, 21, 12, tzinfo=UTC)


def query(exchange: Exchange, call: int = -1) -> dict[str, str]:
    pairs = parse_qs(urlsplit(exchange.seen[call].path).query, keep_blank_values=True)
    return {name: values[0] for name, values in pairs.items()}


def row(order_id: int) -> dict[str, object]:
    return {
        "orderId": str(order_id),
        "symbol": NEX,
        "side": "BUY",
        "price": "1",
        "origQty": "1",
        "executedQty": "1",
        "baseAsset": "ALPHA_971",
        "quoteAsset": "USDT",
        "status": "FILLED",
    }


def test_every_endpoint_is_listed_once_and_has_a_path() -> None:
    named = [value for value in vars(endpoints).values() if isinstance(value, Endpoint)]
    listed: list[Endpoint] = [*endpoints.READS, *endpoints.WRITES]
    assert sorted(named, key=lambda one: one.name) == sorted(listed, key=lambda one: one.name)
    assert len({(one.method, one.path) for one in listed}) == len(listed)
    assert all(one.path.startswith("/bapi/") for one in listed)
    assert all(one.needs_session == ("/private/" in one.path) for one in listed)


def test_reads_and_writes_are_two_kinds() -> None:
    assert all(isinstance(one, ReadEndpoint) for one in endpoints.READS)
    assert all(isinstance(one, WriteEndpoint) for one in endpoints.WRITES)
    assert not issubclass(WriteEndpoint, ReadEndpoint)


def test_a_window_is_sent_in_milliseconds(exchange: Exchange, public: PublicAlpha) -> None:
    exchange.script = [server.ok([])]
    assert public.agg_trades(NEX, 40, from_id=7, start_at=NOON, end_at=NOON) == []
    assert query(exchange) == {
        "symbol": NEX,
        "limit": "40",
        "fromId": "7",
        "startTime": "1779364800000",
        "endTime": "1779364800000",
    }
    assert public.klines(NEX, "1m", 5) == []
    assert query(exchange) == {"symbol": NEX, "limit": "5", "interval": "1m"}


def test_a_time_without_a_zone_is_not_sent() -> None:
    with pytest.raises(ValueError, match="zone"):
        in_ms(NOON.replace(tzinfo=None))
    assert in_ms(NOON + timedelta(microseconds=1999)) == 1779364800001


def test_public_reads_return_domain_values(exchange: Exchange, public: PublicAlpha) -> None:
    book = {"lastUpdateId": 1, "symbol": NEX, "bids": [], "asks": [], "E": 1, "T": 1}
    exchange.script = [server.ok([]), server.ok(book)]
    assert public.tickers() == []
    assert query(exchange) == {"dataType": "aggregate"}
    assert public.full_depth(NEX, 5).last_update_id == 1
    assert query(exchange) == {"symbol": NEX, "limit": "5"}


def test_klines_and_figures_of_a_contract_are_asked_for_by_chain(
    exchange: Exchange, public: PublicAlpha
) -> None:
    exchange.script = [server.ok({"klineInfos": []}), server.ok(None)]
    assert public.agg_klines("56", "0xab", "15m", 9) == []
    assert query(exchange) == {
        "chainId": "56",
        "tokenAddress": "0xab",
        "interval": "15m",
        "limit": "9",
        "dataType": "aggregate",
    }
    with pytest.raises(UnexpectedShapeError):
        public.token_info("56", "0xab")
    assert query(exchange) == {"chainId": "56", "contractAddress": "0xab"}


def test_the_small_public_reads_return_what_they_name(
    exchange: Exchange, public: PublicAlpha
) -> None:
    lists = {"stockAssetList": ["USDT"], "tokenAssetList": []}
    exchange.script = [server.ok(["USDT"]), server.ok(lists), server.ok(None)]
    assert public.quote_assets() == ["USDT"]
    assert public.pair_assets().stock == ("USDT",)
    with pytest.raises(UnexpectedShapeError, match="ticker"):
        public.ticker(NEX)
    assert query(exchange) == {"symbol": NEX}


def test_wallets_totals_and_costs_are_asked_for_as_recorded(
    exchange: Exchange, private: PrivateAlpha
) -> None:
    exchange.script = [server.ok([]), server.ok([]), server.ok({"tokensAvgCost": []})]
    assert private.wallets_by_account().total == 0
    assert query(exchange) == {
        "quoteAsset": "USDT",
        "needBalanceDetail": "true",
        "needEuFuture": "true",
    }
    assert private.asset_totals() == []
    assert query(exchange) == {"needAlphaAsset": "1", "quoteAsset": "USDT"}
    assert private.average_costs([AlphaId("ALPHA_971")]) == {}
    assert json.loads(exchange.seen[-1].body) == {"tokens": ["ALPHA_971"]}


def test_unreadable_symbols_are_logged_by_name(exchange: Exchange, public: PublicAlpha) -> None:
    good = json.loads(rules_json("ALPHA_1USDT", "ALPHA_1"))
    exchange.script = [server.ok({"symbols": [good, {"symbol": "ALPHA_2USDT"}]})]
    with structlog.testing.capture_logs() as lines:
        assert set(public.exchange_info()) == {"ALPHA_1USDT"}
    assert [(line["event"], set(line["symbols"])) for line in lines] == [
        ("exchange_info.unreadable_symbols", {"ALPHA_2USDT"})
    ]


def test_private_reads_return_domain_values(exchange: Exchange, private: PrivateAlpha) -> None:
    score = {"sumScore": "1", "startDatetime": 0, "endDatetime": 0, "list": []}
    exchange.script = [
        server.ok({"email": "x"}),
        server.ok(True),
        server.ok([]),
        server.ok({"list": []}),
        server.ok({"totalVolume": 0.5}),
        server.ok(score),
        server.ok("0123456789abcdef"),
        server.ok([]),
    ]
    private.login_probe()
    assert private.terms_accepted()
    assert private.asset_wallets().total == 0
    assert json.loads(exchange.seen[-1].body)["includeWallets"] == ["CARD", "MAIN", "SAVING"]
    assert private.alpha_wallet() == []
    assert private.day_volume().tokens == ()
    assert private.user_score().total == 1
    assert private.listen_key().reveal() == "0123456789abcdef"
    assert exchange.seen[-1].method == "POST"
    assert private.user_trades(NEX, OrderId("7")) == []
    assert query(exchange) == {"orderId": "7", "symbol": NEX}


def test_writes_return_ids(exchange: Exchange, private: PrivateAlpha) -> None:
    ids = {"workingOrderId": 1, "pendingOrderId": 2}
    exchange.script = [server.ok("7"), server.ok(ids), server.ok(None)]
    assert private.place(BUY) == "7"
    assert private.place_oto(OTO) == PlacedOto(OrderId("1"), OrderId("2"))
    private.cancel(NEX, OrderId("1"))
    private.cancel_all()
    assert [json.loads(seen.body) for seen in exchange.seen[2:]] == [
        {"orderId": "1", "symbol": NEX},
        {},
    ]


def test_open_orders_can_be_asked_for_one_side(exchange: Exchange, private: PrivateAlpha) -> None:
    exchange.script = [server.ok([row(1)])]
    assert private.open_orders()[0].order_id == "1"
    assert query(exchange) == {"side": ""}
    private.open_orders(Side.SELL)
    assert query(exchange) == {"side": "SELL"}


def test_history_is_read_to_its_total_and_rows_that_shift_are_counted_once(
    exchange: Exchange, private: PrivateAlpha
) -> None:
    exchange.script = [server.ok([row(3), row(2)], total=3), server.ok([row(2), row(1)], total=3)]
    rows = private.order_history(NOON - timedelta(days=1), NOON, base_asset="ALPHA_971")
    assert [one.order_id for one in rows] == ["3", "2", "1"]
    assert [query(exchange, call)["page"] for call in (0, 1)] == ["1", "2"]
    assert query(exchange)["orderStatus"] == "FILLED,PARTIALLY_FILLED,EXPIRED,CANCELED,REJECTED"
    assert (query(exchange)["kind"], query(exchange)["baseAsset"]) == ("LIMIT", "ALPHA_971")
    assert query(exchange)["endTime"] == "1779364800000"


def test_history_without_a_total_ends_with_an_empty_page(
    exchange: Exchange, private: PrivateAlpha
) -> None:
    exchange.script = [server.ok([row(2)]), server.ok([row(1)]), server.ok([])]
    assert len(private.order_history(NOON, NOON)) == 2


def test_history_that_repeats_itself_is_drift_and_not_a_loop(
    exchange: Exchange, private: PrivateAlpha
) -> None:
    exchange.script = [server.ok([row(1)], total=9)]
    with pytest.raises(UnexpectedShapeError, match="nothing new"):
        private.order_history(NOON, NOON)
    assert len(exchange.seen) == 2


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "localhost:1", "http://", "http://user:canary@host", "http://[", "/a"]
)
def test_a_base_url_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match="base URL") as caught:
        PublicAlpha(url)
    assert "canary" not in str(caught.value)
