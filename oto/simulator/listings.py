"""The symbols that the simulated exchange lists: built in, or from recorded lists."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from oto.domain import money
from oto.domain.market import AlphaId, Symbol, SymbolRules, SymbolStatus
from oto.domain.money import Price

Row = Mapping[str, Any]


class BadListingError(ValueError):
    """A token list or exchange info that cannot be listed."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One pair: its rules, and the two rows that the public lists show of it."""

    rules: SymbolRules
    token_row: Row
    info_row: Row

    @property
    def multiplier(self) -> int:
        return int(self.token_row.get("mulPoint") or 1)

    @property
    def first_price(self) -> Price:
        """Return the listed price on the tick grid, at least one tick."""
        listed = self.rules.price_floor(money.decimal_from_text(str(self.token_row["price"])))
        return max(listed, Price(self.rules.tick_size))

    @property
    def sellable(self) -> bool:
        return not self.token_row.get("offsell")

    @property
    def tradable(self) -> bool:
        stopped = self.token_row.get("offline") or self.token_row.get("stockState")
        return self.rules.status is SymbolStatus.TRADING and not stopped

    def changed(self, token: Row, info: Row) -> "Listing":
        """Return the listing with some keys of its rows replaced.

        Filters are merged by type, so that one key of one filter can be changed.
        """
        filters = {row["filterType"]: dict(row) for row in self.info_row["filters"]}
        for row in info.get("filters", []):
            filters.setdefault(row["filterType"], {}).update(row)
        info_row = {**self.info_row, **info, "filters": list(filters.values())}
        token_row = {**self.token_row, **token}
        return replace(self, rules=rules_of(info_row), token_row=token_row, info_row=info_row)


def rules_of(row: Row) -> SymbolRules:
    """Read one symbol of exchange info.

    Raises:
        BadListingError: a field is missing or unreadable.
    """
    try:
        return _rules_of(row)
    except (KeyError, TypeError, ValueError) as error:
        raise BadListingError(f"symbol {row.get('symbol')!r}: {error!r}") from error


def _rules_of(row: Row) -> SymbolRules:
    found: dict[str, Any] = {}
    for one in row["filters"]:
        kind = one["filterType"]
        found |= {f"{kind}.{key}": value for key, value in one.items() if value is not None}
    highest = found.get("NOTIONAL.maxNotional", found.get("MAX_NOTIONAL.maxNotional"))
    known = row["status"] in SymbolStatus.__members__
    return SymbolRules(
        symbol=Symbol(row["symbol"]),
        base_asset=AlphaId(row["baseAsset"]),
        quote_asset=row["quoteAsset"],
        status=SymbolStatus(row["status"]) if known else SymbolStatus.UNKNOWN,
        price_precision=int(row["pricePrecision"]),
        quantity_precision=int(row["quantityPrecision"]),
        base_precision=int(row["baseAssetPrecision"]),
        quote_precision=int(row["quotePrecision"]),
        tick_size=money.decimal_from_text(found["PRICE_FILTER.tickSize"]),
        min_price=money.price(found["PRICE_FILTER.minPrice"]),
        max_price=money.price(found["PRICE_FILTER.maxPrice"]),
        lot_step=money.decimal_from_text(found["LOT_SIZE.stepSize"]),
        min_quantity=money.quantity(found["LOT_SIZE.minQty"]),
        max_quantity=money.quantity(found["LOT_SIZE.maxQty"]),
        min_notional=money.amount(found.get("MIN_NOTIONAL.minNotional", "0")),
        max_notional=None if highest is None else money.amount(highest),
        max_orders=found.get("MAX_NUM_ORDERS.limit"),
    )


def load(token_list: Path, exchange_info: Path) -> list[Listing]:
    """Join a recorded token list with a recorded exchange info (plain or .gz) by alpha id.

    Raises:
        BadListingError: a file is unreadable, or nothing in it is listed in both.
    """
    tokens = {row["alphaId"]: row for row in _data_of(token_list)}
    rows = _data_of(exchange_info)["symbols"]
    both = [row for row in rows if row["baseAsset"] in tokens and row["quoteAsset"] == "USDT"]
    if not both:
        raise BadListingError(f"{exchange_info} lists no USDT pair of a token in {token_list}")
    return [Listing(rules_of(row), tokens[row["baseAsset"]], row) for row in both]


def _data_of(path: Path) -> Any:  # noqa: ANN401 - what a JSON file holds
    try:
        raw = path.read_bytes()
        return json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)["data"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadListingError(f"{path} is not a recorded exchange answer: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _BuiltIn:
    alpha_id: str
    ticker: str
    price: str
    price_decimals: int
    base_decimals: int
    tick: str
    step: str
    multiplier: int
    offline: bool = False

    def listing(self) -> Listing:
        number = int(self.alpha_id.removeprefix("ALPHA_"))
        token_row = _token_row(self.alpha_id, number, self.ticker, self.price) | {
            "mulPoint": self.multiplier,
            "offline": self.offline,
            "offsell": self.offline,
        }
        info_row = {
            "symbol": f"{self.alpha_id}USDT",
            "status": "TRADING",
            "baseAsset": self.alpha_id,
            "quoteAsset": "USDT",
            "pricePrecision": self.price_decimals,
            "quantityPrecision": self.base_decimals,
            "baseAssetPrecision": self.base_decimals,
            "quotePrecision": 8,
            "filters": _filters(self.tick, self.step),
            "orderTypes": ["LIMIT"],
        }
        return Listing(rules_of(info_row), token_row, info_row)


# They differ in tick, step, precision, multiplier and state; prices as once recorded.
_BUILT_IN = (
    _BuiltIn(
        alpha_id="ALPHA_971",
        ticker="NEX",
        price="0.000005665",
        price_decimals=9,
        base_decimals=2,
        tick="0.000000001",
        step="0.10",
        multiplier=4,
    ),
    _BuiltIn(
        alpha_id="ALPHA_373",
        ticker="AITECH",
        price="0.22690468",
        price_decimals=8,
        base_decimals=8,
        tick="0.00000001",
        step="0.01000000",
        multiplier=1,
    ),
    _BuiltIn(
        alpha_id="ALPHA_118",
        ticker="BR",
        price="0.07234126",
        price_decimals=8,
        base_decimals=8,
        tick="0.00000001",
        step="0.01000000",
        multiplier=4,
    ),
    _BuiltIn(
        alpha_id="ALPHA_22",
        ticker="ALEO",
        price="48.01706542",
        price_decimals=8,
        base_decimals=8,
        tick="0.00000001",
        step="0.00010000",
        multiplier=2,
    ),
    _BuiltIn(
        alpha_id="ALPHA_396",
        ticker="LIGHT",
        price="0.8521",
        price_decimals=10,
        base_decimals=1,
        tick="0.0000000001",
        step="1",
        multiplier=4,
    ),
    _BuiltIn(
        alpha_id="ALPHA_5",
        ticker="AIXBT",
        price="0.0926",
        price_decimals=8,
        base_decimals=8,
        tick="0.00000001",
        step="0.01000000",
        multiplier=1,
        offline=True,
    ),
)


def built_in() -> list[Listing]:
    """Return a handful of pairs that differ in tick, step, precision, multiplier and state."""
    return [one.listing() for one in _BUILT_IN]


def _filters(tick: str, step: str) -> list[dict[str, Any]]:
    sides = {"bidMultiplierUp": "5", "askMultiplierUp": "5"}
    sides |= {"bidMultiplierDown": "0.20000", "askMultiplierDown": "0.20000"}
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "stepSize": step, "maxQty": "9999999999", "minQty": step},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "minNotional": "0.1"},
        {"filterType": "MAX_NOTIONAL", "maxNotional": "1000000"},
        {"filterType": "NOTIONAL", "minNotional": "0.1", "maxNotional": "1000000"},
        {"filterType": "PERCENT_PRICE", "multiplierDown": "0.20000", "multiplierUp": "5"},
        {"filterType": "PERCENT_PRICE_BY_SIDE", **sides},
    ]


def _token_row(alpha_id: str, number: int, ticker: str, price: str) -> dict[str, Any]:
    cap = money.plain(Decimal(price) * 1_000_000_000)
    return {
        "tokenId": f"{number:032X}",
        "chainId": "56",
        "chainIconUrl": "",
        "chainName": "BSC",
        "contractAddress": f"0x{number:040x}",
        "name": ticker,
        "symbol": ticker,
        "iconUrl": "",
        "price": price,
        "percentChange24h": "0.00",
        "volume24h": "0",
        "marketCap": cap,
        "fdv": cap,
        "liquidity": "1000000",
        "totalSupply": "1000000000",
        "circulatingSupply": "1000000000",
        "holders": "1000",
        "decimals": 18,
        "listingCex": False,
        "hotTag": False,
        "cexCoinName": "",
        "canTransfer": False,
        "denomination": 1,
        "tradeDecimal": 8,
        "alphaId": alpha_id,
        "priceHigh24h": price,
        "priceLow24h": price,
        "count24h": "0",
        "onlineTge": False,
        "onlineAirdrop": False,
        "score": number,
        "cexOffDisplay": False,
        "stockState": False,
        "listingTime": 1779285600000,
        "bnExclusiveState": False,
    }
