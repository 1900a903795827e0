"""Halts trading: a fence in the ledger, then every order cancelled, then what is left (TRADING §6).

It needs the ledger and the exchange only. The fence is raised in one transaction; from then on no
*sending* is committed. It stands once no order that was under way can reach the exchange any more.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

import structlog

from oto.application.clearing import Clearing, Means
from oto.application.ports import (
    FencedError,
    NoCredentialsError,
)
from oto.application.reasons import trouble
from oto.application.steps import ANSWER_WITHIN_S, SEND_WITHIN_S
from oto.domain.cycle import Cycle
from oto.domain.errors import ExchangeError, SentenceError
from oto.domain.halting import Scope
from oto.domain.job import JobId, Reason, UserId
from oto.domain.market import Symbol
from oto.domain.money import Quantity
from oto.domain.orders import OrderId

POST_WITHIN_S = SEND_WITHIN_S + ANSWER_WITHIN_S
"""After *sending* a POST begins within the one and is over within the other."""

CLOCKS_APART_S = 5.0
"""How far the clocks of two hosts may differ, or one be set while an order is lost."""

_LOOK_EVERY_S = 0.05
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


@dataclass(frozen=True, slots=True)
class Halt:
    """Halts trading; made for one command."""

    halts: Halts
    means: Means

    def raise_fence(self, scope: Scope, why: str) -> Fence:
        """Let no order pass from now on."""
        return self.halts.raise_fence(scope, why)

    def wait_until_it_stands(self, scope: Scope, fence: Fence) -> datetime:
        """Wait for orders under way, and return since when none can reach the exchange."""
        clock = self.means.clock
        deadline = clock.monotonic() + POST_WITHIN_S
        while self._under_way(scope) and clock.monotonic() < deadline:
            self.means.pause(_LOOK_EVERY_S)
        return self.halts.stand(fence)

    def _under_way(self, scope: Scope) -> int:
        since = self.means.clock.now() - timedelta(seconds=POST_WITHIN_S + CLOCKS_APART_S)
        return self.halts.under_way(scope, since)

    def clear(
        self, jobs: Sequence[Affected], most_slip_bps: int | None, within_s: float
    ) -> list[Left]:
        """Cancel the orders of these jobs and, with a slip, sell what they hold."""
        deadline = self.means.clock.monotonic() + within_s
        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            return list(pool.map(lambda job: self._clear(job, most_slip_bps, deadline), jobs))

    def accounts(self, user_ids: Collection[UserId]) -> list[Account]:
        """Read what the exchange shows of these users now."""
        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            return list(pool.map(self._account, user_ids))

    def _account(self, user_id: UserId) -> Account:
        try:
            exchange = self.means.exchanges.of(user_id)
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
        turn = self.means.ledger.seize(job.job_id, from_others=True)
        if turn is None:
            return Left(job, (), _NOTHING, "the job is gone")
        clearing = Clearing(self.means, turn, most_slip_bps)
        try:
            why = clearing.run(deadline)
            return _left(job, clearing.cycle(), why)
        finally:
            self.means.ledger.give_back(clearing.turn)


def _left(job: Affected, cycle: Cycle | None, why: str) -> Left:
    if cycle is None:
        return Left(job, (), _NOTHING, why)
    maybe_open = (leg.order_id for leg in cycle.legs if not leg.final)
    ids = tuple(order_id for order_id in maybe_open if order_id is not None)
    return Left(job, ids, cycle.exposure, why)
