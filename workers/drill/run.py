"""One drill: the real system, disturbed by a schedule, then calm, then audited."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from oto.application.jobs import JobNotChangedError
from oto.bootstrap import House
from oto.domain.job import ACTIVE, Job, JobId, Target, TargetKind, Wish
from oto.domain.money import Amount
from oto.infrastructure.pasted import read_login
from workers.drill.disturb import Disturber
from workers.drill.finding import Finder, counted
from workers.drill.halting import Span
from workers.drill.human import Human
from workers.drill.lanes import LaneRun, Struck
from workers.drill.schedule import DEATHS, SYMBOLS, schedule
from workers.drill.stage import ORDER_SIZE, Stage, Wanted, staged
from workers.drill.verdict import Found
from workers.drill.watch import Watch

MOST_SLIP_BPS = 300

_LANE_ENDS_WITHIN_S = 240.0
_CALM_WITHIN_S = 240.0
_STOPPED_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.5
_SCAN_EVERY_S = 15.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was planned, what struck and what was found."""

    wanted: Wanted
    struck: Sequence[Struck]
    strikes: Mapping[str, int]
    called: Mapping[str, int]
    found: Found
    began_s: float
    faulted_s: float
    seconds: float


@dataclass(slots=True)
class Drill:
    """A drill under way; `say` is told how far it is."""

    stage: Stage
    say: Callable[[str], None]
    human: Human
    watch: Watch
    finder: Finder
    spans: list[Span] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)

    def run(self) -> Outcome:
        began = time.monotonic()
        self.stage.machine.start()
        self.say("the system is up")
        jobs = self.stage.machine.patiently(self._start_jobs)
        self.say(f"{len(jobs)} jobs are started, of {self.stage.wanted.volume:f} USDT each")
        first_turn = time.monotonic()
        self.watch.start()
        self.human.start()
        try:
            self._disturb(jobs, first_turn)
            faulted_s = time.monotonic() - first_turn
            self.say(f"faults are over after {faulted_s:.0f} s; waiting for every job to end")
            self._quiesce(jobs)
        finally:
            self.human.stop()
            self.watch.stop()
        found = self.finder.found(
            jobs, self.watch.looks, self.struck, self.spans, self.human.uncalled
        )
        return Outcome(
            wanted=self.stage.wanted,
            struck=sorted(self.struck, key=lambda one: one.began_s),
            strikes=counted(self.stage.simulator.strikes()),
            called=self.human.called,
            found=found,
            began_s=first_turn,
            faulted_s=faulted_s,
            seconds=time.monotonic() - began,
        )

    def _start_jobs(self, house: House) -> list[JobId]:
        logins = self.stage.logins
        known = {user.name for user in house.users.all()}
        for number in range(1, self.stage.wanted.users + 1):
            name = f"sim-{number}"
            user = house.users.named(name) if name in known else house.users.add(name)
            house.users.keep_credentials(user, house.vault.seal(read_login(logins, name)))
            symbol = house.catalog.named(SYMBOLS[number % len(SYMBOLS)]).rules.symbol
            job = Job(
                JobId(0),
                user.user_id,
                symbol,
                Target(TargetKind.VOLUME, self.stage.wanted.volume),
                Amount(ORDER_SIZE),
                "cross",
                MOST_SLIP_BPS,
            )
            house.dispatcher.wake(house.jobs.start(job))
        return [view.job.job_id for view in house.jobs.views()]

    def _disturb(self, jobs: Sequence[JobId], began: float) -> None:
        wanted, stopping = self.stage.wanted, threading.Event()
        planned = schedule(wanted.seed, wanted.seconds, wanted.users, wanted.faults)
        runs = [LaneRun(name, strikes, stopping, self.struck) for name, strikes in planned.items()]
        for run in runs:
            run.recovered = self.watch.recovered_since if run.name == DEATHS else None
        for run in runs:
            run.start(self._disturber(run), began)
        next_scan = began + _SCAN_EVERY_S
        while time.monotonic() - began < wanted.seconds and self._active(jobs):
            time.sleep(_LOOK_EVERY_S)
            if time.monotonic() > next_scan:
                next_scan = time.monotonic() + _SCAN_EVERY_S
                self.finder.scan()
                self._say_how_far(jobs, time.monotonic() - began)
        stopping.set()
        for run in runs:
            if not run.join(_LANE_ENDS_WITHIN_S):
                self.stage.machine.ended.append(f"a fault of the lane {run.name} did not end")

    def _say_how_far(self, jobs: Sequence[JobId], seconds: float) -> None:
        views = self.stage.machine.patiently(lambda house: house.jobs.views(job_ids=jobs))
        cycles = sum(view.finished for view in views)
        active = sum(view.job.state in ACTIVE for view in views)
        self.say(
            f"{seconds:4.0f} s: {cycles} cycles, {active} jobs go on, {len(self.struck)} faults"
        )

    def _active(self, jobs: Sequence[JobId]) -> bool:
        """Tell whether a job still goes on, or will once its human has come."""
        views = self.stage.machine.patiently(lambda house: house.jobs.views(job_ids=jobs))
        return any(view.job.state in ACTIVE or self.human.will_answer(view) for view in views)

    def _quiesce(self, jobs: Sequence[JobId]) -> None:
        """Take every fault back, wait until all jobs end, and stop those that do not."""
        self._calm()
        if self._wait(jobs, _CALM_WITHIN_S):
            return
        self.say("stopping the jobs that are left")

        def stop(house: House) -> None:
            for view in house.jobs.views(job_ids=jobs, active=True):
                with suppress(JobNotChangedError):  # it has just ended
                    house.dispatcher.wake(house.jobs.wish(view.job.job_id, Wish.STOP))

        self.stage.machine.patiently(stop)
        self._wait(jobs, _STOPPED_WITHIN_S)

    def _calm(self) -> None:
        if not self.stage.machine.alive:
            self.stage.machine.ended.append("oto up ended by itself")
            self.stage.machine.start()
        self._disturber(LaneRun("calm", (), threading.Event(), self.struck)).calm()

    def _disturber(self, run: LaneRun) -> Disturber:
        return Disturber(
            self.stage.machine,
            self.stage.simulator,
            self.stage.sabotage,
            self.stage.wanted.users,
            self.spans,
            run.later,
            run.stopping,
        )

    def _wait(self, jobs: Sequence[JobId], most_s: float) -> bool:
        deadline = time.monotonic() + most_s
        while self._active(jobs):
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True


def drill(wanted: Wanted, say: Callable[[str], None]) -> Outcome:
    """Run one drill, and leave nothing behind.

    Raises:
        NotReadyError: the system or the simulator does not come up.
    """
    with staged(wanted) as stage:
        human = Human(stage.machine, stage.simulator, stage.logins)
        return Drill(stage, say, human, Watch(stage.machine), Finder(stage)).run()
