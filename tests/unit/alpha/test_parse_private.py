"""Recorded answers about an account and its orders become the facts they state."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from oto.domain.errors import UnexpectedShapeError
from oto.domain.orders import LegRole, OrderStatus, Side
from oto.infrastructure.alpha import parse_account, parse_orders
from oto.infrastructure.alpha.credentials import ListenKey
from tests.unit.alpha.wire import NEX, data, envelope

pytestmark = pytest.mark.unit


def test_wallets_are_read_per_bucket_and_a_null_bucket_is_empty() -> None:
    usdt = parse_account.asset_wallets(data("rest_wallet_asset_post_2026-05.json"), "USDT")
    assert usdt.funding.free == Decimal("183.21928877")
    assert usdt.spot.free == Decimal("12.5")
    assert usdt.earn.total == 0
    assert usdt.total == Decimal("195.71928877")


def test_an_asset_that_is_not_listed_is_held_nowhere() -> None:
    usdc = parse_account.asset_wallets(data("rest_wallet_asset_post_2026-05.json"), "USDC")
    assert usdc.asset == "USDC"
    assert usdc.total == 0


def test_rows_of_other_accounts_are_not_looked_into() -> None:
    text = (
        b'[{"accountType":"FUTURE","assetBalances":[{"free":"-7"}]},{"accountType":"EU"},'
        b'{"accountType":"SAVING","assetBalances":[{"asset":"BTC","free":"1"},'
        b'{"asset":"USDT","free":"5","freeze":"2"}]}]'
    )
    usdt = parse_account.wallets_by_account(text, "USDT")
    assert usdt.earn.free == 5
    assert usdt.earn.frozen == 2
    assert usdt.total == 7
    assert parse_account.wallets_by_account(text, "BTC").total == 1


def test_a_wallet_row_without_its_balances_is_drift_and_not_an_empty_wallet() -> None:
    with pytest.raises(UnexpectedShapeError, match="wallets by account, CARD"):
        parse_account.wallets_by_account(b'[{"accountType":"CARD"}]', "USDT")


def test_a_token_without_an_average_cost_is_left_out() -> None:
    text = b'{"tokensAvgCost":[{"token":"ALPHA_1","avgCost":null},{"token":"ALPHA_2"}]}'
    assert parse_account.average_costs(text) == {}


def test_the_alpha_wallet_is_read() -> None:
    bedrock, coai = parse_account.alpha_wallet(data("rest_alpha_wallet_2025-09.json"))
    assert (bedrock.alpha_id, bedrock.ticker) == ("ALPHA_118", "BR")
    assert bedrock.sellable == Decimal("0.006657")
    assert coai.holding.total == 250
    assert coai.valuation == Decimal("47.26643294")


@pytest.mark.parametrize(
    ("name", "counted", "ticker"),
    [
        ("rest_today_volume_2025-09.json", "197.43566840519998", "AITECH"),
        ("rest_today_volume_multiplied_2025-09.json", "604467.9396990947", "ALEO"),
    ],
)
def test_the_day_volume_keeps_every_digit_of_its_json_number(
    name: str, counted: str, ticker: str
) -> None:
    volume = parse_account.day_volume(data(name))
    assert volume.counted_usd == Decimal(counted)
    assert [(token.ticker, token.counted_usd) for token in volume.tokens] == [
        (ticker, Decimal(counted))
    ]


def test_the_score_is_the_sum_of_its_days_less_the_deductions() -> None:
    score = parse_account.user_score(data("rest_user_score_2025-07.json"))
    assert score.total == 182
    assert (score.first_day, score.last_day) == (date(2025, 7, 2), date(2025, 7, 16))
    assert len(score.days) == 15
    newest = score.days[0]
    assert (newest.day, newest.total) == (date(2025, 7, 16), 19)
    assert (newest.from_balance, newest.from_volume) == (2, 17)
    assert newest.counted_usd == Decimal("131874.25961200")
    taken = sum(deduction.points for deduction in score.deductions)
    assert sum(day.total for day in score.days) - taken == score.total
    assert score.deductions[0].kind == "AIRDROP"


def test_the_terms_are_read() -> None:
    assert parse_account.terms_accepted(data("rest_terms_agreement_2026-05.json"))


def test_the_listen_key_is_read_into_a_type_that_hides_it() -> None:
    key = parse_account.listen_key(data("rest_listen_key.json"))
    assert key == ListenKey("0123456789abcdef0123456789abcdef")
    assert "0123" not in repr(key)


@pytest.mark.parametrize("text", [b'""', b'"with space"', b"7", b'{"listenKey":"abcdefgh"}'])
def test_what_is_no_listen_key_is_not_shown(text: bytes) -> None:
    with pytest.raises(UnexpectedShapeError, match="listen key") as caught:
        parse_account.listen_key(text)
    assert "space" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "order_id"),
    [
        ("rest_place_buy_2025-07_old.json", "22306445"),
        ("rest_place_buy_2026-05.json", "2459886"),
        ("rest_place_buy_2_2026-05.json", "2460317"),
        ("rest_place_sell_2026-05.json", "2461654"),
    ],
)
def test_the_answer_to_a_placement_is_its_order_id(name: str, order_id: str) -> None:
    assert parse_orders.order_id(data(name)) == order_id


def test_an_order_id_may_be_a_number() -> None:
    assert parse_orders.order_id(b"2459886") == "2459886"


@pytest.mark.parametrize("text", [b"null", b'""', b"-1", b"1.5", b"true", b"{}"])
def test_a_placement_without_an_id_is_an_unexpected_shape(text: bytes) -> None:
    with pytest.raises(UnexpectedShapeError):
        parse_orders.order_id(text)


@pytest.mark.parametrize(
    ("name", "working", "pending"),
    [
        ("rest_place_oto_2026-05.json", "2464786", "2464787"),
        ("rest_place_oto_2_2026-05.json", "2465664", "2465665"),
        ("rest_place_oto_2025-09_web.json", "176849327", "176849328"),
        ("rest_place_oto_2025-09_mobile_strings.json", "51398040", "51398041"),
    ],
)
def test_the_numbers_of_an_oto_answer_become_order_ids(
    name: str, working: str, pending: str
) -> None:
    placed = parse_orders.placed_oto(data(name))
    assert (placed.working_order_id, placed.pending_order_id) == (working, pending)


@pytest.mark.parametrize("name", ["rest_cancel_2026-05.json", "rest_cancel_all.json"])
def test_a_cancel_answers_with_nothing(name: str) -> None:
    assert bytes(data(name)) == b"null"
    parse_account.nothing(data(name))


def test_no_open_orders_is_an_empty_list() -> None:
    assert parse_orders.order_rows(data("rest_open_orders_empty_2026-05.json")) == []


def test_the_two_legs_of_an_open_oto_share_a_list_id() -> None:
    working, pending = parse_orders.order_rows(data("rest_open_orders_populated.json"))
    assert working.oto
    assert pending.oto
    assert working.oto.order_list_id == pending.oto.order_list_id == "1393070000"
    assert (working.oto.role, pending.oto.role) == (LegRole.WORKING, LegRole.PENDING)
    assert (pending.status, pending.working_at) == (OrderStatus.PENDING, None)
    assert pending.quantity == 0
    assert working.price == Decimal("0.0000051")


def test_history_rows_of_2026_are_read() -> None:
    page = envelope("rest_order_history_merge_2026-05.json")
    plain, pending, working, canceled = parse_orders.order_rows(page.data)
    assert page.total == 4
    assert (plain.order_id, plain.symbol, plain.side) == ("2418529", NEX, Side.BUY)
    assert (plain.oto, plain.working_at) == (None, None)
    assert plain.average_price == Decimal("0.000005925")
    assert plain.cumulative_quote == Decimal("9.9865158")
    assert plain.created_at == datetime(2026, 5, 21, 12, 55, 43, 285000, tzinfo=UTC)
    assert pending.quantity == Decimal("1686456.3")
    assert working.oto
    assert working.oto.role is LegRole.WORKING
    assert canceled.status is OrderStatus.CANCELED
    assert canceled.executed_quantity == 0
    assert canceled.created_at is None


def test_a_history_row_of_2025_says_neither_its_quote_nor_its_oto() -> None:
    page = envelope("rest_order_history_merge_2025-07.json")
    (row,) = parse_orders.order_rows(page.data)
    assert page.total == 18
    assert (row.order_id, row.side, row.status) == ("22522520", Side.SELL, OrderStatus.FILLED)
    assert (row.cumulative_quote, row.oto) == (None, None)
    assert row.executed_quantity == Decimal("1362.93")


ROW = (
    b'[{"orderId":7,"symbol":"ALPHA_1USDT","side":"BUY","price":"1","origQty":"1",'
    b'"executedQty":"0","baseAsset":"ALPHA_1","quoteAsset":"USDT","status":"NEW",'
    b'"orderListId":5,"contingencyOrderPosition":"OTO_WORKING"}]'
)


def test_an_unknown_status_word_is_unknown() -> None:
    (row,) = parse_orders.order_rows(ROW.replace(b'"NEW"', b'"PENDING_NEW"'))
    assert row.status is OrderStatus.UNKNOWN


def test_the_status_may_be_called_order_status() -> None:
    (row,) = parse_orders.order_rows(ROW.replace(b'"status"', b'"orderStatus"'))
    assert row.status is OrderStatus.NEW


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b'"BUY"', b'"HOLD"', "side"),
        (b'"status"', b'"state"', "status"),
        (b'"OTO_WORKING"', b'"OTO_MIDDLE"', "contingencyOrderPosition"),
        (b'"price":"1"', b'"price":null', r"\$\[0\].price"),
    ],
)
def test_a_row_with_a_wrong_field_names_the_field(old: bytes, new: bytes, problem: str) -> None:
    with pytest.raises(UnexpectedShapeError, match=problem):
        parse_orders.order_rows(ROW.replace(old, new))


def test_fills_of_one_match_share_a_trade_id_and_differ_in_their_page_id() -> None:
    last, first = parse_orders.fills(data("rest_user_trades_2026-05.json"))
    assert last.trade_id == first.trade_id == "163778"
    assert (last.page_id, first.page_id) == ("59177352871", "59177352869")
    assert (last.last_of_order, first.last_of_order) == (True, False)
    assert (last.quote, last.fee) == (Decimal("2.72678213"), Decimal("0.00027268"))
    assert (last.side, last.fee_asset, last.order_id) == (Side.SELL, "USDT", "2466831")
    assert last.quantity + first.quantity == Decimal("1790972.60")
