"""Jobs in the database: start them, wish something of them, show them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import CycleRow, EventRow, JobRow, TokenRow, UserRow
from oto.application.job_log import JobLog, LogEntry
from oto.application.jobs import JobNotChangedError, JobNotStartedError
from oto.application.ports import Wake
from oto.domain.cycle import Cycle
from oto.domain.errors import SentenceError
from oto.domain.events import EventKind
from oto.domain.job import (
    Job,
    JobEvent,
    JobId,
    JobState,
    Progress,
    UserId,
    Wish,
    cycles_needed,
    remaining_ceil,
)
from oto.domain.job import after as job_after
from oto.domain.leg import ImpossibleTransitionError
from oto.domain.market import Symbol
from oto.domain.money import Amount
from oto.domain.tokens import TokenInfo
from oto.domain.wear import Wear
from oto.infrastructure.database import event_log, job_figures, mapping
from oto.infrastructure.database.cycles import FINISHED_PHASES
from oto.infrastructure.database.states import ACTIVE_STATES


class UnknownJobError(SentenceError, LookupError):
    """There is no job of that number."""


@dataclass(frozen=True, slots=True)
class JobView:
    """One job as it stands, with what it has bought and what that cost.

    `cycle` is the unfinished one; `finished` counts those that bought and are over. `epoch` counts
    the turns that were begun; `in_turn` says that one is under way.
    """

    job: Job
    user: str
    token: TokenInfo | None
    detail: str
    created_at: datetime
    ended_at: datetime | None
    progress: Progress
    wear: Wear
    cycle: Cycle | None
    finished: int
    epoch: int
    in_turn: bool

    @property
    def multiplier(self) -> int:
        return (self.token.multiplier if self.token is not None else None) or 1

    @property
    def remaining(self) -> Amount:
        return remaining_ceil(self.job.target, self.progress, self.multiplier)

    @property
    def cycles_needed(self) -> int:
        return cycles_needed(self.remaining, self.job.order_size)


class Jobs:
    """The jobs of this installation."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # What is shown together was true together.
        self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ")

    def start(self, job: Job) -> Wake:
        """Store a new job as running and return its first wake-up; its id is given here.

        Raises:
            JobNotStartedError: another job of this user is active on the symbol, or holds tokens.
        """
        state = job_after(JobState.DRAFT, JobEvent.START)
        row = JobRow(
            user_id=job.user_id,
            symbol=job.symbol,
            target_kind=job.target.kind.value,
            target_value=job.target.value,
            target_baseline=job.target.baseline,
            target_day=job.target.day,
            order_size=job.order_size,
            profile=job.profile,
            most_slip_bps=job.most_slip_bps,
            state=state.value,
            wish=Wish.RUN.value,
        )
        try:
            with Session(self._engine) as session, session.begin():
                self._refuse_held(session, job.user_id, job.symbol)
                session.add(row)
                session.flush()
                event_log.append(session, row, EventKind.JOB_STARTED, {"job": job})
                return Wake(JobId(row.id), 0)
        except IntegrityError:
            raise JobNotStartedError(
                f"Another job of this user is active on {job.symbol}; stop it first."
            ) from None

    def wish(self, job_id: JobId, wish: Wish) -> Wake:
        """Note what the owner wants; the job's next turn, due now, sees to it.

        Raises:
            UnknownJobError: there is no such job.
            JobNotChangedError: the wish does not fit the job's state, or another job of this user
                is active on the symbol.
        """
        try:
            with Session(self._engine) as session, session.begin():
                row = session.scalar(select(JobRow).where(JobRow.id == job_id).with_for_update())
                if row is None:
                    raise _unknown(job_id)
                self._take_wish(session, row, wish)
                body = {"wish": wish, "state": row.state}
                event_log.append(session, row, EventKind.WISH_CHANGED, body)
                session.flush()
                session.execute(update(JobRow).where(JobRow.id == job_id).values(due_at=func.now()))
                return Wake(job_id, row.epoch)
        except IntegrityError:
            raise JobNotChangedError(
                f"Job {job_id} cannot go on: another job of its user is active on the same token; "
                "stop that first."
            ) from None

    def view(self, job_id: JobId) -> JobView:
        """Return one job.

        Raises:
            UnknownJobError: there is no such job.
        """
        found = self.views(job_ids=[job_id])
        if not found:
            raise _unknown(job_id)
        return found[0]

    def views(
        self,
        *,
        user: str | None = None,
        job_ids: Sequence[int] | None = None,
        states: Collection[JobState] | None = None,
        active: bool = False,
    ) -> list[JobView]:
        """Return jobs as they stand, newest first."""
        wanted = select(JobRow, UserRow.name, TokenRow).join(UserRow, UserRow.id == JobRow.user_id)
        wanted = wanted.outerjoin(TokenRow, TokenRow.symbol == JobRow.symbol)
        if user is not None:
            wanted = wanted.where(UserRow.name == user)
        if job_ids is not None:
            wanted = wanted.where(JobRow.id.in_(job_ids))
        if states is not None:
            wanted = wanted.where(JobRow.state.in_([state.value for state in states]))
        if active:
            wanted = wanted.where(JobRow.state.in_(ACTIVE_STATES))
        with Session(self._snapshots) as session:
            rows = session.execute(wanted.order_by(JobRow.id.desc())).all()
            return [_view(session, job, name, token) for job, name, token in rows]

    def cycles(self, job_id: JobId, newest: int | None = None) -> list[Cycle]:
        """Return every cycle of a job, or only the newest ones, oldest first."""
        with Session(self._snapshots) as session:
            found = job_figures.cycles(session, CycleRow.job_id == job_id, newest=newest)
        return found[::-1]

    def log(self, job_id: JobId, most: int | None = None) -> list[LogEntry]:
        """Return a job's log, or only its newest entries, oldest first."""
        with Session(self._engine) as session:
            return _entries(session, job_id, most)

    def whole_log(self, job_id: JobId) -> JobLog:
        """Return a job's log with what its row says of the newest entry.

        Raises:
            UnknownJobError: there is no such job.
        """
        with Session(self._snapshots) as session:
            row = session.get(JobRow, job_id)
            if row is None:
                raise _unknown(job_id)
            entries = _entries(session, job_id, None)
            return JobLog(job_id, row.log_length, row.log_hash, tuple(entries))

    def counts(self, job_ids: Sequence[int]) -> dict[str, int]:
        """Return how many log entries of each kind the jobs have."""
        with Session(self._engine) as session:
            rows = session.execute(
                select(EventRow.kind, func.count())
                .where(EventRow.job_id.in_(job_ids))
                .group_by(EventRow.kind)
            )
            return dict(rows.tuples().all())

    @staticmethod
    def _take_wish(session: Session, row: JobRow, wish: Wish) -> None:
        state = JobState(row.state)
        row.wish = wish.value
        if state.value in ACTIVE_STATES:
            return
        # Also for a pause or a stop: it takes one more turn, to get flat if it can.
        row.state, row.ended_at = _resumed(row.id, state), None
        if wish is Wish.RUN:
            row.reason, row.detail = None, ""
            # What the human changed in the browser is read anew.
            session.get_one(UserRow, row.user_id).terms_accepted = None

    @staticmethod
    def _refuse_held(session: Session, user_id: UserId, symbol: Symbol) -> None:
        held_by = session.scalar(
            select(CycleRow.job_id).where(
                CycleRow.user_id == user_id,
                CycleRow.symbol == symbol,
                CycleRow.phase.not_in(FINISHED_PHASES),
            )
        )
        if held_by is not None:
            raise JobNotStartedError(
                f"Job {held_by} of this user still has an unfinished cycle on {symbol}; "
                f"`oto job resume {held_by}` takes it up."
            )


def _entries(session: Session, job_id: int, most: int | None) -> list[LogEntry]:
    rows = session.scalars(
        select(EventRow).where(EventRow.job_id == job_id).order_by(EventRow.id.desc()).limit(most)
    ).all()
    return [
        LogEntry(row.at, row.kind, row.cycle_id, row.body, row.number, row.hash)
        for row in reversed(rows)
    ]


def _unknown(job_id: int) -> UnknownJobError:
    return UnknownJobError(f"There is no job {job_id}; `oto job list --all` shows those there are.")


def _resumed(job_id: int, state: JobState) -> str:
    try:
        return job_after(state, JobEvent.RESUME).value
    except ImpossibleTransitionError:
        raise JobNotChangedError(
            f"Job {job_id} is {state.value}; start another with `oto job start`."
        ) from None


def _view(session: Session, row: JobRow, user: str, token: TokenRow | None) -> JobView:
    unfinished = CycleRow.phase.not_in(FINISHED_PHASES)
    cycles = job_figures.cycles(session, CycleRow.job_id == row.id, unfinished)
    return JobView(
        job=mapping.job_of(row),
        user=user,
        token=None if token is None else mapping.token_of(token),
        detail=row.detail,
        created_at=row.created_at,
        ended_at=row.ended_at,
        progress=job_figures.progress_of(session, row),
        wear=job_figures.wear_of(session, row.id),
        cycle=cycles[0] if cycles else None,
        finished=job_figures.finished_cycles(session, row.id),
        epoch=row.epoch,
        in_turn=row.lease_owner is not None,
    )
