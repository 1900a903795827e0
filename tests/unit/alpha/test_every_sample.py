"""No recorded sample is left unread: each is here with its reader and what it must say."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias

import pytest

from oto.domain import errors as tree
from oto.domain import money
from oto.domain.account import AssetTotal, AssetWallets, Holding
from oto.domain.errors import RefusalReason
from oto.domain.market import (
    AlphaId,
    DayTicker,
    Symbol,
    at_ms,
)
from oto.domain.money import Amount
from oto.domain.tokens import PairAssets, TokenDetails
from oto.infrastructure.alpha import parse_account, parse_market, parse_orders
from oto.infrastructure.alpha.credentials import ListenKey
from oto.infrastructure.alpha.decoding import Json
from oto.infrastructure.alpha.errors import Answer, classify, is_challenged
from oto.infrastructure.alpha.frames import Ack, Method, Push, Subscriptions, command_text
from oto.infrastructure.alpha.frames import parse_frame as frame
from tests.samples import sample, sample_bytes, shared
from tests.unit.alpha.wire import NEX, data

pytestmark = pytest.mark.unit

Reader: TypeAlias = Callable[[str], object]


def of(parse: Callable[[Json], Any], *names: str) -> Reader:
    """Parse an answer; then take these attributes of each value, or the value as it is."""

    def read(name: str) -> object:
        found = parse(data(name))
        if not names:
            return found
        return [tuple(str(getattr(one, attribute)) for attribute in names) for one in found]

    return read


def fact(parse: Callable[[Json], Any], attribute: str) -> Reader:
    """Parse an answer and take one attribute of its value."""
    return lambda name: getattr(parse(data(name)), attribute)


def agg_trade_ids(name: str) -> object:
    return [trade.trade_id for trade in parse_market.agg_trades(data(name), NEX)]


def fragment_rules(name: str) -> object:
    return parse_market.symbol_rules(sample_bytes(name)).symbol


def fragment_kline(name: str) -> object:
    return [row.opened_at for row in parse_market.agg_klines(b"[%b]" % sample_bytes(name), "1s")]


def exchange_info(name: str) -> object:
    return set(parse_market.exchange_rules(data(name)).rules)


def post_wallets(name: str) -> object:
    return parse_account.asset_wallets(data(name), "USDT")


def balance_wallets(name: str) -> object:
    return parse_account.wallets_by_account(data(name), "USDT")


def placed(name: str) -> object:
    found = parse_orders.placed_oto(data(name))
    return (found.working_order_id, found.pending_order_id)


def refusal(name: str) -> object:
    error = classify(Answer(200, body=sample_bytes(name)))
    return error.reason if isinstance(error, tree.RefusedError) else type(error)


def challenge(name: str) -> object:
    return is_challenged(sample(name)["headers"])


def pushed(name: str) -> object:
    return _values(json.loads(sample_bytes(name)))


def pushed_one_by_one(name: str) -> object:
    return [one for push in json.loads(sample_bytes(name)) for one in _values(push)]


def _values(push: object) -> list[str]:
    found = frame(json.dumps(push))
    assert isinstance(found, Push)
    return [type(value).__name__ for value in found.values]


def acknowledged(name: str) -> object:
    return frame(sample_bytes(name))


def listed(name: str) -> object:
    return frame(json.dumps(json.loads(sample_bytes(name))["response"]))


def written(name: str) -> object:
    """Write a recorded command again, and tell whether it is the same."""
    recorded = json.loads(sample_bytes(name))
    method = Method(recorded["method"])
    text = command_text(method, recorded["id"], recorded["params"])
    return json.loads(text) == recorded


def round_trip(name: str) -> object:
    golden: Mapping[str, Any] = json.loads(sample_bytes(name))
    rules = parse_market.symbol_rules(sample_bytes("rest_exchange_info_symbol_2026-05.json"))
    rate = money.fee_rate_from_millionths(100)
    buy, sell = golden["buy"], golden["sell"]
    bought, sold = money.quantity(buy["qty"]), money.quantity(sell["qty"])
    spent = rules.buy_amount_floor(money.price(buy["price"]), bought)
    received = rules.buy_amount_floor(money.price(sell["price"]), sold)
    fee = rules.buy_fee_half_up(bought, rate)
    return (
        (str(spent), str(fee)) == (buy["quoteQty"], buy["commission"])
        and rules.pending_quantity_floor(bought, fee) == sold
        and str(received) == sell["quoteQty"]
        and rules.sell_fee_half_up(received, rate) == Decimal(sell["commission"])
    )


ORDER_ID = of(parse_orders.order_id)
ORDERS = of(parse_orders.order_rows, "order_id")
TOKENS = of(parse_market.tokens, "alpha_id")
LAST_ID = fact(parse_market.full_depth, "last_update_id")
COUNTED = fact(parse_account.day_volume, "counted_usd")
NOTHING = of(parse_account.nothing)
USDT_WALLETS = AssetWallets(
    "USDT",
    funding=Holding(Decimal("183.21928877")),
    spot=Holding(Decimal("12.5")),
    earn=Holding(Decimal(0)),
)
TICKER = DayTicker(
    symbol=Symbol("ALPHA_175USDT"),
    last=money.price("0.00073954"),
    open=money.price("0.00081126"),
    high=money.price("0.00081126"),
    low=money.price("0.00073954"),
    weighted_average=money.price("0.00079608"),
    volume=money.quantity("1204754.3"),
    quote_volume=money.amount("959.07729927"),
    opened_at=datetime(2026, 1, 19, 7, 35, tzinfo=UTC),
    closed_at=at_ms(1768893244772),
    trade_count=38,
    change_percent=Decimal("-8.841"),
)
NEXUS = TokenDetails(
    alpha_id=AlphaId("ALPHA_971"),
    ticker="NEX",
    name="Nexus",
    chain_id="56",
    contract_address="0x365de036a1f7dccb621530d517133521debb2013",
    listed_at=datetime(2026, 5, 20, 14, 0, tzinfo=UTC),
    price=money.price("0.000005526719345531"),
    change_24h_percent=Decimal("268.24"),
    volume_24h_usd=money.amount("125298349.046330522979916999983"),
    liquidity_usd=money.amount("1806496.7257867568696384"),
)
TOTALS = [
    AssetTotal("USDT", Decimal("1742.31735804"), money.amount("1742.31735804"), None, None),
    AssetTotal(
        "BGSC",
        Decimal("8.385"),
        Amount(Decimal("0.05948356622071221")),
        "56",
        "0xa4b68d48d7bc6f04420e8077e6f74bdef809dea3",
    ),
]

# Where other tests compare whole values, ids or type names are enough here.
SAMPLES: dict[str, tuple[Reader, object]] = {
    "calc_round_trip_2026-05-22": (round_trip, True),
    "rest_agg_klines_row_2026-05": (fragment_kline, [at_ms(1779367591000)]),
    "rest_agg_ticker24_2025-09": (TOKENS, [("ALPHA_396",), ("ALPHA_5",)]),
    "rest_agg_trades_2026-05": (agg_trade_ids, [161336]),
    "rest_agg_trades_official": (agg_trade_ids, [58470]),
    "rest_alpha_wallet_2025-09": (
        of(parse_account.alpha_wallet, "alpha_id"),
        [("ALPHA_118",), ("ALPHA_391",)],
    ),
    "rest_avg_cost_2026-05": (
        of(parse_account.average_costs),
        {"ALPHA_971": Decimal("0.00000591")},
    ),
    "rest_cancel_2026-05": (NOTHING, None),
    "rest_cancel_all": (NOTHING, None),
    "rest_error_amount_mismatch": (refusal, RefusalReason.AMOUNT_MISMATCH),
    "rest_error_insufficient_balance": (refusal, RefusalReason.INSUFFICIENT_BALANCE),
    "rest_error_min_notional": (refusal, RefusalReason.NOTIONAL_TOO_SMALL),
    "rest_error_oto_amount_mismatch": (refusal, RefusalReason.AMOUNT_MISMATCH),
    "rest_error_qty_too_large": (refusal, RefusalReason.QUANTITY_TOO_LARGE),
    "rest_error_risk_challenge": (challenge, True),
    "rest_error_session_expired": (refusal, tree.SessionOverError),
    "rest_error_step": (refusal, RefusalReason.OFF_GRID),
    "rest_exchange_info_official": (exchange_info, {"ALPHA_105USDT"}),
    "rest_exchange_info_symbol_2026-05": (fragment_rules, NEX),
    "rest_fee_rate_2026-05": (fact(parse_market.fee_rates, "buyer"), Decimal("0.0001")),
    "rest_from_asset_2026-05": (of(parse_market.quote_assets), ["USDT", "USDC", "U"]),
    "rest_full_depth_crossed_2026-05": (LAST_ID, 59174970591),
    "rest_full_depth_official": (LAST_ID, 47534656223),
    "rest_klines_official": (
        of(lambda text: parse_market.klines(text, "1h"), "open"),
        [("0.00171473",)],
    ),
    "rest_listen_key": (
        of(parse_account.listen_key),
        ListenKey("0123456789abcdef0123456789abcdef"),
    ),
    "rest_open_orders_empty_2026-05": (ORDERS, []),
    "rest_open_orders_populated": (ORDERS, [("2464786",), ("2464787",)]),
    "rest_order_history_merge_2025-07": (ORDERS, [("22522520",)]),
    "rest_order_history_merge_2026-05": (
        ORDERS,
        [("2418529",), ("2414052",), ("2414051",), ("2398360",)],
    ),
    "rest_pair_cfg_2026-05": (of(parse_market.pair_assets), PairAssets(("USDT",), ())),
    "rest_place_buy_2025-07_old": (ORDER_ID, "22306445"),
    "rest_place_buy_2026-05": (ORDER_ID, "2459886"),
    "rest_place_buy_2_2026-05": (ORDER_ID, "2460317"),
    "rest_place_oto_2025-09_mobile_strings": (placed, ("51398040", "51398041")),
    "rest_place_oto_2025-09_web": (placed, ("176849327", "176849328")),
    "rest_place_oto_2026-05": (placed, ("2464786", "2464787")),
    "rest_place_oto_2_2026-05": (placed, ("2465664", "2465665")),
    "rest_place_sell_2026-05": (ORDER_ID, "2461654"),
    "rest_terms_agreement_2026-05": (of(parse_account.terms_accepted), True),
    "rest_ticker_official": (of(parse_market.day_ticker), TICKER),
    "rest_today_volume_2025-09": (COUNTED, Decimal("197.43566840519998")),
    "rest_today_volume_multiplied_2025-09": (COUNTED, Decimal("604467.9396990947")),
    "rest_token_full_info_2026-05": (of(parse_market.token_details), NEXUS),
    "rest_token_list_2025-07_old_fields": (TOKENS, [("ALPHA_283",)]),
    "rest_token_list_2025-09": (TOKENS, [("ALPHA_396",), ("ALPHA_395",)]),
    "rest_token_list_official": (TOKENS, [("ALPHA_175",)]),
    "rest_user_score_2025-07": (fact(parse_account.user_score, "total"), 182),
    "rest_user_trades_2026-05": (
        of(parse_orders.fills, "page_id"),
        [("59177352871",), ("59177352869",)],
    ),
    "rest_wallet_asset_get_2025-07": (of(parse_account.asset_totals), TOTALS),
    "rest_wallet_asset_post_2026-05": (post_wallets, USDT_WALLETS),
    "rest_wallet_balance_2026-05": (balance_wallets, USDT_WALLETS),
    "ws_ack_2026-05": (acknowledged, Ack(2)),
    "ws_ack_without_result_2025-09": (acknowledged, Ack(1)),
    "ws_agg_trade_2025-09": (pushed, ["AggTrade"]),
    "ws_agg_trade_2026-05": (pushed, ["AggTrade"]),
    "ws_book_ticker_official": (pushed, ["BookTop"]),
    "ws_full_depth_2026-05": (pushed, ["BookDelta"]),
    "ws_full_depth_docs": (pushed, ["BookDelta"]),
    "ws_full_depth_official": (pushed, ["BookDelta"]),
    "ws_kline_contract_numbers_2025-07": (pushed, ["Kline"]),
    "ws_kline_official": (pushed, ["Kline"]),
    "ws_kline_short_2026-05": (pushed, ["Kline"]),
    "ws_list_subscriptions": (listed, Subscriptions(3, ("alpha_971usdt@aggTrade",))),
    "ws_mini_ticker_official": (pushed, ["MiniTicker"]),
    "ws_partial_depth_official": (pushed, ["BookDelta"]),
    "ws_subscribe_kline_short_2026-05": (written, True),
    "ws_subscribe_public_2026-05": (written, True),
    "ws_subscribe_user_2026-05": (written, True),
    "ws_ticker_list_2026-05": (pushed, ["TokenTicker"]),
    "ws_ticker_official": (pushed, ["DayTicker"]),
    "ws_trade_official": (pushed, ["Trade"]),
    "ws_unsubscribe": (written, True),
    "ws_user_oto_canceled_guess": (pushed_one_by_one, ["ExecutionReport"] * 2),
    "ws_user_oto_sequence_2025-09": (pushed_one_by_one, ["ExecutionReport"] * 6),
    "ws_user_oto_1_working_new": (pushed, ["ExecutionReport"]),
    "ws_user_oto_2_pending_pending": (pushed, ["ExecutionReport"]),
    "ws_user_oto_3_working_filled": (pushed, ["ExecutionReport"]),
    "ws_user_oto_4_pending_new": (pushed, ["ExecutionReport"]),
    "ws_user_oto_5_pending_partially_filled": (pushed, ["ExecutionReport"]),
    "ws_user_oto_6_pending_filled": (pushed, ["ExecutionReport"]),
    "ws_user_plain_buy_filled_2025-07": (pushed, ["ExecutionReport"]),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_says_what_it_must(name: str) -> None:
    read, expected = SAMPLES[name]
    assert read(f"{name}.json") == expected


def test_every_sample_there_is_has_its_reader() -> None:
    index = shared("wire/samples/index.json")
    indexed = {entry["file"] for entry in json.loads(index.read_bytes())["samples"]}
    found = {file.name for file in index.parent.iterdir()} - {index.name}
    assert indexed | found == {f"{name}.json" for name in SAMPLES}
