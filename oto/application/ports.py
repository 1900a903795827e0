"""What the application needs of the world, as it wants to see it."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from oto.domain.account import AlphaHolding, AssetWallets
from oto.domain.cycle import Cycle
from oto.domain.decisions import View
from oto.domain.errors import SentenceError
from oto.domain.events import EventKind
from oto.domain.job import Job, JobEvent, JobId, Reason, UserId
from oto.domain.leg import Leg, LegFill
from oto.domain.market import AlphaId, Symbol, SymbolRules
from oto.domain.money import Amount
from oto.domain.orders import (
    ExecutionReport,
    LimitOrder,
    OrderId,
    OrderRow,
    OtoOrder,
    PlacedOto,
)
from oto.domain.risk.verdict import Approved
from oto.domain.tick import Tick


class FencedError(Exception):
    """Another turn has taken the job over; nothing of this one may be written any more."""


class LedgerUnavailableError(SentenceError):
    """The database cannot be reached or broke off; whether the last write took is not known."""


class NoCredentialsError(Exception):
    """The user has no headers and cookies stored."""


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the time, aware UTC."""

    def monotonic(self) -> float:
        """Return seconds that only go forward."""


@dataclass(frozen=True, slots=True)
class Wake:
    """A message that a job may have something to do; worthless once the epoch has moved on."""

    job_id: JobId
    epoch: int


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to advance a job until the lease ends or another turn begins."""

    job_id: JobId
    epoch: int
    user_id: UserId
    symbol: Symbol


class Dispatcher(Protocol):
    def wake(self, wake: Wake, delay_s: float = 0) -> None:
        """Send a wake-up; it may be lost or doubled."""


class MarketData(Protocol):
    def read(self, symbol: Symbol) -> Tick | None:
        """Return the latest tick, None where nothing is known."""


class Exchange(Protocol):
    """The exchange as one user sees it; every call may raise an ExchangeError.

    A write is sent at most once: OutcomeUnknownError means that it may have had its effect, any
    other error that it had none.
    """

    def place_oto(self, approved: Approved[OtoOrder], may_send: Callable[[], bool]) -> PlacedOto:
        """Send an OTO if `may_send`, asked at the last moment, allows it."""

    def place_exit(self, approved: Approved[LimitOrder], may_send: Callable[[], bool]) -> OrderId:
        """Send a SELL if `may_send`, asked at the last moment, allows it."""

    def cancel(self, symbol: Symbol, order_id: OrderId) -> None: ...

    def open_orders(self) -> Sequence[OrderRow]: ...

    def closed_orders(
        self, base_asset: AlphaId | None, start_at: datetime, end_at: datetime
    ) -> Sequence[OrderRow]:
        """Return orders placed in a window that are no longer new."""

    def fills(self, symbol: Symbol, order_id: OrderId) -> Sequence[LegFill]: ...

    def usdt_wallets(self) -> AssetWallets: ...

    def alpha_holdings(self) -> Sequence[AlphaHolding]: ...

    def terms_accepted(self) -> bool: ...

    def counted_today(self) -> Amount:
        """Return the counted USD of the UTC day, as the exchange has it."""


class Exchanges(Protocol):
    def of(self, user_id: UserId) -> Exchange:
        """Return a user's exchange.

        Raises:
            NoCredentialsError: nothing is stored to log in with.
        """


class Work(Protocol):
    """One transaction of a turn: the job's row is locked, and its epoch was checked."""

    @property
    def now(self) -> datetime: ...

    @property
    def job(self) -> Job: ...

    @property
    def cycle(self) -> Cycle | None:
        """The job's unfinished cycle, as it was saved last."""

    @property
    def rules(self) -> SymbolRules | None: ...

    def view(self) -> View:
        """Return all that a decision is made of."""

    def plan(self, order: OtoOrder) -> Cycle:
        """Store the intent of a new cycle."""

    def plan_exit(self, order: LimitOrder) -> Leg:
        """Store the intent of the unfinished cycle's next exit."""

    def save(self, cycle: Cycle) -> None:
        """Store what has become of the unfinished cycle."""

    def apply_waiting_reports(self) -> None:
        """Apply reports that came before their order was known to be ours."""

    def reported(self) -> Sequence[OrderRow]:
        """Return what reports say of orders of this symbol that are not known to be ours."""

    def halted(self) -> str | None:
        """Return why trading this user and symbol is halted.

        None also means that no halt will stand before what this transaction commits is over.
        """

    def owned(self) -> Collection[OrderId]:
        """Return the ids of all orders of this user and symbol that are known to be ours."""

    def called_absent(self) -> Sequence[Leg]:
        """Return the legs of this user and symbol that were called absent within the last day."""

    def save_account(self, wallets: AssetWallets, read_at: datetime, *, terms: bool) -> None: ...

    def forget_account(self) -> None:
        """Make the next decision read the account anew."""

    def roll_day(self, day: date) -> None:
        """Let a target in points count another UTC day, from nothing."""

    def sleep(self, until: datetime, reason: Reason | None, detail: str) -> None:
        """End the turn; the job is due again at that time."""

    def end(self, event: JobEvent, reason: Reason | None, detail: str) -> None:
        """End the turn and take the job out of the loop."""

    def forget_reason(self) -> None:
        """Forget why a job that is paused or has ended holds tokens: it holds none any more."""

    def note(self, kind: EventKind, **body: object) -> None:
        """Write to the job's log."""


class Ledger(Protocol):
    """The truth: what was intended, seen and concluded."""

    def claim(self, wake: Wake) -> Turn | None:
        """Take the next turn of a job, or None if the wake-up is stale or another has it."""

    def let_go(self, turn: Turn) -> None:
        """Stop to renew the turn's lease; it need not be over."""

    def work(self, turn: Turn, now: datetime, tick: Tick | None) -> AbstractContextManager[Work]:
        """Open a transaction that commits at the block's end.

        Raises:
            FencedError: the turn is over.
        """

    def take_report(
        self, user_id: UserId, report: ExecutionReport, received_at: datetime
    ) -> Wake | None:
        """Store and apply a report, once; return a wake-up if the job has something to do now."""

    def wake_after_gap(self, user_id: UserId) -> Sequence[Wake]:
        """Make every unfinished cycle of a user be read from the exchange at once."""

    def prune(self) -> int:
        """Drop reports applied days ago and logs of jobs long ended; return how many."""

    def due(self, most: int) -> Sequence[Wake]:
        """Return wake-ups of jobs whose time is there and whom no turn has."""


class Seizing(Protocol):
    """The half of the ledger that takes a job over, whatever its state."""

    def seize(self, job_id: JobId, *, from_others: bool) -> Turn | None:
        """Take the next turn of a job in any state, if asked even from a process that has one."""

    def work(
        self, turn: Turn, now: datetime, tick: Tick | None
    ) -> AbstractContextManager[Work]: ...

    def give_back(self, turn: Turn) -> None:
        """End a seized turn; an active job is due at once."""
