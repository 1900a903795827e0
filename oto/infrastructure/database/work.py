"""One transaction of a turn: everything under the lock of the job's row."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from models import (
    BalanceRow,
    CycleRow,
    JobRow,
    TokenRow,
    UserRow,
)
from models import OrderRow as LegRow
from oto.domain.account import AssetWallets
from oto.domain.cycle import Cycle, CyclePhase
from oto.domain.decisions import View
from oto.domain.events import EventKind
from oto.domain.job import ACTIVE as ACTIVE_JOBS
from oto.domain.job import FINISHED as FINISHED_JOBS
from oto.domain.job import Job, JobEvent, JobState, Reason
from oto.domain.job import after as job_after
from oto.domain.leg import Leg, LegKind, LegState
from oto.domain.money import Price, Quantity
from oto.domain.orders import LimitOrder, OrderId, OrderRow, OtoOrder
from oto.domain.planning import Fingerprint
from oto.domain.pricing.profiles import PROFILES
from oto.domain.risk.verdict import Balance, Permission, Situation
from oto.domain.tick import Tick
from oto.infrastructure.database import cycles, event_log, halts, job_figures, mapping
from oto.infrastructure.database.cycles import FINISHED_PHASES, CycleStore
from oto.infrastructure.database.wallets import balance_of, save_wallets

_FINGERPRINTS_FOR = timedelta(hours=24)
_ORDERING = frozenset({CyclePhase.EXITING, CyclePhase.PARKED})
"""Phases in which a cycle places one order after the other."""
_KEPT_STILL = frozenset({JobState.PAUSED.value, *(state.value for state in FINISHED_JOBS)})
"""States of jobs that nobody waits for."""

_NOTHING = Decimal(0)


class JobWork:
    """What a turn may read and write; the caller commits."""

    def __init__(
        self, session: Session, row: JobRow, now: datetime, tick: Tick | None, *, live: bool
    ) -> None:
        self._session = session
        self._row = row
        self._tick = tick
        self._live = live
        self.now = now
        self._store = cycles.unfinished(session, row.id)
        token = session.get(TokenRow, row.symbol)
        self._token = None if token is None else mapping.token_of(token)
        self.rules = None if token is None else mapping.rules_of(token)

    @property
    def job(self) -> Job:
        return mapping.job_of(self._row)

    @property
    def cycle(self) -> Cycle | None:
        return None if self._store is None else self._store.cycle

    def view(self) -> View:
        cycle = self.cycle
        between = cycle is None or cycle.finished
        places = cycle is None or cycle.finished or cycle.phase in _ORDERING
        return View(
            job=self.job,
            progress=job_figures.progress_of(self._session, self._row) if between else None,
            cycle=cycle,
            situation=self._situation(balance_of(self._session, self._row) if between else None),
            taken=self._taken() if places else frozenset(),
            held_elsewhere=between and self._held_elsewhere(),
        )

    def plan(self, order: OtoOrder) -> Cycle:
        number = self._session.scalar(
            select(func.count()).select_from(CycleRow).where(CycleRow.job_id == self._row.id)
        )
        row = CycleRow(
            job_id=self._row.id,
            user_id=self._row.user_id,
            symbol=self._row.symbol,
            number=(number or 0) + 1,
            phase=CyclePhase.PLANNED.value,
            phase_since=self.now,
            planned_at=self.now,
            multiplier=(self._token.multiplier if self._token is not None else None) or 1,
            rung=0,
        )
        self._session.add(row)
        self._session.flush()
        self._store = store = CycleStore(self._session, row, ())
        store.add_order(self._order(LegKind.WORKING, order.working_price, order.working_quantity))
        store.add_order(self._order(LegKind.PENDING, order.pending_price, Quantity(_NOTHING)))
        return store.cycle

    def plan_exit(self, order: LimitOrder) -> Leg:
        store = self._required()
        store.row.rung += 1
        return store.add_order(self._order(LegKind.EXIT, order.price, order.quantity))

    def save(self, cycle: Cycle) -> None:
        store = self._required()
        before = store.cycle.phase
        store.save(cycle, self.rules, self.now)
        self._note_phase(before)

    def apply_waiting_reports(self) -> None:
        store = self._required()
        before = store.cycle
        reports = store.apply_waiting(self.rules, self.now)
        for report in reports:
            self.note(EventKind.REPORT_APPLIED, **event_log.told(report))
        self._note_phase(before.phase)

    def reported(self) -> Sequence[OrderRow]:
        return cycles.waiting_rows(self._session, self._row.user_id, self._row.symbol)

    def halted(self) -> str | None:
        return halts.at_the_fence(self._session, self._row.user_id, self._row.symbol)

    def owned(self) -> Collection[OrderId]:
        found = self._session.scalars(
            select(LegRow.order_id).where(
                LegRow.user_id == self._row.user_id,
                LegRow.symbol == self._row.symbol,
                LegRow.order_id.is_not(None),
            )
        )
        return {OrderId(order_id) for order_id in found if order_id is not None}

    def called_absent(self) -> Sequence[Leg]:
        rows = self._session.scalars(
            select(LegRow).where(
                LegRow.user_id == self._row.user_id,
                LegRow.symbol == self._row.symbol,
                LegRow.planned_at > self.now - _FINGERPRINTS_FOR,
                LegRow.kind != LegKind.PENDING.value,
                LegRow.state == LegState.ABSENT.value,
            )
        )
        return [mapping.leg_of(row) for row in rows]

    def save_account(self, wallets: AssetWallets, read_at: datetime, *, terms: bool) -> None:
        save_wallets(self._session, self._row.user_id, wallets, read_at)
        self._set_terms(terms)
        self.note(EventKind.ACCOUNT_READ, funding=wallets.funding.free, terms=terms)

    def forget_account(self) -> None:
        self._session.execute(
            delete(BalanceRow).where(
                BalanceRow.user_id == self._row.user_id, BalanceRow.wallet == "funding"
            )
        )
        self._set_terms(None)

    def roll_day(self, day: date) -> None:
        self._row.target_day = day
        self._row.target_baseline = _NOTHING
        self.note(EventKind.DAY_ROLLED, day=day)

    def sleep(self, until: datetime, reason: Reason | None, detail: str) -> None:
        self._change(JobEvent.GO_ON if reason is None else JobEvent.WAIT, reason, detail)
        self._row.waits_until = None if reason is None else until
        self._release()
        self._session.flush()
        # By the clock that claims compare it with.
        self._session.execute(
            update(JobRow)
            .where(JobRow.id == self._row.id)
            .values(due_at=func.now() + (until - self.now))
        )

    def end(self, event: JobEvent, reason: Reason | None, detail: str) -> None:
        self._change(event, reason, detail)
        self._row.waits_until = None
        if JobState(self._row.state) in FINISHED_JOBS:
            self._row.ended_at = self.now
        self._release()

    def forget_reason(self) -> None:
        if self._row.state in _KEPT_STILL:
            self._row.reason, self._row.detail = None, ""

    def note(self, kind: EventKind, **body: object) -> None:
        cycle_id = None if self._store is None else self._store.row.id
        event_log.append(self._session, self._row, kind, body, at=self.now, cycle_id=cycle_id)

    def _change(self, event: JobEvent, reason: Reason | None, detail: str) -> None:
        if JobState(self._row.state) not in ACTIVE_JOBS:
            # A job that was seized where it stands stays there; its log says what was met.
            self.note(EventKind.MET, reason=reason, detail=detail)
            return
        before = self._row.state, self._row.reason
        self._row.state = job_after(JobState(self._row.state), event).value
        self._row.reason = None if reason is None else reason.name
        self._row.detail = detail
        if (self._row.state, self._row.reason) != before:
            self.note(
                EventKind.JOB_CHANGED, state=self._row.state, reason=self._row.reason, detail=detail
            )

    def _note_phase(self, before: CyclePhase) -> None:
        cycle = self._required().cycle
        # Of the sending there is a note of its own.
        if cycle.phase not in {before, CyclePhase.SENDING}:
            self.note(EventKind.CYCLE_CHANGED, **event_log.changed(before, cycle))

    def _release(self) -> None:
        self._row.lease_owner = None
        self._row.lease_until = None

    def _required(self) -> CycleStore:
        if self._store is None:
            raise LookupError(f"job {self._row.id} has no unfinished cycle")
        return self._store

    def _order(self, kind: LegKind, price: Price, quantity: Quantity) -> LegRow:
        return LegRow(
            cycle_id=self._required().row.id,
            user_id=self._row.user_id,
            symbol=self._row.symbol,
            kind=kind.value,
            state=LegState.PLANNED.value,
            price=price,
            quantity=quantity,
            executed=_NOTHING,
            planned_at=self.now,
            clean_reads=0,
        )

    def _situation(self, balance: Balance | None) -> Situation:
        user = self._session.get_one(UserRow, self._row.user_id)
        return Situation(
            now=self.now,
            profile=PROFILES[self._row.profile],
            tick=self._tick,
            rules=self.rules,
            token=self._token,
            balance=balance,
            permission=Permission(
                halted=halts.covering(self._session, self._row.user_id, self._row.symbol),
                terms_accepted=user.terms_accepted,
                acknowledged=not self._live or user.acknowledged_at is not None,
            ),
        )

    def _taken(self) -> frozenset[Fingerprint]:
        rows = self._session.execute(
            select(LegRow.price, LegRow.quantity).where(
                LegRow.user_id == self._row.user_id,
                LegRow.symbol == self._row.symbol,
                LegRow.planned_at > self.now - _FINGERPRINTS_FOR,
                LegRow.kind != LegKind.PENDING.value,
                # An order whose id is known, or that was never sent, is mistaken for no other.
                LegRow.order_id.is_(None),
                LegRow.state.not_in((LegState.REFUSED.value, LegState.DISCARDED.value)),
            )
        )
        return frozenset((Price(price), Quantity(quantity)) for price, quantity in rows)

    def _held_elsewhere(self) -> bool:
        if self._store is not None:
            return False
        return (
            self._session.scalar(
                select(CycleRow.id).where(
                    CycleRow.user_id == self._row.user_id,
                    CycleRow.symbol == self._row.symbol,
                    CycleRow.phase.not_in(FINISHED_PHASES),
                )
            )
            is not None
        )

    def _set_terms(self, accepted: bool | None) -> None:  # noqa: FBT001 - None: not known
        self._session.get_one(UserRow, self._row.user_id).terms_accepted = accepted
