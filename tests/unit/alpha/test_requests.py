"""Our orders are written as the exchange's own page wrote them."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from oto.domain import money
from oto.domain.market import AlphaId, Symbol, SymbolRules
from oto.domain.orders import LimitOrder, OrderId, OtoOrder, Side
from oto.infrastructure.alpha import requests
from tests.samples import sample
from tests.unit.alpha.wire import rules

pytestmark = pytest.mark.unit

FIGURES = {"price", "quantity", "amount", "workingPrice", "workingQuantity", "pendingPrice"}


def numeric(value: Any) -> Any:  # noqa: ANN401
    """Turn figures into decimals, so that "9.9" and 9.9 are one value."""
    if isinstance(value, dict):
        return {
            key: Decimal(entry) if key in FIGURES else numeric(entry)
            for key, entry in value.items()
        }
    return [numeric(entry) for entry in value] if isinstance(value, list) else value


def written(body: requests.Body) -> Any:  # noqa: ANN401
    return numeric(json.loads(json.dumps(body)))


def grid_of(request: dict[str, Any]) -> SymbolRules:
    """Return rules whose grid holds the recorded figures."""
    base = request["baseAsset"]
    return {
        "ALPHA_971": lambda: rules(base, price_precision=9, step="0.1"),
        "ALPHA_22": lambda: rules(base, step="0.0001"),
    }.get(base, lambda: rules(base))()


def limit(request: dict[str, Any]) -> requests.Body:
    return requests.limit_order(
        LimitOrder(
            rules=grid_of(request),
            side=Side(request["side"]),
            price=money.price(str(request["price"])),
            quantity=money.quantity(str(request["quantity"])),
        )
    )


def oto(request: dict[str, Any]) -> requests.Body:
    return requests.oto_order(
        OtoOrder(
            rules=grid_of(request),
            working_price=money.price(str(request["workingPrice"])),
            working_quantity=money.quantity(str(request["workingQuantity"])),
            pending_price=money.price(str(request["pendingPrice"])),
        )
    )


@pytest.mark.parametrize(
    ("name", "write", "added_since"),
    [
        ("rest_place_buy_2026-05.json", limit, {}),
        ("rest_place_buy_2_2026-05.json", limit, {}),
        ("rest_place_sell_2026-05.json", limit, {}),
        ("rest_place_buy_2025-07_old.json", limit, {"orderType": "LIMIT"}),
        ("rest_place_oto_2026-05.json", oto, {}),
        ("rest_place_oto_2_2026-05.json", oto, {}),
        ("rest_place_oto_2025-09_web.json", oto, {"pendingType": "LIMIT"}),
        ("rest_place_oto_2025-09_mobile_strings.json", oto, {"pendingType": "LIMIT"}),
    ],
)
def test_a_recorded_placement_is_written_again_value_for_value(
    name: str, write: Callable[[dict[str, Any]], requests.Body], added_since: dict[str, str]
) -> None:
    request = sample(name)["request"]
    assert written(write(request)) == numeric(request) | added_since


def test_the_recorded_cancel_is_written_again() -> None:
    body = requests.cancel(Symbol("ALPHA_971USDT"), OrderId("2460317"))
    assert body == sample("rest_cancel_2026-05.json")["request"]


def test_the_recorded_wallet_and_cancel_all_requests_are_written_again() -> None:
    assert sample("rest_wallet_asset_post_2026-05.json")["request"] == requests.WALLETS
    asked = requests.average_costs([AlphaId("ALPHA_971")])
    assert sample("rest_avg_cost_2026-05.json")["request"] == asked
    assert sample("rest_cancel_all.json")["request"] == requests.EMPTY


def test_figures_are_strings_without_an_exponent() -> None:
    order = LimitOrder(
        rules=rules("ALPHA_971", price_precision=9, step="0.1"),
        side=Side.BUY,
        price=money.price("5.583E-6"),
        quantity=money.quantity("1.7911517E+6"),
    )
    body = requests.limit_order(order)
    assert (body["price"], body["quantity"]) == ("0.000005583", "1791151.7")
    assert body["paymentDetails"] == [{"amount": "9.99999994", "paymentWalletType": "CARD"}]
