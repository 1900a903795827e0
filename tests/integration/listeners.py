"""Listeners that remember what they were told and let a test wait for it."""

import threading
from collections.abc import Callable

from oto.domain.errors import ContractDriftError
from oto.domain.orders import ExecutionReport
from oto.infrastructure.alpha.frames import Push
from oto.infrastructure.alpha.states import CommandRefused, ConnectionState, Loss, Lost
from oto.infrastructure.alpha.user_stream import ReconcileReason

PATIENCE_S = 10.0


class Waiting:
    def __init__(self) -> None:
        self.changed = threading.Condition()

    def wait(self, met: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(met, PATIENCE_S), f"waited in vain; heard {vars(self)}"


class RememberingListener(Waiting):
    def __init__(self) -> None:
        super().__init__()
        self.pushes: list[Push] = []
        self.received_ns: list[int] = []
        self.states: list[ConnectionState] = []
        self.drifts: list[ContractDriftError] = []
        self.refusals: list[CommandRefused] = []

    def on_push(self, push: Push, received_ns: int) -> None:
        with self.changed:
            self.pushes.append(push)
            self.received_ns.append(received_ns)
            self.changed.notify_all()

    def on_state(self, state: ConnectionState) -> None:
        with self.changed:
            self.states.append(state)
            self.changed.notify_all()

    def on_drift(self, error: ContractDriftError) -> None:
        with self.changed:
            self.drifts.append(error)
            self.changed.notify_all()

    def on_refused(self, refused: CommandRefused) -> None:
        with self.changed:
            self.refusals.append(refused)
            self.changed.notify_all()

    def losses(self) -> list[Loss]:
        return [state.loss for state in self.states if isinstance(state, Lost)]

    def wait_state(self, state: ConnectionState, times: int = 1) -> None:
        self.wait(lambda: self.states.count(state) >= times)

    def wait_lost(self, loss: Loss, times: int = 1) -> None:
        self.wait(lambda: self.losses().count(loss) >= times)


class RememberingUserListener(Waiting):
    def __init__(self) -> None:
        super().__init__()
        self.reports: list[ExecutionReport] = []
        self.reasons: list[ReconcileReason] = []
        self.states: list[ConnectionState] = []
        self.drifts: list[ContractDriftError] = []
        self.ended: list[Exception] = []

    def on_report(self, report: ExecutionReport, received_ns: int) -> None:
        assert received_ns > 0
        with self.changed:
            self.reports.append(report)
            self.changed.notify_all()

    def on_reconcile(self, reason: ReconcileReason) -> None:
        with self.changed:
            self.reasons.append(reason)
            self.changed.notify_all()

    def on_state(self, state: ConnectionState) -> None:
        with self.changed:
            self.states.append(state)
            self.changed.notify_all()

    def on_drift(self, error: ContractDriftError) -> None:
        with self.changed:
            self.drifts.append(error)
            self.changed.notify_all()

    def on_ended(self, error: Exception) -> None:
        with self.changed:
            self.ended.append(error)
            self.changed.notify_all()
