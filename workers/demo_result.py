"""How a run of the trading loop went, as a program reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oto.application.audit import Audit
from oto.domain.job import JobState
from oto.domain.tick import Tick
from oto.domain.wear import Wear
from oto.infrastructure.database.jobs import JobView
from oto.interface.cli import job_view
from oto.interface.cli.prices import mark
from workers import usage

STAGES = ("frame_to_tick", "tick_to_post", "report_to_ledger", "step")


@dataclass(frozen=True, slots=True)
class Result:
    """How it went; all jobs trade the token of the tick, the last that there was."""

    jobs: Sequence[JobView]
    tick: Tick | None
    audited: Audit
    refused: int
    unknown: int
    latency_ms: dict[str, Any]
    cpu_ms_per_cycle: float
    used: dict[str, usage.Usage]
    seconds: float

    @property
    def flat(self) -> bool:
        return not self.audited.open_orders and all(job.cycle is None for job in self.jobs)

    @property
    def reached(self) -> bool:
        return all(job.job.state is JobState.COMPLETED for job in self.jobs)

    @property
    def cycles(self) -> int:
        return sum(job.finished for job in self.jobs)

    @property
    def _tasks(self) -> int:
        return sum(self.latency_ms.get(name, {}).get("samples", 0) for name in ("step", "stale"))

    @property
    def good(self) -> bool:
        return self.reached and self.flat and self.audited.equal

    def as_json(self) -> dict[str, Any]:
        return {
            "jobs": [_job_json(job, self.tick) for job in self.jobs],
            "orders": {
                "placed": self.audited.placed,
                "refused": self.refused,
                "unknown": self.unknown,
                "duplicates": self.audited.duplicates,
                "orphans": self.audited.orphans,
            },
            "flat": self.flat,
            "ledger_equals_exchange": self.audited.equal,
            "differences": self.audited.differences,
            "latency_ms": {name: self.latency_ms.get(name) for name in STAGES},
            "cpu_ms_per_cycle": round(self.cpu_ms_per_cycle, 1),
            "processes": {
                name: {"cpu_s": round(one.cpu_s, 2), "resident_mib": one.resident >> 20}
                for name, one in sorted(self.used.items())
            },
            "cycles": self.cycles,
            "cycles_per_s": round(self.cycles / self.seconds, 2),
            "tasks_per_cycle": round(self._tasks / max(self.cycles, 1), 2),
            "seconds": round(self.seconds, 2),
        }


def worn(view: JobView, tick: Tick | None) -> Wear:
    """Return a job's wear with what it still holds valued as every command does."""
    return job_view.worn(view, job_view.price_of(view, mark(tick)))


def _job_json(view: JobView, tick: Tick | None) -> dict[str, Any]:
    """Return one job as `--json` shows it."""
    cost = worn(view, tick)
    bps = cost.bps_half_up()
    return {
        "user": view.user,
        "token": view.token.ticker if view.token is not None else view.job.symbol,
        "target_usdt": str(view.job.target.value),
        "bought_usdt": f"{view.progress.bought:f}",
        "counted_usdt": f"{view.progress.counted:f}",
        "cycles": view.finished,
        "wear_usdt": f"{cost.cost:f}",
        "wear_bps": None if bps is None else f"{bps:f}",
        "state": view.job.state.value,
        "reason": None if view.job.reason is None else view.job.reason.words,
        "detail": view.detail,
        "parked": f"{view.cycle.exposure:f}" if view.cycle is not None else None,
    }
