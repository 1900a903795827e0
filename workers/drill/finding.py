"""Looks at everything that a drill has left behind, while it runs and at its end."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from oto.application.audit import UserLedger, audit
from oto.application.job_log import first_amiss, to_lines
from oto.application.replay import replay
from oto.bootstrap import House
from oto.domain.cycle import Cycle
from oto.domain.job import JobId
from oto.infrastructure.database.jobs import JobView
from workers.drill import secrets
from workers.drill.disturb import FAILED
from workers.drill.halting import Span, arrived_after
from workers.drill.lanes import Struck
from workers.drill.schedule import DEATHS, OUTAGES
from workers.drill.stage import Stage
from workers.drill.verdict import Found, Log, Pause
from workers.drill.watch import Look, pause_after, unknown_for_s


@dataclass(slots=True)
class Finder:
    """Finds; `leaks` are the places where a secret was seen."""

    stage: Stage
    leaks: set[str] = field(default_factory=set)

    def scan(self) -> None:
        """Look for secrets in what passes, if Redis is there: in it, and in command lines."""
        with suppress(*FAILED):
            self._seek(self._passing(self.stage.machine.house))

    def _passing(self, house: House) -> dict[str, str]:
        return {
            "redis": secrets.dumped_redis(house.urls.redis_url),
            "command lines": secrets.command_lines(self.stage.machine.everything()),
        }

    def found(
        self,
        jobs: Sequence[JobId],
        looks: Sequence[Look],
        struck: Sequence[Struck],
        spans: Sequence[Span],
        uncalled: Sequence[str],
    ) -> Found:
        """Stop the system, and compare all that it has with the exchange's own record."""
        machine, simulator = self.stage.machine, self.stage.simulator
        self._seek(machine.patiently(self._passing))
        self._seek({"tables": machine.patiently(lambda house: secrets.dumped_tables(house.engine))})
        views = machine.patiently(lambda house: house.jobs.views(job_ids=jobs))
        cycles = machine.patiently(
            lambda house: [house.jobs.cycles(view.job.job_id) for view in views]
        )
        logs = [machine.patiently(lambda house, job=job: self._log_of(house, job)) for job in jobs]  # type: ignore[misc]
        machine.stop()
        self._seek({"log": self.stage.log.read_text(errors="replace")})
        truth = simulator.truth()
        self._keep("truth.json", json.dumps(truth).encode())
        return Found(
            jobs=views,
            cycles=cycles,
            audited=audit(truth, self._ledgers(views, cycles)),
            late_posts=arrived_after(spans, simulator.posts()),
            halts=spans,
            logs=logs,
            secrets=sorted(self.leaks),
            uncalled=uncalled,
            left_behind=machine.left_behind,
            ended=machine.ended,
            unknown_s=unknown_for_s(looks, list(_outages(struck))),
            unknown_with_outages_s=unknown_for_s(looks),
            pauses=list(_pauses(looks, struck)),
        )

    def _ledgers(
        self, views: Sequence[JobView], cycles: Sequence[Sequence[Cycle]]
    ) -> list[UserLedger]:
        return [
            UserLedger(
                view.user,
                view.job.symbol,
                view.token.alpha_id if view.token is not None else "",
                self.stage.wanted.balance,
                of_job,
            )
            for view, of_job in zip(views, cycles, strict=True)
        ]

    def _log_of(self, house: House, job: JobId) -> Log:
        """Make every decision of a job again."""
        whole = house.jobs.whole_log(job)
        self._keep(f"job-{job}.jsonl", to_lines(whole))
        replayed = replay(whole.entries)
        return Log(job, replayed.decisions, len(replayed.differences), first_amiss(whole))

    def _seek(self, places: Mapping[str, str]) -> None:
        self.leaks.update(secrets.found_in(places, self.stage.secrets))

    def _keep(self, name: str, content: bytes) -> None:
        keep = self.stage.wanted.keep
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / name).write_bytes(content)


def counted(strikes: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """Count strikes of the exchange by kind."""
    found: dict[str, int] = {}
    for strike in strikes:
        found[strike["kind"]] = found.get(strike["kind"], 0) + 1
    return found


def _outages(struck: Sequence[Struck]) -> Iterator[tuple[float, float]]:
    """Return from when until when nothing could go on, because everything was down on purpose."""
    return ((one.began_s, one.ended_s) for one in struck if one.strike.fault in OUTAGES)


def _pauses(looks: Sequence[Look], struck: Sequence[Struck]) -> Iterator[Pause]:
    own = sorted((one for one in struck if one.lane == DEATHS), key=lambda one: one.began_s)
    for number, one in enumerate(own):
        until = own[number + 1].began_s if number + 1 < len(own) else float("inf")
        # A crash point strikes when somebody has come by.
        since = one.ended_s if one.strike.fault.startswith("crash_") else one.began_s
        if one.said == "nobody came by":
            continue
        seconds = pause_after(looks, since, until)
        if seconds is not None:
            yield Pause(one.strike.fault, since - looks[0].at_s, seconds)
