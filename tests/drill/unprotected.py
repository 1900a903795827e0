"""The ledger with one protection taken out, each as somebody might have built it."""

from dataclasses import replace
from datetime import datetime

from oto.application.ports import Turn, Wake
from oto.domain.cycle import Cycle, CyclePhase
from oto.domain.job import UserId
from oto.domain.leg import LegState
from oto.domain.orders import ExecutionReport
from oto.domain.planning import Fingerprint
from tests.drill.ledger import DrillLedger
from tests.memory_work import MemoryWork

_IN_FLIGHT = frozenset({LegState.PLANNED, LegState.SENDING})


class UnfencedWork(MemoryWork):
    """Reads no halt when it marks a leg as sending."""

    def halted(self) -> str | None:
        return None


class ForgetfulWork(MemoryWork):
    """Does not know which fingerprints are taken."""

    def taken(self) -> frozenset[Fingerprint]:
        return frozenset()


class WithoutFence(DrillLedger):
    work_type = UnfencedWork


class WithoutFingerprints(DrillLedger):
    work_type = ForgetfulWork


class WithoutEpoch(DrillLedger):
    """Lets a turn write that another has taken over from."""

    def holds(self, turn: Turn) -> bool:
        del turn
        return True


class WithoutDedupe(DrillLedger):
    """Takes each telling of a report for news."""

    def take_report(
        self, user_id: UserId, report: ExecutionReport, received_at: datetime
    ) -> Wake | None:
        self.state = replace(self.state, told=self.state.told - {report.event_id})
        return super().take_report(user_id, report, received_at)

    def applied(self, cycle: Cycle, report: ExecutionReport) -> Cycle:
        before = cycle.leg_of(report.order_id)
        after = super().applied(cycle, report)
        leg = after.leg_of(report.order_id)
        if report.fill is None or before is None or leg is None or before.fills != leg.fills:
            return after
        again = next(fill for fill in leg.fills if fill.event_id == report.event_id)
        return after.with_leg(replace(leg, fills=(*leg.fills, again)))


class WithoutSending(DrillLedger):
    """Marks a leg as sending when its answer is there: the process may be gone before."""

    def claim(self, wake: Wake) -> Turn | None:
        turn = super().claim(wake)
        if turn is not None:
            self._forget()
        return turn

    def let_go(self, turn: Turn) -> None:
        super().let_go(turn)
        if turn.epoch == self.state.epoch:
            self._forget()

    def _forget(self) -> None:
        cycles = (self.as_it_was(cycle) for cycle in self.state.cycles)
        self.state = replace(self.state, cycles=tuple(one for one in cycles if one is not None))

    def as_it_was(self, cycle: Cycle) -> Cycle | None:
        """Return a cycle as it was before a leg of it was on its way."""
        legs = tuple(
            replace(leg, state=LegState.PLANNED) if leg.state is LegState.SENDING else leg
            for leg in cycle.legs
        )
        sent = cycle.phase is CyclePhase.SENDING
        return replace(cycle, legs=legs, phase=CyclePhase.PLANNED if sent else cycle.phase)


class WithoutIntent(WithoutSending):
    """Writes an order down when its answer is there."""

    def as_it_was(self, cycle: Cycle) -> Cycle | None:
        legs = tuple(leg for leg in cycle.legs if leg.state not in _IN_FLIGHT)
        return replace(cycle, legs=legs) if legs else None
