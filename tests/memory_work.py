"""One transaction of the ledger in memory: the port `Work` over values."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from oto.domain.account import AssetWallets
from oto.domain.cycle import Cycle, CycleId, CyclePhase, concluded
from oto.domain.decisions import View
from oto.domain.events import EventKind
from oto.domain.job import Job, JobEvent, Progress, Reason
from oto.domain.job import after as job_after
from oto.domain.leg import Leg, LegId, LegKind, LegState
from oto.domain.market import SymbolRules
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import ExecutionReport, LimitOrder, OrderId, OrderRow, OtoOrder
from oto.domain.planning import Fingerprint
from oto.domain.pricing.profiles import CROSS
from oto.domain.reports import applied, as_row
from oto.domain.risk.verdict import Balance, Permission, Situation
from oto.domain.tick import Tick
from oto.domain.tokens import TokenInfo

_NOTHING = Decimal(0)
_NEVER_PLACED = frozenset({LegState.REFUSED, LegState.DISCARDED})


@dataclass(frozen=True, slots=True)
class State:
    """All that would be in the database; times of `due_at` and `leased_until` are its clock's."""

    job: Job
    epoch: int = 0
    cycles: tuple[Cycle, ...] = ()
    balance: Balance | None = None
    terms: bool | None = None
    halted: str | None = None
    detail: str = ""
    due_at: datetime | None = None
    leased_until: datetime | None = None
    early: tuple[ExecutionReport, ...] = ()
    """Reports of orders that were not known to be ours when they came."""
    told: frozenset[int] = frozenset()
    """Event ids of all reports that came."""

    @property
    def unfinished(self) -> Cycle | None:
        return next((one for one in reversed(self.cycles) if not one.finished), None)

    @property
    def legs(self) -> Iterator[Leg]:
        return (leg for cycle in self.cycles for leg in cycle.legs)

    def with_cycle(self, cycle: Cycle) -> "State":
        others = (cycle if one.cycle_id == cycle.cycle_id else one for one in self.cycles)
        return replace(self, cycles=tuple(others))

    def with_end(self, event: JobEvent, reason: Reason | None, detail: str) -> "State":
        """Return the state after the job has left the loop."""
        job = replace(self.job, state=job_after(self.job.state, event), reason=reason)
        return replace(self, job=job, detail=detail, leased_until=None)


@dataclass(frozen=True, slots=True)
class Listed:
    """What the catalog has of the symbol."""

    rules: SymbolRules
    token: TokenInfo


@dataclass(slots=True)
class MemoryWork:
    """One transaction: what it changes is kept by the ledger if its block ends well."""

    state: State
    listed: Listed
    now: datetime
    tick: Tick | None
    database_now: datetime
    events: list[tuple[EventKind, dict[str, object]]] = field(default_factory=list)
    _cycle_id: CycleId | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        unfinished = self.state.unfinished
        self._cycle_id = None if unfinished is None else unfinished.cycle_id

    @property
    def job(self) -> Job:
        return self.state.job

    @property
    def cycle(self) -> Cycle | None:
        """The cycle that was unfinished when the transaction began, or was planned in it."""
        return next((one for one in self.state.cycles if one.cycle_id == self._cycle_id), None)

    @property
    def rules(self) -> SymbolRules | None:
        return self.listed.rules

    def view(self) -> View:
        bought = Amount(sum((cycle.bought for cycle in self.state.cycles), _NOTHING))
        multiplier = self.listed.token.multiplier or 1
        return View(
            job=self.job,
            progress=Progress(bought, Amount(bought * multiplier), len(self.state.cycles)),
            cycle=self.cycle,
            situation=Situation(
                now=self.now,
                profile=CROSS,
                tick=self.tick,
                rules=self.listed.rules,
                token=self.listed.token,
                balance=self.state.balance,
                permission=Permission(self.state.halted, self.state.terms),
            ),
            taken=self.taken(),
        )

    def taken(self) -> frozenset[Fingerprint]:
        """Return the fingerprints of orders whose id is not known, and that may have been sent."""
        return frozenset(
            (leg.price, leg.quantity)
            for leg in self.state.legs
            if leg.kind is not LegKind.PENDING
            and leg.order_id is None
            and leg.state not in _NEVER_PLACED
        )

    def plan(self, order: OtoOrder) -> Cycle:
        number = len(self.state.cycles) + 1
        legs = (
            self._leg(1, LegKind.WORKING, order.working_price, order.working_quantity),
            self._leg(2, LegKind.PENDING, order.pending_price, Quantity(_NOTHING)),
        )
        cycle = Cycle(CycleId(number), number, CyclePhase.PLANNED, legs, self.now, self.now)
        self.state = replace(self.state, cycles=(*self.state.cycles, cycle))
        self._cycle_id = cycle.cycle_id
        return cycle

    def plan_exit(self, order: LimitOrder) -> Leg:
        cycle = self._required()
        leg = self._leg(1, LegKind.EXIT, order.price, order.quantity)
        longer = replace(cycle, legs=(*cycle.legs, leg), rung=cycle.rung + 1)
        self.state = self.state.with_cycle(longer)
        return leg

    def save(self, cycle: Cycle) -> None:
        self.state = self.state.with_cycle(concluded(cycle, self.listed.rules, self.now))

    def apply_waiting_reports(self) -> None:
        cycle = self._required()
        known = [one for one in self.state.early if cycle.leg_of(one.order_id) is not None]
        early = tuple(one for one in self.state.early if one not in known)
        for report in sorted(known, key=lambda one: one.event_id):
            cycle = applied(cycle, report)
        self.state = replace(self.state, early=early)
        self.save(cycle)

    def halted(self) -> str | None:
        return self.state.halted

    def reported(self) -> Sequence[OrderRow]:
        early = sorted(self.state.early, key=lambda one: one.event_id)
        return [as_row(report) for report in early]

    def owned(self) -> Collection[OrderId]:
        return {leg.order_id for leg in self.state.legs if leg.order_id is not None}

    def called_absent(self) -> Sequence[Leg]:
        absent = (leg for leg in self.state.legs if leg.state is LegState.ABSENT)
        return [leg for leg in absent if leg.kind is not LegKind.PENDING]

    def save_account(self, wallets: AssetWallets, read_at: datetime, *, terms: bool) -> None:
        balance = Balance(Amount(wallets.funding.free), read_at)
        self.state = replace(self.state, balance=balance, terms=terms)

    def forget_account(self) -> None:
        self.state = replace(self.state, balance=None, terms=None)

    def roll_day(self, day: date) -> None:
        target = replace(self.job.target, day=day, baseline=Amount(_NOTHING))
        self.state = replace(self.state, job=replace(self.job, target=target))

    def sleep(self, until: datetime, reason: Reason | None, detail: str) -> None:
        event = JobEvent.GO_ON if reason is None else JobEvent.WAIT
        due_at = self.database_now + max(until - self.now, timedelta(0))
        self.state = replace(self.state.with_end(event, reason, detail), due_at=due_at)

    def end(self, event: JobEvent, reason: Reason | None, detail: str) -> None:
        self.state = self.state.with_end(event, reason, detail)

    def forget_reason(self) -> None:
        """Keep it: nothing is written off here."""

    def note(self, kind: EventKind, **body: object) -> None:
        self.events.append((kind, body))

    def _required(self) -> Cycle:
        cycle = self.cycle
        if cycle is None:
            raise LookupError("there is no unfinished cycle")
        return cycle

    def _leg(self, above: int, kind: LegKind, price: Price, quantity: Quantity) -> Leg:
        return Leg(LegId(len(list(self.state.legs)) + above), kind, price, quantity)
