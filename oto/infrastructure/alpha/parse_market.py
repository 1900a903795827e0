"""Public wire facts into domain values."""

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from oto.domain import market, money
from oto.domain.errors import ContractDriftError, UnexpectedShapeError
from oto.domain.market import AlphaId, Symbol, SymbolRules, SymbolStatus
from oto.domain.money import Amount, Price, Quantity
from oto.domain.tokens import PairAssets, TokenDetails, TokenInfo
from oto.infrastructure.alpha import schemas_market as schemas
from oto.infrastructure.alpha.decoding import Json, decode
from oto.infrastructure.alpha.schemas import Word


@dataclass(frozen=True, slots=True)
class ExchangeRules:
    """The rules of every readable symbol, and why each of the others could not be read."""

    rules: dict[Symbol, SymbolRules]
    unreadable: dict[str, str]


def tokens(data: Json) -> list[TokenInfo]:
    """Read the token list or the aggregate ticker, which share one shape (PROTOCOL §1.3.1)."""
    return [_token(row) for row in decode(data, list[schemas.Token], "token list")]


def _token(row: schemas.Token) -> TokenInfo:
    return TokenInfo(
        alpha_id=AlphaId(row.alpha_id),
        ticker=row.symbol,
        name=row.name,
        chain_id=row.chain_id,
        contract_address=row.contract_address,
        price=Price(row.price),
        multiplier=row.mul_point,
        listed_at=market.at_ms(row.listing_time) if row.listing_time else None,
        offline=row.offline,
        sell_closed=row.offsell,
        halted=bool(row.stock_state),
    )


def token_details(data: Json) -> TokenDetails:
    """Read one token's full info; whether the token trades is not reliable there."""
    page = decode(data, schemas.TokenPage, "token info")
    meta = page.meta_info
    return TokenDetails(
        alpha_id=AlphaId(meta.alpha_id),
        ticker=meta.symbol,
        name=meta.name,
        chain_id=meta.chain_id,
        contract_address=meta.contract_address,
        listed_at=market.at_ms(meta.listing_time) if meta.listing_time else None,
        price=Price(page.price_info.price),
        change_24h_percent=page.price_info.change,
        volume_24h_usd=Amount(page.stats_info.volume),
        liquidity_usd=Amount(page.stats_info.liquidity),
    )


def quote_assets(data: Json) -> list[str]:
    """Read which assets pay for tokens."""
    return decode(data, list[Word], "quote assets")


def pair_assets(data: Json) -> PairAssets:
    """Read the pair configuration."""
    row = decode(data, schemas.PairAssets, "pair assets")
    return PairAssets(tuple(row.stock_asset_list), tuple(row.token_asset_list))


def exchange_rules(data: Json) -> ExchangeRules:
    """Read exchange info; a symbol that cannot be read is left out and named in `unreadable`.

    Raises:
        ContractDriftError: the whole, or every symbol in it, is unreadable.
    """
    rules: dict[Symbol, SymbolRules] = {}
    unreadable: dict[str, str] = {}
    for raw in decode(data, schemas.ExchangeInfo, "exchange info").symbols:
        try:
            found = symbol_rules(raw)
        except ContractDriftError as error:
            unreadable[_name(raw)] = str(error)
        else:
            rules[found.symbol] = found
    if unreadable and not rules:
        raise UnexpectedShapeError(
            f"exchange info: no symbol is readable, first: {next(iter(unreadable.values()))}"
        )
    return ExchangeRules(rules, unreadable)


def _name(raw: Json) -> str:
    try:
        return decode(raw, schemas.PairName, "exchange info").symbol[:40]
    except ContractDriftError:
        return "?"


def symbol_rules(data: Json) -> SymbolRules:
    """Read one symbol of exchange info (PROTOCOL §1.3.2)."""
    pair = decode(data, schemas.Pair, "exchange info")
    try:
        return _rules(pair)
    except ValueError:
        raise UnexpectedShapeError("exchange info: tick size or lot step is zero") from None


def _rules(pair: schemas.Pair) -> SymbolRules:
    max_notional = _least(pair, "max_notional")
    orders = [entry.limit for entry in pair.filters if entry.limit is not None]
    return SymbolRules(
        symbol=Symbol(pair.symbol),
        base_asset=AlphaId(pair.base_asset),
        quote_asset=pair.quote_asset,
        status=_status(pair.status),
        price_precision=pair.price_precision,
        quantity_precision=pair.quantity_precision,
        base_precision=pair.base_asset_precision,
        quote_precision=pair.quote_precision,
        tick_size=_greatest(pair, "tick_size"),
        min_price=Price(_greatest(pair, "min_price")),
        max_price=Price(_greatest(pair, "max_price")),
        lot_step=_greatest(pair, "step_size"),
        min_quantity=Quantity(_greatest(pair, "min_qty")),
        max_quantity=Quantity(_greatest(pair, "max_qty")),
        min_notional=Amount(_greatest(pair, "min_notional")),
        max_notional=None if max_notional is None else Amount(max_notional),
        max_orders=min(orders, default=None),
    )


def _given(pair: schemas.Pair, key: str) -> list[Decimal]:
    """Collect a key over all filters: lists spread them, one official example merges them."""
    found = (getattr(entry, key) for entry in pair.filters)
    return [value for value in found if isinstance(value, Decimal)]


def _greatest(pair: schemas.Pair, key: str) -> Decimal:
    if found := _given(pair, key):
        return max(found)
    raise UnexpectedShapeError(f"exchange info: no filter gives `{key}`")


def _least(pair: schemas.Pair, key: str) -> Decimal | None:
    return min(_given(pair, key), default=None)


def _status(word: str) -> SymbolStatus:
    try:
        return SymbolStatus(word)
    except ValueError:
        return SymbolStatus.UNKNOWN


def fee_rates(data: Json) -> market.FeeRates:
    """Read the fees of one pair, given in millionths."""
    row = decode(data, schemas.FeeRate, "fee rates")
    return market.FeeRates(
        buyer=money.fee_rate_from_millionths(row.buyer_commission),
        seller=money.fee_rate_from_millionths(row.seller_commission),
    )


def day_ticker(data: Json) -> market.DayTicker:
    """Read the last 24 hours of one pair."""
    row = decode(data, schemas.DayTicker, "ticker")
    return market.DayTicker(
        symbol=Symbol(row.symbol),
        last=Price(row.last_price),
        open=Price(row.open_price),
        high=Price(row.high_price),
        low=Price(row.low_price),
        weighted_average=Price(row.weighted_avg_price),
        volume=Quantity(row.volume),
        quote_volume=Amount(row.quote_volume),
        opened_at=market.at_ms(row.open_time),
        closed_at=market.at_ms(row.close_time),
        trade_count=row.count,
        change_percent=row.price_change_percent,
    )


def full_depth(data: Json) -> market.BookSnapshot:
    """Read a book snapshot, which may be crossed (PROTOCOL §1.3.4)."""
    row = decode(data, schemas.Depth, "full depth")
    return market.BookSnapshot(
        symbol=Symbol(row.symbol),
        last_update_id=row.last_update_id,
        bids=_levels(row.bids, falling=True),
        asks=_levels(row.asks, falling=False),
        taken_at=market.at_ms(row.emitted_ms),
    )


def _levels(rows: list[schemas.Level], *, falling: bool) -> tuple[market.BookLevel, ...]:
    levels = (market.BookLevel(Price(row.price), Quantity(row.quantity)) for row in rows)
    return tuple(sorted(levels, key=lambda level: level.price, reverse=falling))


def agg_trades(data: Json, symbol: Symbol) -> list[market.AggTrade]:
    """Read aggregate trades, which do not name their symbol."""
    return [
        market.AggTrade(
            symbol=symbol,
            trade_id=row.trade_id,
            price=Price(row.price),
            quantity=Quantity(row.quantity),
            buyer_is_maker=row.buyer_is_maker,
            traded_at=market.at_ms(row.traded_ms),
        )
        for row in decode(data, list[schemas.AggTrade], "aggregate trades")
    ]


def klines(data: Json, interval: str) -> list[market.Kline]:
    """Read candles by symbol (12 columns) or by contract (7 columns) (PROTOCOL §1.3.3)."""
    return [_kline(row, interval) for row in decode(data, list[schemas.KlineRow], "klines")]


def agg_klines(data: Json, interval: str) -> list[market.Kline]:
    """Read candles by contract: bare rows, or the one list of an object (PROTOCOL §1.3.3)."""
    text = bytes(data).lstrip()
    if not text.startswith(b"{"):
        return klines(text, interval)
    fields = decode(text, dict[str, msgspec.Raw], "aggregate klines")
    lists = [raw for raw in fields.values() if bytes(raw).startswith(b"[")]
    if len(lists) != 1:
        raise UnexpectedShapeError(f"aggregate klines: Expected one list, found {len(lists)}")
    return klines(lists[0], interval)


def _kline(row: schemas.KlineRow, interval: str) -> market.Kline:
    return market.Kline(
        interval=interval,
        opened_at=market.at_ms(int(row.open_time)),
        closed_at=market.at_ms(int(row.close_time)),
        open=Price(row.open),
        high=Price(row.high),
        low=Price(row.low),
        close=Price(row.close),
        volume=Quantity(row.volume),
        quote_volume=None if row.quote_volume is None else Amount(row.quote_volume),
    )
