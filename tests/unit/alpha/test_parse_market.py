"""Recorded market answers become the facts they state."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from oto.domain.errors import UndecodableError, UnexpectedShapeError
from oto.domain.market import AlphaId, Symbol, SymbolStatus
from oto.domain.money import Price, Quantity
from oto.infrastructure.alpha import parse_market
from oto.infrastructure.alpha.decoding import decode
from tests.samples import listing_bytes, sample_bytes
from tests.unit.alpha.wire import NEX, data, rules_json

pytestmark = pytest.mark.unit


def at(*moment: int) -> datetime:
    year, month, day, hour, minute, second = moment
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def test_a_token_of_2025_09_is_read_with_its_multiplier_and_listing_time() -> None:
    light, goat = parse_market.tokens(data("rest_token_list_2025-09.json"))
    assert (light.alpha_id, light.ticker, light.chain_id) == (AlphaId("ALPHA_396"), "LIGHT", "56")
    assert light.price == Decimal("0.85217540430661152543")
    assert light.multiplier == 4
    assert light.listed_at == at(2025, 9, 27, 11, 0, 0)
    assert light.tradable
    assert goat.name == "GOAT Network"


def test_a_token_of_2025_07_has_no_multiplier_and_no_listing_time() -> None:
    (old,) = parse_market.tokens(data("rest_token_list_2025-07_old_fields.json"))
    assert (old.ticker, old.multiplier, old.listed_at) == ("ESPORTS", None, None)
    assert old.price == Decimal("0.07988133663780544223")
    assert not old.halted


def test_the_official_token_is_read_although_its_messages_are_empty() -> None:
    (token,) = parse_market.tokens(data("rest_token_list_official.json"))
    assert (token.alpha_id, token.multiplier) == ("ALPHA_175", 1)
    assert token.contract_address == "0xcf640fdf9b3d9e45cbd69fda91d7e22579c14444"


def test_an_offline_token_of_the_aggregate_ticker_is_not_tradable() -> None:
    light, aixbt = parse_market.tokens(data("rest_agg_ticker24_2025-09.json"))
    assert light.price == Decimal("0.92207942985659043632")
    assert (aixbt.ticker, aixbt.offline, aixbt.sell_closed) == ("AIXBT", True, True)
    assert light.tradable
    assert not aixbt.tradable


def test_the_official_exchange_info_is_read_with_all_its_filters() -> None:
    found = parse_market.exchange_rules(data("rest_exchange_info_official.json"))
    rules = found.rules[Symbol("ALPHA_105USDT")]
    assert found.unreadable == {}
    assert (rules.base_asset, rules.quote_asset) == ("ALPHA_105", "USDT")
    assert rules.status is SymbolStatus.TRADING
    assert (rules.tick_size, rules.lot_step) == (Decimal("0.00000001"), Decimal("0.01"))
    assert (rules.min_price, rules.max_price) == (Decimal("0.00000001"), Decimal(1000))
    assert (rules.min_quantity, rules.max_quantity) == (Decimal("0.01"), Decimal(277778))
    assert (rules.min_notional, rules.max_notional) == (Decimal("0.1"), Decimal(1_000_000))
    assert rules.max_orders == 200


def test_the_captured_symbol_of_2026_has_nine_price_decimals_and_a_coarse_step() -> None:
    rules = parse_market.symbol_rules(sample_bytes("rest_exchange_info_symbol_2026-05.json"))
    assert rules.symbol == NEX
    assert (rules.price_precision, rules.quantity_precision, rules.base_precision) == (9, 2, 2)
    assert (rules.tick_size, rules.lot_step) == (Decimal("0.000000001"), Decimal("0.1"))
    assert (rules.max_notional, rules.max_orders) == (None, None)


def test_filters_merged_into_one_object_are_read_like_a_list() -> None:
    pair = json.loads(rules_json("ALPHA_1USDT", "ALPHA_1"))
    merged = {key: value for entry in pair["filters"] for key, value in entry.items()}
    pair["filters"] = [merged]
    whole = parse_market.symbol_rules(rules_json("ALPHA_1USDT", "ALPHA_1"))
    assert parse_market.symbol_rules(json.dumps(pair).encode()) == whole


def test_an_unknown_trading_status_is_unknown_and_not_an_error() -> None:
    text = rules_json("ALPHA_1USDT", "ALPHA_1").replace(b"TRADING", b"RESTING")
    assert parse_market.symbol_rules(text).status is SymbolStatus.UNKNOWN


def test_an_unreadable_symbol_is_left_out_and_named() -> None:
    good = json.loads(rules_json("ALPHA_1USDT", "ALPHA_1"))
    bad = json.loads(rules_json("ALPHA_2USDT", "ALPHA_2")) | {"filters": []}
    flat = json.loads(rules_json("ALPHA_3USDT", "ALPHA_3", step="0"))
    text = json.dumps({"symbols": [good, bad, flat, 7]}).encode()
    found = parse_market.exchange_rules(text)
    assert set(found.rules) == {"ALPHA_1USDT"}
    assert "no filter gives" in found.unreadable["ALPHA_2USDT"]
    assert "is zero" in found.unreadable["ALPHA_3USDT"]
    assert "?" in found.unreadable


def test_exchange_info_without_one_readable_symbol_is_drift() -> None:
    with pytest.raises(UnexpectedShapeError, match="no symbol is readable"):
        parse_market.exchange_rules(b'{"symbols":[{"symbol":"A"}]}')


def test_all_685_recorded_symbols_are_read() -> None:
    text = listing_bytes("alpha_exchange_info_2025-09-28.json.gz")
    recorded = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    found = parse_market.exchange_rules(recorded["data"])
    statuses = [rules.status for rules in found.rules.values()]
    assert found.unreadable == {}
    assert len(statuses) == 685
    assert statuses.count(SymbolStatus.TRADING) == 586
    assert statuses.count(SymbolStatus.DELISTED) == 97
    assert found.rules[Symbol("ALPHA_387USDT")].max_quantity == Decimal(8467400)


def test_all_420_recorded_tokens_are_read() -> None:
    text = listing_bytes("alpha_token_list_2025-10-14.json.gz")
    recorded = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    tokens = parse_market.tokens(recorded["data"])
    assert len({token.alpha_id for token in tokens}) == 420
    assert tokens[0].price == Decimal("0.10263027697983850936")


def test_a_fee_of_100_is_one_basis_point() -> None:
    rates = parse_market.fee_rates(data("rest_fee_rate_2026-05.json"))
    assert (rates.buyer, rates.seller) == (Decimal("0.0001"), Decimal("0.0001"))


def test_a_crossed_book_is_a_fact_and_not_an_error() -> None:
    book = parse_market.full_depth(data("rest_full_depth_crossed_2026-05.json"))
    assert (book.symbol, book.last_update_id) == (NEX, 59174970591)
    assert book.bids[0].price == Decimal("0.000005845")
    assert book.asks[0].quantity == Decimal("13632133.40")
    assert book.taken_at == at(2026, 5, 21, 12, 57, 57).replace(microsecond=725000)


def test_the_official_book_is_read() -> None:
    book = parse_market.full_depth(data("rest_full_depth_official.json"))
    assert book.bids[0].price == Decimal("0.00040161")
    assert book.bids[0].quantity == Decimal("365980.85")
    assert book.asks[0].price == Decimal("0.00046996")


def test_levels_are_ordered_from_the_best() -> None:
    text = (
        b'{"lastUpdateId":1,"symbol":"A","bids":[["1","1"],["2","1"]],'
        b'"asks":[["4","1"],["3","1"]],"E":1,"T":1}'
    )
    book = parse_market.full_depth(text)
    assert [level.price for level in book.bids] == [2, 1]
    assert [level.price for level in book.asks] == [3, 4]


def test_aggregate_trades_are_read_in_both_recorded_forms() -> None:
    (captured,) = parse_market.agg_trades(data("rest_agg_trades_2026-05.json"), NEX)
    (official,) = parse_market.agg_trades(data("rest_agg_trades_official.json"), NEX)
    assert (captured.trade_id, captured.symbol) == (161336, NEX)
    assert captured.price == Price(Decimal("0.000005854"))
    assert captured.quantity == Quantity(Decimal("93876860.60"))
    assert not captured.buyer_is_maker
    assert (official.trade_id, official.buyer_is_maker) == (58470, True)


def test_a_kline_of_twelve_columns_is_read() -> None:
    (candle,) = parse_market.klines(data("rest_klines_official.json"), "1h")
    assert (candle.interval, candle.opened_at) == ("1h", at(2025, 7, 16, 5, 0, 0))
    assert (candle.open, candle.high) == (Decimal("0.00171473"), Decimal("0.00172515"))
    assert candle.volume == Decimal("1771.86")
    assert candle.quote_volume == Decimal("3.05093481")


def test_a_kline_of_seven_columns_has_no_quote_volume() -> None:
    row = sample_bytes("rest_agg_klines_row_2026-05.json")
    (candle,) = parse_market.klines(b"[" + row + b"]", "1s")
    assert candle.open == Decimal("0.0000058977543828696305")
    assert candle.quote_volume is None


@pytest.mark.parametrize("text", [b" %b", b'{"n":1,"klineInfos": %b,"more":{"a":[]}}'])
def test_klines_by_contract_are_bare_rows_or_the_one_list_of_an_object(text: bytes) -> None:
    rows = b"[%b]" % sample_bytes("rest_agg_klines_row_2026-05.json")
    assert parse_market.agg_klines(text % rows, "1s") == parse_market.klines(rows, "1s")


@pytest.mark.parametrize("text", [b"{}", b'{"a":[],"b":[]}', b'{"a":{"b":[]}}'])
def test_klines_by_contract_without_one_clear_list_are_drift(text: bytes) -> None:
    with pytest.raises(UnexpectedShapeError, match="Expected one list"):
        parse_market.agg_klines(text, "1s")


def test_a_kline_of_numbers_as_in_2025_is_read_without_a_float() -> None:
    row = b"[[1752642000000,0.10000000000000000555,1,1,1,2,1752645599999,3]]"
    (candle,) = parse_market.klines(row, "1h")
    assert candle.open == Decimal("0.10000000000000000555")


def test_json_numbers_keep_every_digit() -> None:
    text = b"[0.1234567890123456789012345678901234567890, 12345678901234567890123]"
    assert decode(text, list[Decimal], "figures") == [
        Decimal("0.1234567890123456789012345678901234567890"),
        Decimal(12345678901234567890123),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"buyerCommission":100}', "sellerCommission"),
        (b'{"buyerCommission":"SECRET","sellerCommission":1}', "$.buyerCommission"),
        (b'{"buyerCommission":1000001,"sellerCommission":1}', "$.buyerCommission"),
        (b"null", "object"),
    ],
)
def test_an_unexpected_shape_names_the_field_and_shows_no_value(text: bytes, problem: str) -> None:
    with pytest.raises(UnexpectedShapeError) as caught:
        parse_market.fee_rates(text)
    assert problem in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("figure", ["NaN", "-1", "1e99", "1e-60", "Infinity"])
def test_a_figure_that_is_no_money_is_an_unexpected_shape(figure: str) -> None:
    text = f'[{{"a":1,"p":"{figure}","q":"1","m":true,"T":1}}]'.encode()
    with pytest.raises(UnexpectedShapeError, match=r"`price` .* at `\$\[0\]`"):
        parse_market.agg_trades(text, NEX)


def test_what_is_not_json_is_undecodable() -> None:
    with pytest.raises(UndecodableError):
        parse_market.tokens(b"<html>")
