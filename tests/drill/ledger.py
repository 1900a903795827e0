"""The ledger in memory, with what can strike between and around its transactions."""

from dataclasses import dataclass, replace

from oto.application.ports import LedgerUnavailableError, Turn, Wake
from oto.domain.events import EventKind
from oto.domain.leg import Leg, LegId, LegKind, LegState
from oto.domain.orders import ExecutionReport, OrderId
from tests.drill import faults
from tests.drill.agenda import Agenda
from tests.drill.faults import Fault
from tests.drill.process import Process
from tests.memory_ledger import MemoryLedger
from tests.memory_work import Listed, MemoryWork, State

_TRANSACTION_PER_MILLE, _INTENDED_PER_MILLE = 25, 80
_SEND_WITHIN_MS = 2_000
_HALTED_MS = (1_000, 20_000)

_AFTER_A_COMMIT = {Fault.KILLED: 5, Fault.HELD_UP: 2, Fault.DATABASE_AWAY: 2}


@dataclass(frozen=True, slots=True)
class Halt:
    """When trading was halted, and how many placements had been marked as sending before."""

    at_ms: int
    sendings: int


class DrillLedger(MemoryLedger):
    """One job's ledger; it remembers which leg was marked as sending when."""

    def __init__(self, state: State, listed: Listed, agenda: Agenda, process: Process) -> None:
        super().__init__(state, listed, lambda: agenda.now)
        self._agenda = agenda
        self._process = process
        self._turns: list[Turn] = []
        self._sendings: dict[LegId, int] = {}
        self._halt: Halt | None = None
        self.appeared: set[OrderId] = set()
        process.renew = self._renew

    def claim(self, wake: Wake) -> Turn | None:
        turn = super().claim(wake)
        if turn is not None:
            self._turns.append(turn)
        return turn

    def let_go(self, turn: Turn) -> None:
        self._turns.remove(turn)

    def _renew(self) -> None:
        if self._turns:
            self.renew(self._turns[-1])

    def opening(self) -> None:
        intended = _first_leg(self.state, LegState.PLANNED) is not None
        per_mille = _INTENDED_PER_MILLE if intended else _TRANSACTION_PER_MILLE
        where = "between intent and sending" if intended else "before a transaction"
        fault = self._process.may_suffer(faults.TRANSACTION, per_mille, where)
        if fault is Fault.HALTED:
            self.halt()
        elif fault is Fault.DATABASE_AWAY:
            raise LedgerUnavailableError("the database cannot be reached")

    def committing(self, work: MemoryWork) -> None:
        leg = _first_leg(work.state, LegState.SENDING)
        if leg is not None and leg.leg_id not in self._sendings:
            self._sendings[leg.leg_id] = len(self._sendings) + 1
        for kind, body in work.events:
            self._process.story.tell(f"  {kind.value} {_readable(kind, body)}")
        if work.state.job != self.state.job:
            job = work.state.job
            self._process.story.tell(f"  the job is {job.state.value}, {job.reason}")

    def committed(self) -> None:
        where = "after a transaction"
        fault = self._process.may_suffer(_AFTER_A_COMMIT, _TRANSACTION_PER_MILLE, where)
        if fault is Fault.DATABASE_AWAY:
            raise LedgerUnavailableError("the database broke off; it has committed")

    def halt(self) -> None:
        self.state = replace(self.state, halted="halted by the drill")
        self._halt = self._halt or Halt(self._agenda.now_ms, len(self._sendings))
        self._agenda.after(self._process.chance.ms(*_HALTED_MS), self.lift)

    def lift(self) -> None:
        self.state = replace(self.state, halted=None)
        self._halt = None

    def sending(self) -> Leg | None:
        """Return the leg whose POST is under way."""
        return _first_leg(self.state, LegState.SENDING)

    def fenced(self, leg: Leg) -> bool:
        """Tell whether a POST that leaves now breaks a halt.

        What was marked as sending before the halt may leave as long as a POST may begin.
        """
        halt = self._halt
        if halt is None:
            return False
        marked_before = self._sendings.get(leg.leg_id, 0) <= halt.sendings
        return not marked_before or self._agenda.now_ms > halt.at_ms + _SEND_WITHIN_MS

    def contradicts(self, report: ExecutionReport, what: str) -> None:
        self.appeared.add(report.order_id)
        super().contradicts(report, what)


def _first_leg(state: State, wanted_in: LegState) -> Leg | None:
    """Return the leg that a POST stands for, if it is in a state."""
    cycle = state.unfinished
    legs = () if cycle is None else cycle.legs
    wanted = (one for one in legs if one.state is wanted_in)
    return next((one for one in wanted if one.kind is not LegKind.PENDING), None)


def _readable(kind: EventKind, body: dict[str, object]) -> str:
    if kind is EventKind.DECIDED:
        # With all that it was made of it would fill a page.
        return str(body["decided"])
    return ", ".join(f"{key} {getattr(value, 'name', value)}" for key, value in body.items())
