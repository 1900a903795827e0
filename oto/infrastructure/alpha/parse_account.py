"""Private wire facts about wallets, volume and score into domain values."""

from decimal import Decimal

from oto.domain import account, market
from oto.domain.account import AlphaHolding, AssetTotal, AssetWallets, Holding
from oto.domain.errors import UnexpectedShapeError
from oto.domain.market import AlphaId
from oto.domain.money import Amount, Price
from oto.infrastructure.alpha import schemas_account as schemas
from oto.infrastructure.alpha.credentials import ListenKey
from oto.infrastructure.alpha.decoding import Json, decode

_NONE = Decimal(0)
_FUNDING, _SPOT, _EARN = _WALLETS = ("CARD", "MAIN", "SAVING")


def asset_wallets(data: Json, asset: str) -> AssetWallets:
    """Read one asset's three wallets; an asset that is not listed is held nowhere."""
    rows = decode(data, list[schemas.WalletAsset], "asset wallets")
    found = next((row for row in rows if row.asset == asset), schemas.WalletAsset(asset))
    return AssetWallets(
        asset=asset,
        funding=_holding(found.funding),
        spot=_holding(found.spot),
        earn=_holding(found.earn),
    )


def wallets_by_account(data: Json, asset: str) -> AssetWallets:
    """Read one asset's three wallets from rows by account (PROTOCOL §1.4).

    Only the rows of these wallets are read: nothing is known of the others.
    """
    rows = decode(data, list[schemas.Account], "wallets by account")
    held = {row.account_type: _held_in(row, asset) for row in rows if row.account_type in _WALLETS}
    return AssetWallets(
        asset=asset,
        funding=held.get(_FUNDING, Holding(_NONE)),
        spot=held.get(_SPOT, Holding(_NONE)),
        earn=held.get(_EARN, Holding(_NONE)),
    )


def _held_in(account: schemas.Account, asset: str) -> Holding:
    what = f"wallets by account, {account.account_type}"
    rows = decode(account.asset_balances, list[schemas.AccountAsset], what)
    return _holding(next((row for row in rows if row.asset == asset), None))


def asset_totals(data: Json) -> list[AssetTotal]:
    """Read the totals per asset over all wallets, Alpha tokens among them."""
    return [
        AssetTotal(
            asset=row.asset,
            amount=row.amount,
            valuation=Amount(row.valuation_amount),
            chain_id=row.chain_id,
            contract_address=row.contract_address,
        )
        for row in decode(data, list[schemas.AssetTotal], "asset totals")
    ]


def average_costs(data: Json) -> dict[AlphaId, Price]:
    """Read what tokens have cost on average; a token without a cost is left out."""
    rows = decode(data, schemas.AverageCosts, "average costs").tokens_avg_cost
    return {AlphaId(row.token): Price(row.avg_cost) for row in rows if row.avg_cost is not None}


def _holding(bucket: schemas.Bucket | None) -> Holding:
    if bucket is None:
        return Holding(_NONE)
    return Holding(
        free=bucket.free,
        locked=bucket.locked or _NONE,
        frozen=bucket.freeze or _NONE,
        withdrawing=bucket.withdrawing or _NONE,
    )


def alpha_wallet(data: Json) -> list[AlphaHolding]:
    """Read the Alpha wallet's tokens, without the spot assets that some calls mix in."""
    return [
        AlphaHolding(
            alpha_id=AlphaId(row.token_id),
            ticker=row.symbol,
            holding=_holding(row),
            valuation=Amount(row.valuation),
        )
        for row in decode(data, schemas.AlphaWallet, "alpha wallet").assets
        if not row.cex_asset
    ]


def day_volume(data: Json) -> account.DayVolume:
    """Read today's BUY volume, multiplied already (PROTOCOL §0, fact 8)."""
    row = decode(data, schemas.DayVolume, "day volume")
    tokens = row.trade_volume_info_list or []
    return account.DayVolume(
        counted_usd=Amount(row.total_volume),
        tokens=tuple(
            account.TokenVolume(entry.token_name, Amount(entry.volume)) for entry in tokens
        ),
    )


def user_score(data: Json) -> account.UserScore:
    """Read the 15-day score (PROTOCOL §6)."""
    row = decode(data, schemas.UserScore, "user score")
    return account.UserScore(
        total=int(row.sum_score),
        first_day=market.at_ms(row.start_datetime).date(),
        last_day=market.at_ms(row.end_datetime).date(),
        days=tuple(_day_score(day) for day in row.days),
        deductions=tuple(_deduction(spend) for spend in row.user_spend_list or []),
    )


def _day_score(day: schemas.DayScore) -> account.DayScore:
    return account.DayScore(
        day=day.date,
        total=int(day.total_score),
        from_balance=int(day.balance_score),
        from_volume=int(day.alpha_volume_score),
        balance_usd=Amount(day.balance_snapshot),
        counted_usd=Amount(day.alpha_volume),
    )


def _deduction(spend: schemas.Spend) -> account.ScoreDeduction:
    return account.ScoreDeduction(
        deducted_at=market.at_ms(spend.spend_time), points=spend.spend_score, kind=spend.biz_type
    )


def terms_accepted(data: Json) -> bool:
    """Read whether the user has accepted the terms that limit orders need once."""
    return decode(data, bool, "terms accepted")


def listen_key(data: Json) -> ListenKey:
    """Read a listen key into the type that hides it."""
    try:
        return ListenKey(decode(data, str, "listen key"))
    except ValueError:
        raise UnexpectedShapeError("listen key: Expected a key - at `$`") from None


def nothing(data: Json) -> None:
    """Accept any `data`: the code alone says what we need."""
    del data
