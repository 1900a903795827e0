"""The shapes of wallets, volume and score on the wire (PROTOCOL §1.4, §6)."""

from datetime import date
from decimal import Decimal

import msgspec

from oto.infrastructure.alpha.schemas import Milliseconds, Wire, Word


class Bucket(Wire, frozen=True):
    """One asset in one wallet."""

    free: Decimal
    locked: Decimal | None = None
    freeze: Decimal | None = None
    withdrawing: Decimal | None = None


class WalletAsset(Wire, frozen=True):
    asset: str
    spot: Bucket | None = None
    funding: Bucket | None = None
    earn: Bucket | None = None


class AccountAsset(Bucket, frozen=True, kw_only=True):
    asset: str


class Account(Wire, frozen=True, rename="camel"):
    """All assets in one wallet; other accounts' rows have shapes that we do not know."""

    account_type: str
    asset_balances: msgspec.Raw = msgspec.Raw(b"null")


class AssetTotal(Wire, frozen=True, rename="camel"):
    asset: Word
    amount: Decimal
    valuation_amount: Decimal
    chain_id: str | None = None
    contract_address: str | None = None


class AverageCost(Wire, frozen=True, rename="camel"):
    token: Word
    avg_cost: Decimal | None = None


class AverageCosts(Wire, frozen=True, rename="camel"):
    tokens_avg_cost: list[AverageCost]


class AlphaAsset(Bucket, frozen=True, rename="camel", kw_only=True):
    token_id: Word
    symbol: str
    valuation: Decimal
    cex_asset: bool | None = None


class AlphaWallet(Wire, frozen=True):
    assets: list[AlphaAsset] = msgspec.field(name="list")


class TokenVolume(Wire, frozen=True, rename="camel"):
    token_name: str
    volume: Decimal


class DayVolume(Wire, frozen=True, rename="camel"):
    total_volume: Decimal
    trade_volume_info_list: list[TokenVolume] | None = None


class DayScore(Wire, frozen=True, rename="camel"):
    """Figures are strings on the wire; the scores are whole."""

    date: date
    total_score: Decimal
    balance_score: Decimal
    alpha_volume_score: Decimal
    balance_snapshot: Decimal
    alpha_volume: Decimal

    def __post_init__(self) -> None:
        super().__post_init__()
        for score in (self.total_score, self.balance_score, self.alpha_volume_score):
            _check_whole(score)


class Spend(Wire, frozen=True, rename="camel"):
    spend_time: Milliseconds
    spend_score: Decimal
    biz_type: str


class UserScore(Wire, frozen=True, rename="camel"):
    """PROTOCOL §6."""

    sum_score: Decimal
    start_datetime: Milliseconds
    end_datetime: Milliseconds
    days: list[DayScore] = msgspec.field(name="list")
    user_spend_list: list[Spend] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_whole(self.sum_score)


def _check_whole(score: Decimal) -> None:
    if score != score.to_integral_value():
        raise ValueError("a score is not a whole number")
