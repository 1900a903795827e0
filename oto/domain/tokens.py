"""Alpha tokens as the exchange lists them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from oto.domain.market import AlphaId
from oto.domain.money import Amount, Price


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """One Alpha token as listed (PROTOCOL §1.3.1).

    `multiplier` is the volume multiplier (`mulPoint`), None in lists older than it; `price` is an
    indication in USD, not on any tick grid.
    """

    alpha_id: AlphaId
    ticker: str
    name: str
    chain_id: str
    contract_address: str
    price: Price
    multiplier: int | None
    listed_at: datetime | None
    offline: bool
    sell_closed: bool
    halted: bool

    @property
    def tradable(self) -> bool:
        return not (self.offline or self.sell_closed or self.halted)


@dataclass(frozen=True, slots=True)
class TokenDetails:
    """One token as its own page shows it, which does not say whether it can be traded."""

    alpha_id: AlphaId
    ticker: str
    name: str
    chain_id: str
    contract_address: str
    listed_at: datetime | None
    price: Price
    change_24h_percent: Decimal
    volume_24h_usd: Amount
    liquidity_usd: Amount


@dataclass(frozen=True, slots=True)
class PairAssets:
    """The two lists of the pair configuration; what either is for is not documented."""

    stock: Sequence[str]
    token: Sequence[str]


@dataclass(frozen=True, slots=True)
class TokenTicker:
    """One token's line in the all-tokens ticker, keyed by contract and chain."""

    contract_address: str
    chain_id: str
    price: Price
    change_24h_percent: Decimal
    volume_24h_usd: Amount
    ticked_at: datetime
