"""Whatever the wire brings, a parser ends in a value or in an ExchangeError."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oto.domain.errors import ExchangeError
from oto.infrastructure.alpha import parse_account, parse_market, parse_orders
from oto.infrastructure.alpha.decoding import Json
from oto.infrastructure.alpha.errors import Answer, classify, of_a_write
from oto.infrastructure.alpha.schemas import Envelope
from tests.unit.alpha.wire import NEX, rules_json

pytestmark = pytest.mark.unit

PARSERS: dict[str, Callable[[Json], object]] = {
    "tokens": parse_market.tokens,
    "exchange_rules": parse_market.exchange_rules,
    "symbol_rules": parse_market.symbol_rules,
    "fee_rates": parse_market.fee_rates,
    "full_depth": parse_market.full_depth,
    "agg_trades": partial(parse_market.agg_trades, symbol=NEX),
    "klines": partial(parse_market.klines, interval="1m"),
    "agg_klines": partial(parse_market.agg_klines, interval="1m"),
    "day_ticker": parse_market.day_ticker,
    "token_details": parse_market.token_details,
    "quote_assets": parse_market.quote_assets,
    "pair_assets": parse_market.pair_assets,
    "asset_wallets": partial(parse_account.asset_wallets, asset="USDT"),
    "wallets_by_account": partial(parse_account.wallets_by_account, asset="USDT"),
    "asset_totals": parse_account.asset_totals,
    "average_costs": parse_account.average_costs,
    "alpha_wallet": parse_account.alpha_wallet,
    "day_volume": parse_account.day_volume,
    "user_score": parse_account.user_score,
    "terms_accepted": parse_account.terms_accepted,
    "listen_key": parse_account.listen_key,
    "order_id": parse_orders.order_id,
    "placed_oto": parse_orders.placed_oto,
    "order_rows": parse_orders.order_rows,
    "fills": parse_orders.fills,
}
# Shapes that are nearly right: each value in them is then replaced by anything.
NEARLY: dict[str, str] = {
    "tokens": (
        '[{"alphaId":X,"symbol":"S","name":"N","chainId":"56","contractAddress":"0x",'
        '"price":X,"offline":X,"offsell":false,"mulPoint":X,"listingTime":X}]'
    ),
    "fee_rates": '{"buyerCommission":X,"sellerCommission":X}',
    "full_depth": ('{"lastUpdateId":X,"symbol":"S","bids":[[X,X],["1","1"]],"asks":X,"E":X,"T":1}'),
    "agg_trades": '[{"a":X,"p":X,"q":X,"m":true,"T":X}]',
    "klines": "[[X,X,X,X,X,X,X,X,X]]",
    "agg_klines": '{"rows":[[X,X,X,X,X,X,X]],"n":X}',
    "day_ticker": (
        '{"symbol":"S","priceChangePercent":X,"weightedAvgPrice":X,"lastPrice":X,"openPrice":X,'
        '"highPrice":X,"lowPrice":X,"volume":X,"quoteVolume":X,"openTime":X,"closeTime":X,'
        '"count":X}'
    ),
    "token_details": (
        '{"metaInfo":{"alphaId":X,"symbol":"S","name":"N","chainId":X,"contractAddress":"0x",'
        '"listingTime":X},"statsInfo":{"volume24h":X,"liquidity":X},'
        '"priceInfo":{"price":X,"percentChange24h":X}}'
    ),
    "quote_assets": "[X]",
    "pair_assets": '{"stockAssetList":[X],"tokenAssetList":X}',
    "wallets_by_account": (
        '[{"accountType":"CARD","assetBalances":[{"asset":"USDT","free":X,"locked":X}]},'
        '{"accountType":"MAIN","assetBalances":X},{"accountType":X}]'
    ),
    "asset_totals": '[{"asset":X,"amount":X,"valuationAmount":X,"chainId":X}]',
    "average_costs": '{"tokensAvgCost":[{"token":X,"avgCost":X}]}',
    "asset_wallets": '[{"asset":"USDT","spot":{"free":X,"locked":X},"funding":X}]',
    "alpha_wallet": '{"list":[{"tokenId":X,"symbol":"S","valuation":X,"free":X}]}',
    "day_volume": '{"totalVolume":X,"tradeVolumeInfoList":[{"tokenName":"T","volume":X}]}',
    "user_score": (
        '{"sumScore":X,"startDatetime":X,"endDatetime":X,"list":[{"date":X,"totalScore":X,'
        '"balanceScore":X,"alphaVolumeScore":X,"balanceSnapshot":X,"alphaVolume":X}],'
        '"userSpendList":[{"spendTime":X,"spendScore":X,"bizType":"A"}]}'
    ),
    "listen_key": "X",
    "order_id": "X",
    "placed_oto": '{"workingOrderId":X,"pendingOrderId":X}',
    "order_rows": (
        '[{"orderId":X,"symbol":"S","side":X,"price":X,"origQty":X,"executedQty":X,'
        '"baseAsset":"B","quoteAsset":"Q","status":X,"orderListId":X,'
        '"contingencyOrderPosition":X,"time":X,"avgPrice":X,"cumQuote":X}]'
    ),
    "fills": (
        '[{"symbol":"S","orderId":X,"tradeId":X,"pageId":X,"side":X,"price":X,"qty":X,'
        '"quoteQty":X,"commission":X,"commissionAsset":"Q","quoteAsset":"Q","time":X,'
        '"lastTrade":true}]'
    ),
    "symbol_rules": rules_json("S", "B").decode().replace('"0.1"', "X").replace("8", "X"),
}

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["1", "-1", "1e9999999", "NaN", "BUY", "0.1", "1" * 200, "2026-01-01"])
)
any_json = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
json_bytes = any_json.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
plausible = st.sampled_from(
    ["1", '"1"', "0", '"BUY"', '"SELL"', '"2026-01-01"', "1779368143285", '"NEW"', '"0.5"', "0.5"]
)
values = plausible | st.sampled_from(
    ["-1", '"-1"', '"NaN"', "1e400", "null", '""', "9" * 5000, f'"{"9" * 5000}"', "253402300800000"]
)


def assert_ends_well(parse: Callable[[Json], object], text: bytes) -> None:
    """A value holds finite decimals and times of UTC only; anything else is an ExchangeError."""
    try:
        value = parse(text)
    except ExchangeError:
        return
    for part in parts(value):
        assert not isinstance(part, float)
        assert not isinstance(part, Decimal) or part.is_finite()
        assert not isinstance(part, datetime) or part.tzinfo is UTC


def parts(value: object) -> Iterator[object]:
    """Return all that a parsed value is made of."""
    yield value
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    elif is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        for one in value:
            yield from parts(one)


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.binary(max_size=200) | json_bytes)
def test_any_bytes_and_any_json_end_in_a_value_or_an_exchange_error(name: str, data: bytes) -> None:
    assert_ends_well(PARSERS[name], data)


@pytest.mark.parametrize("name", NEARLY)
@given(data=st.data())
def test_nearly_right_answers_end_in_a_value_or_an_exchange_error(
    name: str, data: st.DataObject
) -> None:
    first, *rest = NEARLY[name].split("X")
    text = first + "".join(data.draw(values) + part for part in rest)
    assert_ends_well(PARSERS[name], text.encode())


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b'"\xff"', b"", b"\x00"])
def test_hostile_bytes_end_in_an_exchange_error(name: str, text: bytes) -> None:
    with pytest.raises(ExchangeError):
        PARSERS[name](text)


headers_of_dates = st.from_regex(
    r"(Wed, )?\d{1,3} (Oct|Dec|Jan) -?\d{1,5} \d\d:\d\d(:\d\d)?( GMT| [+-]\d{4,6})?", fullmatch=True
)
envelopes = st.fixed_dictionaries(
    {"code": leaves},
    optional={"message": any_json, "data": any_json, "success": leaves, "total": leaves},
).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))


@given(
    answer=st.builds(
        Answer,
        status=st.integers(200, 599),
        content_type=st.sampled_from(["", "text/html", "application/json"]),
        retry_after=st.text(max_size=12) | headers_of_dates,
        date=headers_of_dates,
        challenged=st.booleans(),
        firewall_action=st.sampled_from(["", "challenge"]),
        body=st.binary(max_size=100) | json_bytes | envelopes,
    )
)
def test_any_answer_is_classified(answer: Answer) -> None:
    result = classify(answer)
    if isinstance(result, Envelope):
        assert 200 <= answer.status < 400
    else:
        assert isinstance(of_a_write(result, "place"), ExchangeError)
