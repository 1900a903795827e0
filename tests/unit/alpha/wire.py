"""Answers as the adapter sees them, made from samples."""

import json
from typing import Any

from oto.domain import money
from oto.domain.market import Symbol, SymbolRules
from oto.domain.orders import LimitOrder, OtoOrder, Side
from oto.infrastructure.alpha.decoding import Json
from oto.infrastructure.alpha.errors import Answer, classify
from oto.infrastructure.alpha.parse_market import symbol_rules
from oto.infrastructure.alpha.schemas import Envelope
from tests.samples import sample_bytes


def envelope(name: str) -> Envelope:
    """Classify a sample (or its `response`, where it has one) that must be a success."""
    found = classify(Answer(200, body=response_bytes(name)))
    assert isinstance(found, Envelope)
    return found


def data(name: str) -> Json:
    return envelope(name).data


def response_bytes(name: str) -> bytes:
    text = sample_bytes(name)
    content: Any = json.loads(text)
    if "response" not in content:
        return text
    # The responses of exchanges hold no floats: going through `json` keeps every figure.
    return json.dumps(content["response"]).encode()


def rules_json(symbol: str, base: str, *, price_precision: int = 8, step: str = "0.01") -> bytes:
    tick = money.plain(money.unit(price_precision))
    return json.dumps(
        {
            "symbol": symbol,
            "status": "TRADING",
            "baseAsset": base,
            "quoteAsset": "USDT",
            "pricePrecision": price_precision,
            "quantityPrecision": 2,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": tick,
                    "maxPrice": "1000",
                    "tickSize": tick,
                },
                {"filterType": "LOT_SIZE", "stepSize": step, "maxQty": "9999999", "minQty": step},
                {"filterType": "MIN_NOTIONAL", "minNotional": "0.1"},
            ],
        }
    ).encode()


def rules(base: str, *, price_precision: int = 8, step: str = "0.01") -> SymbolRules:
    return symbol_rules(rules_json(f"{base}USDT", base, price_precision=price_precision, step=step))


NEX = Symbol("ALPHA_971USDT")
NEX_RULES = rules("ALPHA_971", price_precision=9, step="0.1")
BUY = LimitOrder(NEX_RULES, Side.BUY, money.price("0.000005583"), money.quantity("1791151.7"))
OTO = OtoOrder(
    NEX_RULES,
    money.price("0.000005619"),
    money.quantity("1779676"),
    money.price("0.0000058"),
)
