"""What the rules look at, and what they say."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from oto.domain.job import Reason
from oto.domain.market import SymbolRules
from oto.domain.money import Amount
from oto.domain.orders import LimitOrder, OtoOrder
from oto.domain.pricing.profiles import Profile
from oto.domain.tick import Tick
from oto.domain.tokens import TokenInfo

T_co = TypeVar("T_co", bound=OtoOrder | LimitOrder, covariant=True)


@dataclass(frozen=True, slots=True)
class Balance:
    """USDT that the funding wallet could pay with when it was read, less what we spent since."""

    free: Amount
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Permission:
    """What people and the exchange allow this user to do.

    `halted` says why, if trading is halted; `terms_accepted` is None before it was read;
    `acknowledged` is about live trading and always true on the simulator.
    """

    halted: str | None = None
    terms_accepted: bool | None = None
    acknowledged: bool = True


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a rule may look at; None stands for what we do not know."""

    now: datetime
    profile: Profile
    tick: Tick | None
    rules: SymbolRules | None
    token: TokenInfo | None
    balance: Balance | None
    permission: Permission


@dataclass(frozen=True, slots=True)
class Refused:
    """No order now, and why; a reason that heals is looked at again after `retry_after`."""

    reason: Reason
    detail: str
    retry_after: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Approved(Generic[T_co]):
    """An order that every rule has let through; only such orders reach the exchange.

    Made by `chain.approve_oto` and `chain.approve_exit` only.
    """

    order: T_co
