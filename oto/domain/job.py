"""One target on one token for one user: what was asked, where it stands, why it waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import NewType, Self

from oto.domain import money, points
from oto.domain.leg import ImpossibleTransitionError
from oto.domain.market import Symbol
from oto.domain.money import Amount

JobId = NewType("JobId", int)
UserId = NewType("UserId", int)

_NOTHING = Amount(Decimal(0))
_MOST_SLIP_BPS = 10_000
_OVERSIZE = Decimal("1.02")
"""How far above the asked size an order may be, so that a rest needs no order of its own."""


class JobState(Enum):
    """Where a job stands (docs/state-machine.md)."""

    DRAFT = "draft"
    """Asked for and not started."""
    RUNNING = "running"
    """Takes one turn after the other."""
    WAITING = "waiting"
    """Goes on by itself once its reason has cleared."""
    PAUSED = "paused"
    """Left the loop because its owner wished so."""
    NEEDS_HUMAN = "needs_human"
    """Left the loop for a reason that never clears by itself."""
    COMPLETED = "completed"
    """The target is reached and everything that could be sold is sold."""
    STOPPED = "stopped"
    """Ended by its owner."""
    FAILED = "failed"
    """Ended by a fault of our own."""


FINISHED = frozenset({JobState.COMPLETED, JobState.STOPPED, JobState.FAILED})
ACTIVE = frozenset({JobState.RUNNING, JobState.WAITING})
"""States in which a job is advanced."""


class JobEvent(Enum):
    START = "start"
    WAIT = "wait"
    GO_ON = "go on"
    PAUSE = "pause"
    NEED_HUMAN = "need human"
    RESUME = "resume"
    COMPLETE = "complete"
    STOP = "stop"
    FAIL = "fail"


_S, _E = JobState, JobEvent

TRANSITIONS: Mapping[tuple[JobState, JobEvent], JobState] = {
    (_S.DRAFT, _E.START): _S.RUNNING,
    (_S.DRAFT, _E.STOP): _S.STOPPED,
    (_S.RUNNING, _E.WAIT): _S.WAITING,
    (_S.RUNNING, _E.GO_ON): _S.RUNNING,
    (_S.RUNNING, _E.PAUSE): _S.PAUSED,
    (_S.RUNNING, _E.NEED_HUMAN): _S.NEEDS_HUMAN,
    (_S.RUNNING, _E.COMPLETE): _S.COMPLETED,
    (_S.RUNNING, _E.STOP): _S.STOPPED,
    (_S.RUNNING, _E.FAIL): _S.FAILED,
    # A wait whose reason changes is a wait.
    (_S.WAITING, _E.WAIT): _S.WAITING,
    (_S.WAITING, _E.GO_ON): _S.RUNNING,
    (_S.WAITING, _E.PAUSE): _S.PAUSED,
    (_S.WAITING, _E.NEED_HUMAN): _S.NEEDS_HUMAN,
    (_S.WAITING, _E.COMPLETE): _S.COMPLETED,
    (_S.WAITING, _E.STOP): _S.STOPPED,
    (_S.WAITING, _E.FAIL): _S.FAILED,
    (_S.PAUSED, _E.RESUME): _S.RUNNING,
    (_S.NEEDS_HUMAN, _E.RESUME): _S.RUNNING,
    (_S.NEEDS_HUMAN, _E.PAUSE): _S.PAUSED,
    # A finished job that left inventory parked is taken up again to sell it, and only by a human.
    (_S.STOPPED, _E.RESUME): _S.RUNNING,
    (_S.FAILED, _E.RESUME): _S.RUNNING,
}


def after(state: JobState, event: JobEvent) -> JobState:
    """Return the state after an event.

    Raises:
        ImpossibleTransitionError: the event cannot happen in that state.
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise ImpossibleTransitionError(state.value, event.value)
    return following


class Wish(Enum):
    """What the job's owner wants of it; a pause and a stop first make it flat."""

    RUN = "run"
    PAUSE = "pause"
    STOP = "stop"


class Reason(Enum):
    """Why a job does not trade: a name that logs keep for ever, and words for a person."""

    words: str

    def __new__(cls, name: str, words: str) -> Self:
        """Make a member whose value is its name."""
        member = object.__new__(cls)
        member._value_ = name
        member.words = words
        return member

    STALE_PRICE = "stale_price", "no fresh price"
    CROSSED_BOOK = "crossed_book", "the published book is crossed"
    ZOMBIE_BOOK = "zombie_book", "the published book is far off the last trade"
    WIDE_SPREAD = "wide_spread", "the spread is too wide"
    LOW_BALANCE = "low_balance", "the funding wallet holds too little USDT"
    NOT_TRADING = "not_trading", "the token cannot be traded now"
    RULES_UNKNOWN = "rules_unknown", "the exchange's list does not have this symbol now"
    NO_FINGERPRINT = "no_fingerprint", "no order can be told apart from those of the last day"
    HALTED = "halted", "trading is halted"
    RATE_LIMITED = "rate_limited", "the exchange asked to slow down"
    UNAVAILABLE = "unavailable", "the exchange cannot be reached"
    ACCOUNT_BUSY = "account_busy", "another operation of the account is under way"
    UNRESOLVED = "unresolved", "it is not known yet whether an order reached the exchange"
    REFUSED = "refused", "the exchange refused an order"
    PARKED = "parked", "tokens are kept until they can be sold within the stated loss"
    SYMBOL_HELD = "symbol_held", "another job of this user has an unfinished cycle on this token"

    SESSION_OVER = (
        "session_over",
        "the session is over; bring new headers and cookies with `oto user login`",
    )
    VERIFICATION = (
        "verification",
        "the exchange asks the user for a verification in the browser or the app",
    )
    RESTRICTED = "restricted", "the exchange restricted the account"
    FIREWALLED = "firewalled", "the exchange's firewall turned us away"
    AMBIGUOUS = "ambiguous", "what is on the exchange cannot be matched with what we sent"
    UNKNOWN_ANSWER = "unknown_answer", "the exchange answered in a way that we do not know"
    TERMS = "terms", "the user has not accepted the exchange's terms for Alpha orders"
    NOT_ACKNOWLEDGED = (
        "not_acknowledged",
        "live trading was not acknowledged; run `oto user acknowledge`",
    )
    NO_CREDENTIALS = "no_credentials", "the user has no headers and cookies; run `oto user login`"
    IMPOSSIBLE_ORDER = "impossible_order", "an order of this size breaks the token's rules"
    FAULT = "fault", "a fault of our own; the log has its traceback"


NEEDS_HUMAN = frozenset(
    {
        Reason.SESSION_OVER,
        Reason.VERIFICATION,
        Reason.RESTRICTED,
        Reason.FIREWALLED,
        Reason.AMBIGUOUS,
        Reason.UNKNOWN_ANSWER,
        Reason.TERMS,
        Reason.NOT_ACKNOWLEDGED,
        Reason.NO_CREDENTIALS,
        Reason.IMPOSSIBLE_ORDER,
        Reason.FAULT,
    }
)
"""Reasons that never clear by themselves; every other is a wait."""


class TargetKind(Enum):
    """What a job counts until its target."""

    VOLUME = "volume"
    """USDT bought."""
    COUNTED = "counted"
    """USDT bought times the token's multiplier."""
    POINTS = "points"
    """Volume points of the UTC day, from counted USDT (TRADING §2)."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be reached: USDT, counted USDT, or points.

    For points, `day` is the UTC day that counts and `baseline` what the exchange had counted of it
    before the job bought anything.
    """

    kind: TargetKind
    value: Decimal
    baseline: Amount = _NOTHING
    day: date | None = None

    def __post_init__(self) -> None:
        if self.value <= 0:
            raise ValueError("A target must be above zero.")
        if self.kind is TargetKind.POINTS and (self.value % 1 or self.day is None):
            raise ValueError("A target in points is a whole number, on a day.")


@dataclass(frozen=True, slots=True)
class Progress:
    """What a job has bought so far, in USDT and in counted USDT; for points, of its day only."""

    bought: Amount = _NOTHING
    counted: Amount = _NOTHING
    cycles: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked of the trading loop. `most_slip_bps` bounds how far below the buy it sells."""

    job_id: JobId
    user_id: UserId
    symbol: Symbol
    target: Target
    order_size: Amount
    profile: str
    most_slip_bps: int
    state: JobState = JobState.DRAFT
    wish: Wish = Wish.RUN
    reason: Reason | None = None
    waits_until: datetime | None = None

    def __post_init__(self) -> None:
        if self.order_size <= 0:
            raise ValueError("The order size must be above zero.")
        if not 0 < self.most_slip_bps < _MOST_SLIP_BPS:
            raise ValueError("The most slip is between 0 and 10000 basis points.")


def remaining_ceil(target: Target, progress: Progress, multiplier: int) -> Amount:
    """Return the USDT still to buy, at the token's present multiplier, in 8 decimals."""
    match target.kind:
        case TargetKind.VOLUME:
            return _at_least_nothing(target.value - progress.bought)
        case TargetKind.COUNTED:
            return _share_ceil(target.value - progress.counted, multiplier)
        case TargetKind.POINTS:
            counted = points.counted_for(int(target.value))
            return _share_ceil(counted - target.baseline - progress.counted, multiplier)


def cycles_needed(remaining: Amount, order_size: Amount) -> int:
    """Return how many orders of about this size the rest needs."""
    if remaining <= 0:
        return 0
    size = order_size * _OVERSIZE
    return int(money.ceil_to(remaining, size) / size)


def next_spend(remaining: Amount, order_size: Amount) -> Amount:
    """Return what the next order should buy: the asked size, or the little more of an even share.

    So `cycles_needed` orders reach the target, and the last one takes all that is left.
    """
    needed = cycles_needed(remaining, order_size)
    return remaining if needed <= 1 else max(order_size, _share_ceil(remaining, needed))


def _share_ceil(value: Decimal, parts: int) -> Amount:
    raised = money.ceil_to(_at_least_nothing(value), money.unit(8) * parts)
    return Amount(money.quotient_floor(raised, Decimal(parts), 8))


def _at_least_nothing(value: Decimal) -> Amount:
    return Amount(max(value, _NOTHING))
