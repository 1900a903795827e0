"""One drill: the real system, disturbed by a schedule, then calm, then audited."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import structlog

from oto.application.audit import UserLedger, audit
from oto.application.job_log import first_amiss, to_lines
from oto.application.jobs import JobNotChangedError
from oto.application.replay import replay
from oto.bootstrap import House
from oto.domain.job import ACTIVE, Job, JobId, Target, TargetKind, Wish
from oto.domain.money import Amount
from oto.infrastructure.pasted import read_login
from oto.infrastructure.settings import Exchange, load_settings
from workers.drill import secrets
from workers.drill.disturb import FAILED, Disturber
from workers.drill.halting import Span, arrived_after
from workers.drill.human import Human
from workers.drill.lanes import LaneRun, Struck
from workers.drill.machine import Machine
from workers.drill.schedule import DEATHS, SYMBOLS, Strike, schedule
from workers.drill.simulator import Simulator, simulated
from workers.drill.verdict import Found, Log, Pause
from workers.drill.watch import Watch, pause_after, unknown_for_s

ORDER_SIZE = Decimal(20)
MOST_SLIP_BPS = 300
WORKERS = 2

_LANE_ENDS_WITHIN_S = 240.0
_CALM_WITHIN_S = 240.0
_STOPPED_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.5
_SCAN_EVERY_S = 15.0
_CANARY = "a-canary-of-the-drill-4d1f77c09b"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to drill; `seconds` is how long faults strike at most."""

    users: int
    cycles: int
    seed: int
    faults: frozenset[str]
    seconds: float
    keep: Path | None = None

    @property
    def volume(self) -> Decimal:
        """USDT that each user is to buy."""
        return ORDER_SIZE * -(-self.cycles // self.users)

    @property
    def balance(self) -> Decimal:
        return ORDER_SIZE * 5 + self.volume / 10


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
    """A drill under way."""

    wanted: Wanted
    machine: Machine
    simulator: Simulator
    human: Human
    say: Callable[[str], None]
    secrets: list[str]
    log: Path
    watch: Watch
    folder: Path
    spans: list[Span] = field(default_factory=list)
    leaks: set[str] = field(default_factory=set)
    struck: list[Struck] = field(default_factory=list)

    def run(self) -> Outcome:
        began = time.monotonic()
        self.machine.start()
        self.say("the system is up")
        jobs = self.machine.patiently(self._start_jobs)
        self.say(f"{len(jobs)} jobs are started, of {self.wanted.volume:f} USDT each")
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
        found = self._found(jobs)
        return Outcome(
            wanted=self.wanted,
            struck=sorted(self.struck, key=lambda one: one.began_s),
            strikes=_counted(self.simulator.strikes()),
            called=self.human.called,
            found=found,
            began_s=first_turn,
            faulted_s=faulted_s,
            seconds=time.monotonic() - began,
        )

    def _start_jobs(self, house: House) -> list[JobId]:
        logins = self.human.logins
        known = {user.name for user in house.users.all()}
        for number in range(1, self.wanted.users + 1):
            name = f"sim-{number}"
            user = house.users.named(name) if name in known else house.users.add(name)
            house.users.keep_credentials(user, house.vault.seal(read_login(logins, name)))
            symbol = house.catalog.named(SYMBOLS[number % len(SYMBOLS)]).rules.symbol
            job = Job(
                JobId(0),
                user.user_id,
                symbol,
                Target(TargetKind.VOLUME, self.wanted.volume),
                Amount(ORDER_SIZE),
                "cross",
                MOST_SLIP_BPS,
            )
            house.dispatcher.wake(house.jobs.start(job))
        return [view.job.job_id for view in house.jobs.views()]

    def _disturb(self, jobs: Sequence[JobId], began: float) -> None:
        wanted, stopping = self.wanted, threading.Event()
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
                self._scan()
                self._say_how_far(jobs, time.monotonic() - began)
        stopping.set()
        for run in runs:
            if not run.join(_LANE_ENDS_WITHIN_S):
                self.machine.ended.append(f"a fault of the lane {run.name} did not end")

    def _say_how_far(self, jobs: Sequence[JobId], seconds: float) -> None:
        views = self.machine.patiently(lambda house: house.jobs.views(job_ids=jobs))
        cycles = sum(view.finished for view in views)
        active = sum(view.job.state in ACTIVE for view in views)
        self.say(
            f"{seconds:4.0f} s: {cycles} cycles, {active} jobs go on, {len(self.struck)} faults"
        )

    def _active(self, jobs: Sequence[JobId]) -> bool:
        """Tell whether a job still goes on, or will once its human has come."""
        views = self.machine.patiently(lambda house: house.jobs.views(job_ids=jobs))
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

        self.machine.patiently(stop)
        self._wait(jobs, _STOPPED_WITHIN_S)

    def _calm(self) -> None:
        if not self.machine.alive:
            self.machine.ended.append("oto up ended by itself")
            self.machine.start()
        self._disturber(LaneRun("calm", (), threading.Event(), self.struck)).calm()

    def _disturber(self, run: LaneRun) -> Disturber:
        return Disturber(
            self.machine,
            self.simulator,
            self.folder,
            self.wanted.users,
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

    def _found(self, jobs: Sequence[JobId]) -> Found:
        self._scan(tables=True)
        machine = self.machine
        views = machine.patiently(lambda house: house.jobs.views(job_ids=jobs))
        cycles = machine.patiently(
            lambda house: [house.jobs.cycles(view.job.job_id) for view in views]
        )
        logs = [machine.patiently(lambda house, job=job: self._log_of(house, job)) for job in jobs]  # type: ignore[misc]
        machine.stop()
        truth = self.simulator.truth()
        ledgers = [
            UserLedger(
                view.user,
                view.job.symbol,
                view.token.alpha_id if view.token is not None else "",
                self.wanted.balance,
                of_job,
            )
            for view, of_job in zip(views, cycles, strict=True)
        ]
        self._keep(truth)
        return Found(
            jobs=views,
            cycles=cycles,
            audited=audit(truth, ledgers),
            late_posts=arrived_after(self.spans, self.simulator.posts()),
            halts=self.spans,
            logs=logs,
            secrets=sorted(self.leaks),
            uncalled=self.human.uncalled,
            left_behind=machine.left_behind,
            ended=machine.ended,
            unknown_s=unknown_for_s(self.watch.looks),
            pauses=list(self._pauses()),
        )

    def _log_of(self, house: House, job: JobId) -> Log:
        """Make every decision of a job again."""
        whole = house.jobs.whole_log(job)
        if self.wanted.keep is not None:
            self.wanted.keep.mkdir(parents=True, exist_ok=True)
            (self.wanted.keep / f"job-{job}.jsonl").write_bytes(to_lines(whole))
        replayed = replay(whole.entries)
        return Log(job, replayed.decisions, len(replayed.differences), first_amiss(whole))

    def _pauses(self) -> Iterator[Pause]:
        own = sorted(
            (one for one in self.struck if one.lane == DEATHS), key=lambda one: one.began_s
        )
        for number, one in enumerate(own):
            until = own[number + 1].began_s if number + 1 < len(own) else float("inf")
            # A crash point strikes when somebody has come by.
            since = one.ended_s if one.strike.fault.startswith("crash_") else one.began_s
            if one.said == "nobody came by":
                continue
            seconds = pause_after(self.watch.looks, since, until)
            if seconds is not None:
                yield Pause(one.strike.fault, since - self.watch.looks[0].at_s, seconds)

    def _scan(self, *, tables: bool = False) -> None:
        """Look for secrets in what can be seen now."""
        machine = self.machine
        try:
            places = {
                "redis": secrets.dumped_redis(machine.house.urls.redis_url),
                "command lines": secrets.command_lines(machine.everything()),
            }
        except FAILED:
            places = {}
        if tables:
            places["tables"] = machine.patiently(lambda house: secrets.dumped_tables(house.engine))
            places["log"] = self.log.read_text(errors="replace")
        self.leaks.update(secrets.found_in(places, self.secrets))

    def _keep(self, truth: Mapping[str, Any]) -> None:
        if self.wanted.keep is not None:
            self.wanted.keep.mkdir(parents=True, exist_ok=True)
            (self.wanted.keep / "truth.json").write_text(json.dumps(truth))


def _counted(strikes: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for strike in strikes:
        found[strike["kind"]] = found.get(strike["kind"], 0) + 1
    return found


def planned(wanted: Wanted) -> Mapping[str, Sequence[Strike]]:
    return schedule(wanted.seed, wanted.seconds, wanted.users, wanted.faults)


def drill(wanted: Wanted, say: Callable[[str], None]) -> Outcome:
    """Run one drill in a folder of its own, and leave nothing behind.

    Raises:
        NotReadyError: the system or the simulator does not come up.
    """
    with _folder(wanted) as folder, (folder / "log").open("ab") as output:
        logins = folder / "logins.json"
        arguments = (
            f"--users={wanted.users}",
            f"--balance={wanted.balance}",
            f"--credentials={logins}",
            f"--state={folder / 'exchange.state'}",
            f"--seed={wanted.seed}",
            "--speed=5",
            "--market=choppy",
            "--match-delay-ms=100",
            "--report-delay-ms=60",
        )
        with simulated(folder, arguments, output) as simulator:
            settings = load_settings().model_copy(
                update={
                    "home": folder / "home",
                    "drill": folder / "drill",
                    "exchange": Exchange.SIMULATOR,
                    "rest_url": simulator.urls.rest,
                    "ws_url": simulator.urls.ws,
                    "database_url": None,
                    "redis_url": None,
                    "log_level": "INFO",
                }
            )
            known = [*secrets.secrets_of(logins), _CANARY]
            text = _with_canary(logins)
            machine = Machine(settings, WORKERS, output)
            human = Human(machine, simulator, text)
            made = Drill(
                wanted,
                machine,
                simulator,
                human,
                say,
                known,
                folder / "log",
                Watch(machine),
                folder / "drill",
            )
            try:
                return made.run()
            finally:
                machine.stop()


def _with_canary(logins: Path) -> str:
    """Give every login a cookie that is found nowhere else."""
    sessions = json.loads(logins.read_text())
    for user in sessions["users"]:
        user["cookies"]["canary"] = _CANARY
    return json.dumps(sessions)


@contextmanager
def _folder(wanted: Wanted) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="oto-drill-"))
    try:
        yield folder
    finally:
        if wanted.keep is not None:
            wanted.keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / "log", wanted.keep / "log")
        shutil.rmtree(folder, ignore_errors=True)
