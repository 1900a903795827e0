"""Brings a job's unfinished cycle up to date by a turn's own look, whatever state the job is in."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from oto.application.ports import Clock, Exchanges, FencedError, Seizing, Turn, Work
from oto.application.recovering import recover
from oto.application.steps import Steps
from oto.domain import matching
from oto.domain.cycle import Cycle
from oto.domain.decisions import Look
from oto.domain.job import JobId

_APART_S = 1.0


class Caught(Enum):
    """What came of it."""

    READ = "read"
    IN_A_TURN = "a worker has its turn now, and reads it itself"
    TAKEN = "a worker took it over meanwhile"


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Reads cycles anew; `pause` waits so many seconds. Nothing is placed or cancelled."""

    ledger: Seizing
    exchanges: Exchanges
    clock: Clock
    pause: Callable[[float], None]

    def __call__(self, job_id: JobId) -> Caught:
        """Read a job's cycle until nothing more of it can be concluded now.

        Raises:
            ExchangeError: the exchange could not be read.
            NoCredentialsError: nothing is stored to log in with.
        """
        turn = self.ledger.seize(job_id, from_others=False)
        if turn is None:
            return Caught.IN_A_TURN
        try:
            self.read(turn)
        except FencedError:
            return Caught.TAKEN
        finally:
            self.ledger.give_back(turn)
        return Caught.READ

    def read(self, turn: Turn) -> None:
        """Look, as the turn would; again where only several looks in a row prove something.

        Raises:
            FencedError: the turn is over.
        """
        steps = Steps(
            turn, self.exchanges, self.clock, lambda: self.open(turn), posting=lambda: None
        )
        with self.open(turn) as work:
            recover(work)
        for _ in range(matching.CLEAN_READS):
            if not steps.carry_out(Look(), None):
                return
            with self.open(turn) as work:
                cycle = work.cycle
            if cycle is None or not _provable(cycle, self.clock.now()):
                return
            self.pause(_APART_S)

    def open(self, turn: Turn) -> AbstractContextManager[Work]:
        return self.ledger.work(turn, self.clock.now(), None)


def _provable(cycle: Cycle, now: datetime) -> bool:
    """Tell whether looking again settles what is not settled: a lost order, an unlisted leg."""
    sent = [leg.sent_at for leg in cycle.unresolved() if leg.sent_at is not None]
    if cycle.working.final and cycle.pending.open:
        sent.append(cycle.phase_since)
    return any(now - moment >= matching.SETTLING for moment in sent)
