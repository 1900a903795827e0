"""What a user owns, has traded today, and has scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from oto.domain.market import AlphaId
from oto.domain.money import Amount, Quantity


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held of one asset in one wallet.

    While a SELL is open its tokens stand under `locked` or `frozen`, sources differ: sum both.
    """

    free: Decimal
    locked: Decimal = Decimal(0)
    frozen: Decimal = Decimal(0)
    withdrawing: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.free + self.locked + self.frozen + self.withdrawing


@dataclass(frozen=True, slots=True)
class AssetWallets:
    """One asset over the three wallets; the exchange sweeps idle funding into earn."""

    asset: str
    funding: Holding
    spot: Holding
    earn: Holding

    @property
    def total(self) -> Decimal:
        return self.funding.total + self.spot.total + self.earn.total


@dataclass(frozen=True, slots=True)
class AlphaHolding:
    """One token of the Alpha wallet; `valuation` is the exchange's own, in USD."""

    alpha_id: AlphaId
    ticker: str
    holding: Holding
    valuation: Amount

    @property
    def sellable(self) -> Quantity:
        return Quantity(self.holding.free)


@dataclass(frozen=True, slots=True)
class AssetTotal:
    """One asset over all wallets; an Alpha token has its contract, and a ticker that others share.

    `valuation` is the exchange's own, in USDT.
    """

    asset: str
    amount: Decimal
    valuation: Amount
    chain_id: str | None
    contract_address: str | None


@dataclass(frozen=True, slots=True)
class TokenVolume:
    ticker: str
    counted_usd: Amount


@dataclass(frozen=True, slots=True)
class DayVolume:
    """Today's BUY volume as the exchange counts it: multiplied already, seconds late."""

    counted_usd: Amount
    tokens: Sequence[TokenVolume]


@dataclass(frozen=True, slots=True)
class DayScore:
    day: date
    total: int
    from_balance: int
    from_volume: int
    balance_usd: Amount
    counted_usd: Amount


@dataclass(frozen=True, slots=True)
class ScoreDeduction:
    deducted_at: datetime
    points: Decimal
    kind: str


@dataclass(frozen=True, slots=True)
class UserScore:
    """The 15-day score: `total` is the sum of the days less the deductions."""

    total: int
    first_day: date
    last_day: date
    days: Sequence[DayScore]
    deductions: Sequence[ScoreDeduction]
