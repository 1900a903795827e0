"""Ends what a cycle held once it is gone from the wallet: someone sold or moved it by hand."""

from dataclasses import dataclass
from decimal import Decimal

from oto.application.catch_up import CatchUp
from oto.application.ports import FencedError, Turn, Work
from oto.domain.cycle import Cycle, CycleEvent, can_be_written_off
from oto.domain.cycle import after as cycle_after
from oto.domain.errors import SentenceError
from oto.domain.events import EventKind
from oto.domain.job import JobId
from oto.domain.market import AlphaId
from oto.domain.money import Quantity, trimmed

_NOTHING = Decimal(0)


class NotWrittenOffError(SentenceError, ValueError):
    """There is nothing that could be written off; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Said:
    """Who writes off, and why."""

    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A cycle that holds more by its fills than the wallet has; both in base."""

    cycle: Cycle
    held: Quantity
    wallet: Decimal


@dataclass(frozen=True, slots=True)
class WriteOff:
    """Compares a job's unfinished cycle with the wallet, and writes off what it held."""

    catch_up: CatchUp

    def __call__(self, job_id: JobId, said: Said | None) -> Missing:
        """Return what is missing; with `said`, count all that the cycle held as lost.

        Raises:
            NotWrittenOffError: nothing is missing, or it may still change.
            ExchangeError: the exchange could not be read.
            NoCredentialsError: nothing is stored to log in with.
        """
        turn = self.catch_up.ledger.seize(job_id, from_others=False)
        if turn is None:
            raise NotWrittenOffError(
                f"Job {job_id} is in a turn just now. Pause it with `oto job pause {job_id}`, then "
                "try again."
            )
        try:
            return self._within(turn, said)
        except FencedError:
            raise NotWrittenOffError(
                f"A worker took job {job_id} over meanwhile; nothing was written off. Try again."
            ) from None
        finally:
            self.catch_up.ledger.give_back(turn)

    def _within(self, turn: Turn, said: Said | None) -> Missing:
        self.catch_up.read(turn)
        holdings = self.catch_up.exchanges.of(turn.user_id).alpha_holdings()
        wallet = {one.alpha_id: one.holding.total for one in holdings}
        with self.catch_up.open(turn) as work:
            missing = _missing(work, wallet)
            if said is not None:
                _write(work, missing, said)
        return missing


def _missing(work: Work, wallet: dict[AlphaId, Decimal]) -> Missing:
    cycle, rules, job_id = work.cycle, work.rules, work.job.job_id
    if cycle is None or rules is None or not cycle.exposure:
        raise NotWrittenOffError(f"Job {job_id} holds no tokens: there is nothing to write off.")
    if not can_be_written_off(cycle):
        raise NotWrittenOffError(
            f"What job {job_id} holds may still change: its cycle is {cycle.phase.value}. Let "
            f"`oto job pause {job_id}` sell or park it, or see `oto reconcile`."
        )
    found = wallet.get(rules.base_asset, _NOTHING)
    if found >= cycle.exposure:
        raise NotWrittenOffError(
            f"Nothing is missing: job {job_id} holds {trimmed(cycle.exposure)} by its fills, and "
            f"the wallet has {trimmed(found)}. `oto job resume {job_id}` goes on selling."
        )
    return Missing(cycle, cycle.exposure, found)


def _write(work: Work, missing: Missing, said: Said) -> None:
    work.save(cycle_after(missing.cycle, CycleEvent.WRITE_OFF, work.now))
    work.note(
        EventKind.WRITTEN_OFF,
        who=said.who,
        why=said.why,
        held=missing.held,
        wallet=missing.wallet,
    )
    work.forget_reason()
