"""One schedule: a user, a job and an exchange, faults until the job is done, then quiet."""

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from oto.application.advance_job import Advance
from oto.application.ports import LedgerUnavailableError, Wake
from oto.domain.cycle import CyclePhase
from oto.domain.decide import MOST_REFUSED_EXITS, REFUSALS_COUNT_FOR
from oto.domain.job import (
    ACTIVE,
    JobEvent,
    JobState,
    Reason,
)
from oto.domain.job import after as job_after
from oto.domain.money import Amount
from oto.domain.orders import ExecutionReport
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.limits import Priority
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.transport import Settings
from oto.infrastructure.alpha.user_exchange import UserExchange
from oto.simulator.playing import Program
from oto.simulator.simulation import Plan, Simulation
from tests.drill.agenda import Agenda
from tests.drill.faults import Chance, Fault
from tests.drill.ledger import DrillLedger
from tests.drill.market import LISTINGS, Market, listed
from tests.drill.messages import Stream, Wakes
from tests.drill.process import DrillClock, FaultyExchange, OneUser, Process, survives
from tests.drill.schedule import USER, drawn
from tests.drill.story import Failure, Story
from tests.drill.verdict import FUNDING, judge
from tests.drill.wire import Wire
from tests.memory_work import State

_BASE_URL = "http://simulated"
_SWEEP_MS = 1_000
_FAULTY_MS = 600_000
_QUIET_MS = 1_200_000
_RESUMED_MS = (2_000, 20_000)
_MISSED_PER_MILLE = 100
_EXITS_REFUSED = "exits are refused"


@dataclass(frozen=True, slots=True)
class Protections:
    """What the loop is protected by; a test takes one out to see that the drill sees it."""

    ledger: type[DrillLedger] = DrillLedger
    sweeps: bool = True


WHOLE = Protections()


class Run:
    """Plays one schedule; `play` returns its story, with what failed in it."""

    def __init__(self, seed: int, number: int, protections: Protections = WHOLE) -> None:
        self.chance = Chance(random.Random(f"{seed} {number}"))
        self.schedule = schedule = drawn(self.chance)
        listing = LISTINGS[schedule.symbol]
        self.simulation = Simulation(
            Plan([listing], Program(mood=None), schedule.exchange, stepped=True)
        )
        self.agenda = Agenda(self.simulation)
        self.story = Story(lambda: self.agenda.now_ms)
        self.clock = DrillClock(self.agenda)
        self.process = Process(self.agenda, self.chance, self.story, self.clock)
        self.wire = Wire(self.simulation, self.agenda, self.chance)
        self.wire.posted = self._posted
        self.wakes = Wakes(self.agenda, self.chance, self.story, self.take)
        self.market = Market(self.simulation, listing, self.clock, self.chance, schedule.swing_bps)
        self.size = Decimal(schedule.job.order_size)
        self.sweeps = protections.sweeps
        self.legs_of: dict[int, int] = {}
        """By placement, the leg that it was sent for."""
        settings = Settings(wire=self.wire, attempts=1, new_trace_id=lambda: "drill")
        self.ledger = protections.ledger(
            State(schedule.job, due_at=self.agenda.now),
            listed(schedule.symbol, settings),
            self.agenda,
            self.process,
        )
        self.alpha = self._logged_in(settings)
        self.advance = self._loop()
        self.stream = self._subscribed()

    def _logged_in(self, settings: Settings) -> PrivateAlpha:
        account = self.simulation.exchange.add_account("ann", Amount(FUNDING))
        given = account.credentials()
        credentials = Credentials(given["headers"], given["cookies"])
        return PrivateAlpha(_BASE_URL, credentials, budget=_NoLimit(), settings=settings)

    def _loop(self) -> Advance:
        real, very_late = UserExchange(self.alpha), self.schedule.very_late
        exchange = OneUser(FaultyExchange(real, self.wire, self.process, very_late))
        return Advance(self.ledger, self.market, exchange, self.wakes, self.clock, _NoMeter())

    def _subscribed(self) -> Stream:
        stream = Stream(self.simulation.hub, self.agenda, self.chance, self.story)
        stream.deliver = self._deliver
        stream.reconnected = self._reconnected
        stream.spared = self._spared
        self.agenda.moved = stream.drain
        stream.subscribe(self.alpha.listen_key().reveal())
        return stream

    def play(self) -> Story:
        self._begin()
        end_ms = self.agenda.now_ms + _FAULTY_MS
        while self.agenda.now_ms < end_ms and not self._ended():
            self.agenda.pass_time(_SWEEP_MS)
        self._calm_down()
        end_ms = self.agenda.now_ms + _QUIET_MS
        while self.agenda.now_ms < end_ms and not self._at_rest():
            self.agenda.pass_time(_SWEEP_MS)
        # What was still on its way arrives.
        self.agenda.pass_time(10 * _SWEEP_MS)
        self.alpha.close()
        judge(self)
        return self.story

    def take(self, wake: Wake) -> None:
        """Take a wake-up as a worker does."""

        def turn() -> None:
            try:
                self.advance(wake)
            except LedgerUnavailableError as error:
                self.story.tell(f"  {error}")
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                self.story.fail(Failure.FAULT, repr(error))

        survives(turn, self.story)

    def _begin(self) -> None:
        self._move()
        self._sweep()
        self._tick()
        self.wakes.wake(self.ledger.wake())

    def _move(self) -> None:
        if self.chance.quiet:
            return
        self.market.move(self.size)
        self.agenda.after(self.chance.ms(300, 2_500), self._move)

    def _tick(self) -> None:
        self.market.repeat()
        self.agenda.after(2_000, self._tick)

    def _sweep(self) -> None:
        if self.ledger.state.job.state is JobState.NEEDS_HUMAN:
            self._call_human()
        if self.sweeps and not self._missed():
            for wake in self.ledger.due(1):
                self.take(wake)
        self.agenda.after(_SWEEP_MS, self._sweep)

    def _missed(self) -> bool:
        missed = self.chance.of({Fault.SWEEP_MISSED: 1}, _MISSED_PER_MILLE) is not None
        if missed and self.ledger.due(1):
            self.story.strike(Fault.SWEEP_MISSED)
        return missed

    def _call_human(self) -> None:
        """Mend what the human would mend, and resume the job."""
        state = self.ledger.state
        if not self._may_be_called() or state.job.reason is Reason.FAULT:
            self.story.fail(Failure.HUMAN, f"{state.job.reason}: {state.detail}")
        resumed = replace(state.job, state=job_after(state.job.state, JobEvent.RESUME), reason=None)
        pause = timedelta(milliseconds=self.chance.ms(*_RESUMED_MS))
        # Refused exits count for a while, whoever has looked into the wallet meanwhile.
        pause += REFUSALS_COUNT_FOR if _EXITS_REFUSED in state.detail else timedelta(0)
        due_at = self.agenda.now + pause
        self._take_off()
        self.ledger.state = replace(state, job=resumed, terms=None, due_at=due_at)

    def _take_off(self) -> None:
        """Cancel at the exchange what came when it counted as absent: nobody watches it."""
        owned = {leg.order_id for leg in self.ledger.state.legs}
        for order in list(self.simulation.exchange.orders.values()):
            stranger = order.order_id in self.wire.very_late and str(order.order_id) not in owned
            if stranger and order.open:
                self.simulation.trading.cancel(order.account, order.symbol, order.order_id)

    def _may_be_called(self) -> bool:
        """Tell whether a fault was met that calls for a human, once for each."""
        detail = self.ledger.state.detail
        if any(str(order_id) in detail for order_id in self.wire.very_late):
            return True
        if _EXITS_REFUSED in detail:
            return self.story.refused_exits >= MOST_REFUSED_EXITS
        self.story.human_calls_left -= 1
        return self.story.human_calls_left >= 0

    def _posted(self) -> int:
        """Note a placement that leaves, and look whether it may."""
        number, leg = self.story.place(), self.ledger.sending()
        if leg is None:
            self.story.fail(Failure.NO_INTENT, f"placement {number}")
            return number
        self.story.tell(f"  POST {number}: leg {leg.leg_id}, {leg.quantity} at {leg.price}")
        if self.ledger.fenced(leg):
            self.story.fail(Failure.FENCE, f"placement {number}")
        if leg.leg_id in self.legs_of.values():
            self.story.fail(Failure.SENT_TWICE, f"leg {leg.leg_id}")
        self.legs_of[number] = leg.leg_id
        return number

    def _deliver(self, report: ExecutionReport) -> None:
        def take() -> None:
            if not self._spared(report):
                self.process.may_suffer({Fault.KILLED: 1}, 10, "the streamer, before the ledger")
            self.story.tell(
                f"  report {report.event_id}: {report.order_id} {report.side.value} "
                f"{report.status.value} {report.cumulative_quantity:f}"
            )
            wake = self.ledger.take_report(USER, report, self.clock.now())
            self.process.may_suffer({Fault.KILLED: 1}, 10, "the streamer, after the ledger")
            if wake is not None:
                self.wakes.wake(wake)

        survives(take, self.story)

    def _spared(self, report: ExecutionReport) -> bool:
        """Lose no report of an order that came when it counted as absent: only they tell of it."""
        return int(report.order_id) in self.wire.very_late

    def _reconnected(self) -> None:
        for wake in self.ledger.wake_after_gap(USER):
            self.wakes.wake(wake)

    def _ended(self) -> bool:
        return self.ledger.state.job.state not in ACTIVE | {JobState.NEEDS_HUMAN}

    def _at_rest(self) -> bool:
        """Tell whether the job has left the loop, or keeps what it may not sell at this price."""
        if self.wire.late:
            return False
        cycle = self.ledger.state.unfinished
        parked = cycle is not None and cycle.phase is CyclePhase.PARKED
        return self._ended() or (parked and self.schedule.fallen_bps > 0 and self._waits())

    def _waits(self) -> bool:
        state = self.ledger.state
        return state.job.state is JobState.WAITING and state.job.reason is Reason.PARKED

    def _calm_down(self) -> None:
        self.story.tell("- the faults stop")
        self.chance.quiet = True
        self.wire.calm_down()
        # Slower than an exit waits, it would let none through.
        self.schedule.exchange.match_delay_ms = [0]
        self.ledger.lift()
        self.clock.skew = timedelta(0)
        self.market.calm_down(self.size, self.schedule.fallen_bps)
        job = self.ledger.state.job
        if job.state in ACTIVE:
            self.ledger.state = replace(
                self.ledger.state, job=replace(job, wish=self.schedule.ending)
            )


class _NoLimit:
    """A budget that is never spent: its own would be waited for in real time."""

    def acquire(self, priority: Priority, timeout_s: float) -> None: ...


class _NoMeter:
    def record(self, name: str, milliseconds: float) -> None: ...
