"""Takes one job out of the market: its orders cancelled and, with a slip, what it holds sold."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from oto.application.decision_log import recorded
from oto.application.ports import (
    Clock,
    Exchanges,
    FencedError,
    MarketData,
    NoCredentialsError,
    Seizing,
    Turn,
    Work,
)
from oto.application.reasons import trouble
from oto.application.recovering import recover
from oto.application.steps import Steps
from oto.domain.cycle import Cycle
from oto.domain.decisions import Decision, End, Park, Sleep
from oto.domain.errors import ExchangeError
from oto.domain.halting import out_of_the_market, stays_parked, under_halt
from oto.domain.job import NEEDS_HUMAN, JobEvent, Reason
from oto.domain.tick import Tick

_SHORTEST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Means:
    """What a job is cleared with; `pause` waits so many seconds."""

    ledger: Seizing
    market: MarketData
    exchanges: Exchanges
    clock: Clock
    pause: Callable[[float], None]


class Clearing:
    """One job on its way out of the market, turn by turn; `turn` is the one to give back."""

    def __init__(self, means: Means, turn: Turn, most_slip_bps: int | None) -> None:
        self._means = means
        self._slip = most_slip_bps
        self._kept = False
        self._take(turn)

    def _take(self, turn: Turn) -> None:
        means, self.turn = self._means, turn
        self._steps = Steps(
            turn, means.exchanges, means.clock, self._open, lambda: None, exits_pass_halts=True
        )

    def cycle(self) -> Cycle | None:
        with self._open() as work:
            return work.cycle

    def run(self, deadline: float) -> str:
        """Go on until nothing is left to do; return why something is left, empty if nothing is."""
        with self._open() as work:
            recover(work)
        why = "time is up"
        while self._means.clock.monotonic() < deadline:
            try:
                decision = self._step()
            except NoCredentialsError:
                return Reason.NO_CREDENTIALS.words
            except ExchangeError as error:
                met = trouble(error)
                why = f"{met.reason.words}: {met.detail}"
                if met.reason in NEEDS_HUMAN:
                    return why
                self._means.pause(min(met.pause_s, _LONGEST_PAUSE_S))
                continue
            if (ended := self._ended(decision)) is not None:
                return ended
            if isinstance(decision, Sleep):
                why = _words(decision) or why
                self._sleep(decision)
        return why

    def _step(self) -> Decision | None:
        """Take the next decision and do it; None if there is nothing left to do."""
        leg = None
        with self._open(self._tick()) as work:
            cycle = work.cycle
            if cycle is None or (self._slip is None and out_of_the_market(cycle)):
                return None
            self._kept = stays_parked(under_halt(work.view(), self._slip), cycle)
            decision = recorded(work, lambda view: under_halt(view, self._slip))
            if not isinstance(decision, Sleep | End):
                leg = self._steps.intend(work, decision)
        if isinstance(decision, Sleep | End) or self._steps.carry_out(decision, leg):
            return decision
        return self._go_on(decision)

    def _go_on(self, decision: Decision) -> Decision:
        """Take the job again, whose turn ended by calling for a human, if more can be done."""
        turn = self._means.ledger.seize(self.turn.job_id, from_others=False)
        if turn is None:
            raise FencedError
        self._take(turn)
        cycle = self.cycle()
        if cycle is not None and next(cycle.unresolved(), None) is not None:
            return End(JobEvent.NEED_HUMAN, Reason.AMBIGUOUS)
        return decision

    def _ended(self, decision: Decision | None) -> str | None:
        """Return why a decision ends the clearing, empty if all is done, None if it goes on."""
        if decision is None:
            return ""
        if isinstance(decision, Park | End) or (isinstance(decision, Sleep) and self._kept):
            return _words(decision)
        return None

    def _sleep(self, decision: Sleep) -> None:
        seconds = (decision.until - self._means.clock.now()).total_seconds()
        self._means.pause(min(max(seconds, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S))

    def _tick(self) -> Tick | None:
        """Read the price only if something is to be sold: no cancel waits for it."""
        cycle = self.cycle()
        if self._slip is None or cycle is None or not out_of_the_market(cycle):
            return None
        return self._means.market.read(self.turn.symbol)

    def _open(self, tick: Tick | None = None) -> AbstractContextManager[Work]:
        return self._means.ledger.work(self.turn, self._means.clock.now(), tick)


def _words(decision: Park | End | Sleep) -> str:
    words = "" if decision.reason is None else decision.reason.words
    return f"{words}: {decision.detail}" if decision.detail else words
