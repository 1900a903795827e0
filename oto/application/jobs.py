"""Jobs as a person asks for them: checked before anything is stored, then wished of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from oto.application.ports import Dispatcher, Wake
from oto.domain import money, points
from oto.domain.errors import SentenceError
from oto.domain.job import (
    ACTIVE,
    FINISHED,
    Job,
    JobId,
    JobState,
    Progress,
    Target,
    TargetKind,
    UserId,
    Wish,
    cycles_needed,
    remaining_ceil,
)
from oto.domain.market import SymbolRules, SymbolStatus
from oto.domain.money import Amount
from oto.domain.tokens import TokenInfo

FEE_FLOOR_BPS = Decimal(2)
"""Least cost of what is bought, in basis points: the fees of the BUY and of the SELL."""

CONCERNED: Mapping[Wish, frozenset[JobState]] = {
    Wish.RUN: frozenset({JobState.PAUSED, JobState.NEEDS_HUMAN}),
    Wish.PAUSE: ACTIVE,
    Wish.STOP: ACTIVE | {JobState.PAUSED, JobState.NEEDS_HUMAN},
}
"""Which jobs a wish is for, where it names no job."""

_GRANTED: Mapping[Wish, frozenset[JobState]] = {
    Wish.RUN: frozenset(),
    Wish.PAUSE: FINISHED | {JobState.PAUSED},
    Wish.STOP: FINISHED,
}

_BPS = Decimal(10_000)


class JobNotStartedError(SentenceError, ValueError):
    """The job cannot be started; the message says why and what to do."""


class JobNotChangedError(SentenceError, ValueError):
    """The job cannot do what is wished; the message says why and what to do."""


class Trader(Protocol):
    """The user for whom a job trades."""

    @property
    def user_id(self) -> UserId: ...

    @property
    def name(self) -> str: ...

    @property
    def acknowledged_at(self) -> datetime | None: ...

    @property
    def logged_in_at(self) -> datetime | None: ...


class Starts(Protocol):
    def start(self, job: Job) -> Wake:
        """Store a job as running and return its first wake-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asks for: `value` is USDT, counted USDT or points; `order_size` is USDT."""

    kind: TargetKind
    value: Decimal
    order_size: Amount
    most_slip_bps: int
    profile: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A job that can be started: the USDT it will buy, in how many cycles, at what least cost."""

    job: Job
    to_buy: Amount
    cycles: int
    least_fees: Amount


def plan(
    asked: Asked,
    trader: Trader,
    token: TokenInfo,
    rules: SymbolRules,
    *,
    counted_today: Callable[[], Amount],
    now: datetime,
    live: bool,
) -> Plan:
    """Make a job of what is asked; `counted_today` is called for a target in points only.

    Raises:
        JobNotStartedError: it could not trade as things are.
    """
    _check_trader(trader, live=live)
    _check_token(token, rules)
    _check_size(asked.order_size, rules)
    job = Job(
        # The ledger gives it its number.
        job_id=JobId(0),
        user_id=trader.user_id,
        symbol=rules.symbol,
        target=_target(asked, counted_today, now),
        order_size=asked.order_size,
        profile=asked.profile,
        most_slip_bps=asked.most_slip_bps,
    )
    to_buy = remaining_ceil(job.target, Progress(), token.multiplier or 1)
    if not to_buy:
        raise JobNotStartedError(
            f"The exchange has counted {money.trimmed(job.target.baseline)} USD of today, which is "
            f"{points.volume_points_floor(job.target.baseline)} points already; ask for more."
        )
    fees = Amount(money.half_up_to(to_buy * FEE_FLOOR_BPS / _BPS, 8))
    return Plan(job, to_buy, cycles_needed(to_buy, job.order_size), fees)


def start(planned: Plan, jobs: Starts, dispatcher: Dispatcher) -> JobId:
    """Store the job and send its first wake-up.

    Raises:
        JobNotStartedError: another job of this user is active on the token, or holds it.
    """
    wake = jobs.start(planned.job)
    dispatcher.wake(wake)
    return wake.job_id


def granted(job: Job, wish: Wish) -> bool:
    """Tell whether a job stands as wished already, so that there is nothing to send."""
    goes_on = job.state in ACTIVE and job.wish is Wish.RUN
    return job.state in _GRANTED[wish] or (wish is Wish.RUN and goes_on)


def share_done(job: Job, progress: Progress, multiplier: int) -> Decimal:
    """Return how much of the target is reached, from 0 to 1, cut to 4 decimals."""
    whole = remaining_ceil(job.target, Progress(), multiplier)
    if not whole:
        return Decimal(1)
    done = whole - min(remaining_ceil(job.target, progress, multiplier), whole)
    return money.quotient_floor(done, whole, 4)


def _check_trader(trader: Trader, *, live: bool) -> None:
    if live and trader.acknowledged_at is None:
        raise JobNotStartedError(
            f"{trader.name} has not been acknowledged for live trading; read what it means and "
            f"acknowledge it with `oto user acknowledge {trader.name}`."
        )
    if trader.logged_in_at is None:
        raise JobNotStartedError(
            f"{trader.name} has no session stored; bring one with `oto user login {trader.name}`."
        )


def _check_token(token: TokenInfo, rules: SymbolRules) -> None:
    if not token.tradable or rules.status is not SymbolStatus.TRADING:
        raise JobNotStartedError(
            f"{token.ticker} ({rules.symbol}) cannot be traded now; choose another token."
        )


def _check_size(size: Amount, rules: SymbolRules) -> None:
    if size < rules.min_notional:
        raise JobNotStartedError(
            f"An order of {money.trimmed(size)} USDT is below the least that {rules.symbol} takes; "
            f"ask for {money.trimmed(rules.min_notional)} or more with --order-size."
        )
    if rules.max_notional is not None and size > rules.max_notional:
        raise JobNotStartedError(
            f"An order of {money.trimmed(size)} USDT is above the most that {rules.symbol} takes; "
            f"ask for {money.trimmed(rules.max_notional)} or less with --order-size."
        )


def _target(asked: Asked, counted_today: Callable[[], Amount], now: datetime) -> Target:
    if asked.kind is not TargetKind.POINTS:
        return Target(asked.kind, asked.value)
    return Target(asked.kind, asked.value, counted_today(), points.day_of(now))
