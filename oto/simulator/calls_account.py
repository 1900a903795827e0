"""Private account calls: wallets, volume, score, terms, session (PROTOCOL §1.4)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from oto.domain import money
from oto.simulator.accounts import Account, Wallet
from oto.simulator.calls import Answer, Call
from oto.simulator.market import Market

_NOTHING = Decimal(0)
_DAYS = 15
_DAY_MS = 86_400_000


def alpha_wallet(call: Call) -> Answer:
    rows = [
        _holding(market, wallet)
        for market in call.exchange.markets.values()
        if (wallet := call.account.tokens.get(market.listing.rules.base_asset)) is not None
        and wallet.free + wallet.locked
    ]
    total = sum((Decimal(row["valuation"]) for row in rows), _NOTHING)
    return Answer({"totalValuation": money.trimmed(total), "list": rows})


def wallets_by_asset(call: Call) -> Answer:
    wanted = call.body.get("includeWallets", []) if isinstance(call.body, dict) else []
    buckets = {"MAIN": "spot", "CARD": "funding", "SAVING": "earn"}
    wallets = {"spot": call.account.spot, "funding": call.account.funding}
    wallets |= {"earn": call.account.earn}
    row: dict[str, Any] = {"asset": "USDT", "coinBusinessType": None}
    for kind, name in buckets.items():
        included = isinstance(wanted, list) and kind in wanted
        row[name] = _bucket(wallets[name]) if included else None
    return Answer([row])


def wallets_by_account(call: Call) -> Answer:
    account = call.account
    rows = [("CARD", account.funding), ("MAIN", account.spot), ("SAVING", account.earn)]
    return Answer(
        [
            {"accountType": kind, "assetBalances": [{"asset": "USDT", **_bucket(wallet)}]}
            for kind, wallet in rows
        ]
    )


def totals_by_asset(call: Call) -> Answer:
    usdt = money.trimmed(_usdt(call.account))
    rows = [_total_row("USDT", usdt, usdt, None)]
    for market in call.exchange.markets.values():
        wallet = call.account.tokens.get(market.listing.rules.base_asset)
        if wallet is not None and wallet.free + wallet.locked:
            row = _holding(market, wallet)
            rows.append(_total_row(row["symbol"], row["amount"], row["valuation"], row))
    return Answer(rows)


def asset_detail(call: Call) -> Answer:
    account = call.account
    rows = [("CARD", "Funding", account.funding), ("MAIN", "Spot", account.spot)]
    rows.append(("SAVING", "Earn", account.earn))
    details = [
        {
            "accountType": kind,
            "uniAccountType": kind,
            "walletName": name,
            "amount": money.trimmed(wallet.free + wallet.locked),
            "valuationAmount": money.trimmed(wallet.free + wallet.locked),
        }
        for kind, name, wallet in rows
    ]
    named = {"asset": "USDT", "assetName": "TetherUS", "logoUrl": ""}
    return Answer(named | {"assetDetails": details})


def funding_only(call: Call) -> Answer:
    wallet = _bucket(call.account.funding)
    return Answer([{"asset": "USDT", "free": wallet["free"], "freeze": wallet["locked"]}])


def terms_accepted(call: Call) -> Answer:
    return Answer(call.account.terms_accepted)


def average_cost(call: Call) -> Answer:
    wanted = call.field("tokens")
    tokens = wanted if isinstance(wanted, list) else []
    rows = [{"token": one, "avgCost": _average_cost(call, one)} for one in map(str, tokens)]
    return Answer({"tokensAvgCost": rows})


def day_volume(call: Call) -> Answer:
    """Answer today's BUY volume times the multiplier, as JSON floats like the real one."""
    rows = []
    totals = call.account.volume_of_day(call.exchange.now_ms, call.exchange.settings.volume_lag_ms)
    names = _tickers(call)
    for asset, counted in totals.items():
        volume = float(counted)
        rows.append({"icon": "", "tokenName": names.get(asset, asset), "volume": volume})
    return Answer(
        {
            "totalVolume": float(sum(totals.values(), _NOTHING)),
            "tradeVolumeInfoList": rows,
        }
    )


def user_score(call: Call) -> Answer:
    """Answer 15 days of score: today from real volume, the days before without any."""
    exchange, account = call.exchange, call.account
    today_ms = exchange.now_ms // _DAY_MS * _DAY_MS
    counted = sum(account.volume_of_day(exchange.now_ms, 0).values(), _NOTHING)
    days = []
    for ago in range(_DAYS):
        volume = counted if ago == 0 else _NOTHING
        days.append(_score_day(today_ms - ago * _DAY_MS, volume, _usdt(account)))
    total = sum(int(day["totalScore"]) for day in days)
    return Answer(
        {
            "isPass": None,
            "sumScore": str(total),
            "startDatetime": today_ms - (_DAYS - 1) * _DAY_MS,
            "endDatetime": today_ms,
            "list": days,
            "userSpendList": [],
        }
    )


def base_info(call: Call) -> Answer:
    return Answer({"userId": str(call.account.number), "nickName": call.account.name})


def base_detail(call: Call) -> Answer:
    user = {"userId": str(call.account.number), "email": f"{call.account.name}@example.invalid"}
    return Answer(user)


def authenticate(call: Call) -> Answer:
    del call
    return Answer({"authenticated": True})


def _score_day(at_ms: int, counted: Decimal, balance: Decimal) -> dict[str, Any]:
    from_volume = max(0, int(counted).bit_length() - 1)  # floor(log2)
    from_balance = sum(balance >= step for step in (100, 1_000, 10_000, 100_000))
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return {
        "date": day.date().isoformat(),
        "scoreTime": None,
        "totalScore": str(from_volume + from_balance),
        "balanceScore": str(from_balance),
        "alphaVolumeScore": str(from_volume),
        "balanceSnapshot": money.plain(balance),
        "alphaVolume": money.plain(counted),
    }


def _usdt(account: Account) -> Decimal:
    wallets = (account.funding, account.spot, account.earn)
    return sum((wallet.free + wallet.locked for wallet in wallets), _NOTHING)


def _bucket(wallet: Wallet) -> dict[str, str]:
    return {
        "free": money.trimmed(wallet.free),
        "locked": money.trimmed(wallet.locked),
        "freeze": "0",
        "withdrawing": "0",
    }


def _holding(market: Market, wallet: Wallet) -> dict[str, Any]:
    row = market.listing.token_row
    amount = wallet.free + wallet.locked
    value = money.amount_floor(market.last_price, money.Quantity(amount), 8)
    return {
        "chainId": row["chainId"],
        "contractAddress": row["contractAddress"],
        "cexAsset": False,
        "name": row["name"],
        "symbol": row["symbol"],
        "tokenId": market.listing.rules.base_asset,
        **_bucket(wallet),
        "amount": money.trimmed(amount),
        "valuation": money.trimmed(value),
    }


def _total_row(
    asset: str, amount: str, valuation: str, token: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "asset": asset,
        "assetName": None if token else "TetherUS",
        "amount": amount,
        "logoUrl": None,
        "valuationAmount": valuation,
        "profit": None,
        "profitRatio": None,
        "avgCost": None,
        "avgBuyCost": None,
        "isCexAsset": token is None,
        "coinBusinessType": "ALPHA" if token else None,
        "chainId": token["chainId"] if token else None,
        "contractAddress": token["contractAddress"] if token else None,
    }


def _average_cost(call: Call, asset: str) -> str:
    buys = [
        order
        for order in call.exchange.orders_of(call.account)
        if order.listing.rules.base_asset == asset and order.side.value == "BUY"
    ]
    base = money.Quantity(sum((order.executed for order in buys), _NOTHING))
    quote = money.Amount(sum((order.quote for order in buys), _NOTHING))
    return money.trimmed(money.average_price_half_up(quote, base, 9))


def _tickers(call: Call) -> dict[str, str]:
    return {
        market.listing.rules.base_asset: str(market.listing.token_row["symbol"])
        for market in call.exchange.markets.values()
    }
