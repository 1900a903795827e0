"""Halts trading: a fence in the ledger, then every order cancelled, then what is left (TRADING §6).

It needs the ledger and the exchange only. The fence is raised in one transaction; from then on no
*sending* is committed. It stands once no order that was under way can reach the exchange any more.
"""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

import structlog

from oto.application.decision_log import recorded
from oto.application.ports import (
    Clock,
    Exchanges,
    FencedError,
    MarketData,
    NoCredentialsError,
    Turn,
    Work,
)
from oto.application.reasons import trouble
from oto.application.recovering import recover
from oto.application.steps import ANSWER_WITHIN_S, SEND_WITHIN_S, Steps
from oto.domain.cycle import Cycle
from oto.domain.decisions import Decision, End, Park, Sleep
from oto.domain.errors import ExchangeError, SentenceError
from oto.domain.halting import Scope, out_of_the_market, stays_parked, under_halt
from oto.domain.job import NEEDS_HUMAN, JobEvent, JobId, Reason, UserId
from oto.domain.market import Symbol
from oto.domain.money import Quantity
from oto.domain.orders import OrderId
from oto.domain.tick import Tick

POST_WITHIN_S = SEND_WITHIN_S + ANSWER_WITHIN_S
"""After *sending* a POST begins within the one and is over within the other."""

_LOOK_EVERY_S = 0.05
_LONGEST_PAUSE_S = 0.5
_MOST_AT_ONCE = 16
_NOTHING = Quantity(Decimal(0))

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fence:
    halt_id: int
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class Affected:
    """A job with an unfinished cycle."""

    job_id: JobId
    user_id: UserId
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Left:
    """What a halt left of one job: the orders that may be open, the base that is held, and why."""

    job: Affected
    open_orders: tuple[OrderId, ...]
    exposure: Quantity
    why: str

    @property
    def flat(self) -> bool:
        return not self.open_orders and not self.exposure and not self.why


@dataclass(frozen=True, slots=True)
class Account:
    """What the exchange shows of a user after a halt; `problem` is why it could not be read."""

    user_id: UserId
    open_ours: int = 0
    open_others: int = 0
    usdt_free: Decimal | None = None
    problem: str = ""


class Halts(Protocol):
    def raise_fence(self, scope: Scope, why: str) -> Fence: ...

    def under_way(self, scope: Scope, since: datetime) -> int:
        """Return how many orders may be on their way: sent, and their sender has not told more.

        One whose sender was overtaken counts if it was sent since then.
        """

    def stand(self, fence: Fence) -> datetime: ...

    def affected(self, scope: Scope) -> Sequence[Affected]: ...

    def known(self, user_id: UserId, order_ids: Collection[OrderId]) -> int:
        """Return how many of these orders are known to be ours."""


class Seizing(Protocol):
    """The half of the ledger that takes a job over, whatever its state."""

    def seize(self, job_id: JobId, *, from_others: bool) -> Turn | None:
        """Take the next turn of a job in any state, if asked even from a process that has one."""

    def work(
        self, turn: Turn, now: datetime, tick: Tick | None
    ) -> AbstractContextManager[Work]: ...

    def give_back(self, turn: Turn) -> None:
        """End a seized turn; an active job is due at once."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Halts trading; made for one command. `pause` waits so many seconds."""

    halts: Halts
    ledger: Seizing
    market: MarketData
    exchanges: Exchanges
    clock: Clock
    pause: Callable[[float], None]

    def raise_fence(self, scope: Scope, why: str) -> Fence:
        """Let no order pass from now on."""
        return self.halts.raise_fence(scope, why)

    def wait_until_it_stands(self, scope: Scope, fence: Fence) -> datetime:
        """Wait for orders under way, and return since when none can reach the exchange."""
        deadline = self.clock.monotonic() + POST_WITHIN_S
        while self._under_way(scope) and self.clock.monotonic() < deadline:
            self.pause(_LOOK_EVERY_S)
        return self.halts.stand(fence)

    def _under_way(self, scope: Scope) -> int:
        return self.halts.under_way(scope, self.clock.now() - timedelta(seconds=POST_WITHIN_S))

    def clear(
        self, jobs: Sequence[Affected], most_slip_bps: int | None, within_s: float
    ) -> list[Left]:
        """Cancel the orders of these jobs and, with a slip, sell what they hold."""
        deadline = self.clock.monotonic() + within_s
        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            return list(pool.map(lambda job: self._clear(job, most_slip_bps, deadline), jobs))

    def accounts(self, user_ids: Collection[UserId]) -> list[Account]:
        """Read what the exchange shows of these users now."""
        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            return list(pool.map(self._account, user_ids))

    def _account(self, user_id: UserId) -> Account:
        try:
            exchange = self.exchanges.of(user_id)
            shown = {row.order_id for row in exchange.open_orders()}
            free = exchange.usdt_wallets().funding.free
        except NoCredentialsError:
            return Account(user_id, problem=Reason.NO_CREDENTIALS.words)
        except ExchangeError as error:
            return Account(user_id, problem=trouble(error).reason.words)
        except SentenceError as error:
            return Account(user_id, problem=str(error))
        ours = self.halts.known(user_id, shown)
        return Account(user_id, ours, len(shown) - ours, free)

    def _clear(self, job: Affected, most_slip_bps: int | None, deadline: float) -> Left:
        try:
            return self._cleared(job, most_slip_bps, deadline)
        except FencedError:
            why = "another command has taken the job over"
        except SentenceError as error:
            why = str(error)
        except Exception:  # noqa: BLE001 - it must not hide what became of the other jobs
            _log.exception("job_not_cleared", job=job.job_id)
            why = Reason.FAULT.words
        return Left(job, (), _NOTHING, why)

    def _cleared(self, job: Affected, most_slip_bps: int | None, deadline: float) -> Left:
        turn = self.ledger.seize(job.job_id, from_others=True)
        if turn is None:
            return Left(job, (), _NOTHING, "the job is gone")
        clearing = _Clearing(self, turn, most_slip_bps)
        try:
            why = clearing.run(deadline)
            return _left(job, clearing.cycle(), why)
        finally:
            self.ledger.give_back(clearing.turn)


class _Clearing:
    """One job on its way out of the market."""

    def __init__(self, halt: Halt, turn: Turn, most_slip_bps: int | None) -> None:
        self._halt = halt
        self._slip = most_slip_bps
        self._kept = False
        self._take(turn)

    def _take(self, turn: Turn) -> None:
        halt, self.turn = self._halt, turn
        self._steps = Steps(
            turn, halt.exchanges, halt.clock, self._open, lambda: None, exits_pass_halts=True
        )

    def cycle(self) -> Cycle | None:
        with self._open() as work:
            return work.cycle

    def run(self, deadline: float) -> str:
        """Go on until nothing is left to do; return why something is left, empty if nothing is."""
        with self._open() as work:
            recover(work)
        why = "time is up"
        while self._halt.clock.monotonic() < deadline:
            try:
                decision = self._step()
            except NoCredentialsError:
                return Reason.NO_CREDENTIALS.words
            except ExchangeError as error:
                met = trouble(error)
                why = f"{met.reason.words}: {met.detail}"
                if met.reason in NEEDS_HUMAN:
                    return why
                self._halt.pause(min(met.pause_s, _LONGEST_PAUSE_S))
                continue
            if (ended := self._ended(decision)) is not None:
                return ended
            if isinstance(decision, Sleep):
                why = _words(decision) or why
                self._sleep(decision)
        return why

    def _step(self) -> Decision | None:
        """Take the next decision and do it; None if there is nothing left to do."""
        leg = None
        with self._open(self._tick()) as work:
            cycle = work.cycle
            if cycle is None or (self._slip is None and out_of_the_market(cycle)):
                return None
            self._kept = stays_parked(under_halt(work.view(), self._slip), cycle)
            decision = recorded(work, lambda view: under_halt(view, self._slip))
            if not isinstance(decision, Sleep | End):
                leg = self._steps.intend(work, decision)
        if isinstance(decision, Sleep | End) or self._steps.carry_out(decision, leg):
            return decision
        return self._go_on(decision)

    def _go_on(self, decision: Decision) -> Decision:
        """Take the job again, whose turn ended by calling for a human, if more can be done."""
        turn = self._halt.ledger.seize(self.turn.job_id, from_others=False)
        if turn is None:
            raise FencedError
        self._take(turn)
        cycle = self.cycle()
        if cycle is not None and next(cycle.unresolved(), None) is not None:
            return End(JobEvent.NEED_HUMAN, Reason.AMBIGUOUS)
        return decision

    def _ended(self, decision: Decision | None) -> str | None:
        """Return why a decision ends the clearing, empty if all is done, None if it goes on."""
        if decision is None:
            return ""
        if isinstance(decision, Park | End) or (isinstance(decision, Sleep) and self._kept):
            return _words(decision)
        return None

    def _sleep(self, decision: Sleep) -> None:
        seconds = (decision.until - self._halt.clock.now()).total_seconds()
        self._halt.pause(min(max(seconds, _LOOK_EVERY_S), _LONGEST_PAUSE_S))

    def _tick(self) -> Tick | None:
        """Read the price only if something is to be sold: no cancel waits for it."""
        cycle = self.cycle()
        if self._slip is None or cycle is None or not out_of_the_market(cycle):
            return None
        return self._halt.market.read(self.turn.symbol)

    def _open(self, tick: Tick | None = None) -> AbstractContextManager[Work]:
        return self._halt.ledger.work(self.turn, self._halt.clock.now(), tick)


def _words(decision: Park | End | Sleep) -> str:
    words = "" if decision.reason is None else decision.reason.words
    return f"{words}: {decision.detail}" if decision.detail else words


def _left(job: Affected, cycle: Cycle | None, why: str) -> Left:
    if cycle is None:
        return Left(job, (), _NOTHING, why)
    maybe_open = (leg.order_id for leg in cycle.legs if not leg.final)
    ids = tuple(order_id for order_id in maybe_open if order_id is not None)
    return Left(job, ids, cycle.exposure, why)
