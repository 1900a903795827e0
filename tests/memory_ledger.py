"""A ledger in memory: the ports `Ledger` and `Work` over values, one job, no database."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from oto.application.ports import FencedError, Turn, Wake, Work
from oto.domain.account import AssetWallets
from oto.domain.cycle import Cycle, CycleId, CyclePhase, concluded
from oto.domain.decisions import View
from oto.domain.events import EventKind
from oto.domain.job import ACTIVE, Job, JobEvent, Progress, Reason, UserId
from oto.domain.job import after as job_after
from oto.domain.leg import Leg, LegId, LegKind, LegState
from oto.domain.market import SymbolRules
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import ExecutionReport, LimitOrder, OrderId, OrderRow, OtoOrder
from oto.domain.pricing.profiles import CROSS
from oto.domain.reports import applied, as_row
from oto.domain.risk.verdict import Balance, Permission, Situation
from oto.domain.tick import Tick
from tests.builders import rules, token
from tests.properties.pure_exchange import Killed

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class State:
    """All that would be in the database."""

    job: Job
    epoch: int = 0
    cycles: tuple[Cycle, ...] = ()
    balance: Balance | None = None
    terms: bool | None = None
    halted: str | None = None
    due_at: datetime | None = None
    early: tuple[ExecutionReport, ...] = ()
    """Reports of orders that were not known to be ours when they came."""

    @property
    def unfinished(self) -> Cycle | None:
        return next((one for one in self.cycles if not one.finished), None)

    @property
    def legs(self) -> Iterator[Leg]:
        return (leg for cycle in self.cycles for leg in cycle.legs)

    def with_cycle(self, cycle: Cycle) -> "State":
        others = (cycle if one.cycle_id == cycle.cycle_id else one for one in self.cycles)
        return replace(self, cycles=tuple(others))


@dataclass(slots=True)
class MemoryLedger:
    """Holds the state; `commits_left` is after how many commits the process is killed."""

    state: State
    commits_left: int | None = None

    def claim(self, wake: Wake) -> Turn | None:
        job = self.state.job
        if wake.epoch != self.state.epoch or job.state not in ACTIVE:
            return None
        self.state = replace(self.state, epoch=wake.epoch + 1)
        return Turn(job.job_id, self.state.epoch, job.user_id, job.symbol)

    def let_go(self, turn: Turn) -> None:
        """Keep no lease: the next claim has the right at once."""

    @contextmanager
    def work(self, turn: Turn, now: datetime, tick: Tick | None) -> Iterator[Work]:
        if turn.epoch != self.state.epoch:
            raise FencedError
        work = MemoryWork(self.state, now, tick)
        yield work
        self.state = work.state
        if self.commits_left is not None:
            self.commits_left -= 1
            if self.commits_left <= 0:
                self.commits_left = None
                raise Killed

    def take_report(
        self, user_id: UserId, report: ExecutionReport, received_at: datetime
    ) -> Wake | None:
        del user_id
        for cycle in self.state.cycles:
            if cycle.leg_of(report.order_id) is not None:
                found = concluded(applied(cycle, report), rules(), received_at)
                self.state = self.state.with_cycle(found)
                return self.wake()
        self.state = replace(self.state, early=(*self.state.early, report))
        return None

    def wake(self) -> Wake:
        """Return a wake-up that is not stale."""
        return Wake(self.state.job.job_id, self.state.epoch)

    def wake_after_gap(self, user_id: UserId) -> Sequence[Wake]:
        del user_id
        return [self.wake()]

    def prune(self) -> int:
        return 0

    def due(self, most: int) -> Sequence[Wake]:
        return [self.wake()][:most]


@dataclass(slots=True)
class MemoryWork:
    """One transaction: what it changes is kept by the ledger if its block ends well."""

    state: State
    now: datetime
    tick: Tick | None
    events: list[EventKind] = field(default_factory=list)

    @property
    def job(self) -> Job:
        return self.state.job

    @property
    def cycle(self) -> Cycle | None:
        return self.state.unfinished

    @property
    def rules(self) -> SymbolRules | None:
        return rules()

    def view(self) -> View:
        bought = Amount(sum((cycle.bought for cycle in self.state.cycles), _NOTHING))
        return View(
            job=self.job,
            progress=Progress(bought, bought),
            cycle=self.cycle,
            situation=Situation(
                now=self.now,
                profile=CROSS,
                tick=self.tick,
                rules=rules(),
                token=token(),
                balance=self.state.balance,
                permission=Permission(self.state.halted, self.state.terms),
            ),
            taken=frozenset(
                (leg.price, leg.quantity)
                for leg in self.state.legs
                if leg.kind is not LegKind.PENDING
                and leg.order_id is None
                and leg.state not in {LegState.REFUSED, LegState.DISCARDED}
            ),
        )

    def plan(self, order: OtoOrder) -> Cycle:
        number = len(self.state.cycles) + 1
        legs = (
            self._leg(1, LegKind.WORKING, order.working_price, order.working_quantity),
            self._leg(2, LegKind.PENDING, order.pending_price, Quantity(_NOTHING)),
        )
        cycle = Cycle(CycleId(number), number, CyclePhase.PLANNED, legs, self.now, self.now)
        self.state = replace(self.state, cycles=(*self.state.cycles, cycle))
        return cycle

    def plan_exit(self, order: LimitOrder) -> Leg:
        cycle = self._required()
        leg = self._leg(1, LegKind.EXIT, order.price, order.quantity)
        longer = replace(cycle, legs=(*cycle.legs, leg), rung=cycle.rung + 1)
        self.state = self.state.with_cycle(longer)
        return leg

    def save(self, cycle: Cycle) -> None:
        self.state = self.state.with_cycle(concluded(cycle, rules(), self.now))

    def apply_waiting_reports(self) -> None:
        cycle = self._required()
        known = [one for one in self.state.early if cycle.leg_of(one.order_id) is not None]
        early = tuple(one for one in self.state.early if one not in known)
        for report in known:
            cycle = applied(cycle, report)
        self.state = replace(self.state, early=early)
        self.save(cycle)

    def halted(self) -> str | None:
        return self.state.halted

    def reported(self) -> Sequence[OrderRow]:
        return [as_row(report) for report in self.state.early]

    def owned(self) -> Collection[OrderId]:
        return {leg.order_id for leg in self.state.legs if leg.order_id is not None}

    def save_account(self, wallets: AssetWallets, read_at: datetime, *, terms: bool) -> None:
        balance = Balance(Amount(wallets.funding.free), read_at)
        self.state = replace(self.state, balance=balance, terms=terms)

    def forget_account(self) -> None:
        self.state = replace(self.state, balance=None, terms=None)

    def roll_day(self, day: date) -> None:
        target = replace(self.job.target, day=day, baseline=Amount(_NOTHING))
        self.state = replace(self.state, job=replace(self.job, target=target))

    def sleep(self, until: datetime, reason: Reason | None, detail: str) -> None:
        self._change(JobEvent.GO_ON if reason is None else JobEvent.WAIT, reason)
        self.state = replace(self.state, due_at=until)
        del detail

    def end(self, event: JobEvent, reason: Reason | None, detail: str) -> None:
        del detail
        self._change(event, reason)

    def note(self, kind: EventKind, **body: object) -> None:
        del body
        self.events.append(kind)

    def _change(self, event: JobEvent, reason: Reason | None) -> None:
        job = replace(self.job, state=job_after(self.job.state, event), reason=reason)
        self.state = replace(self.state, job=job)

    def _required(self) -> Cycle:
        cycle = self.cycle
        if cycle is None:
            raise LookupError("there is no unfinished cycle")
        return cycle

    def _leg(self, above: int, kind: LegKind, price: Price, quantity: Quantity) -> Leg:
        return Leg(LegId(len(list(self.state.legs)) + above), kind, price, quantity)
