"""What a drill came to: numbers that must be zero, and promises about time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from oto.application.audit import Audit
from oto.domain import wear
from oto.domain.cycle import Cycle, CyclePhase
from oto.domain.job import ACTIVE, JobId, JobState
from oto.infrastructure.database.jobs import JobView
from workers.drill.halting import Span

UNKNOWN_WITHIN_S = 22.0
"""The settling window of a lost order, and two seconds; at p99."""
PROCESS_WITHIN_S = 5.0
SERVER_WITHIN_S = 10.0

_SERVERS = frozenset({"kill_redis", "kill_postgres"})
_DEATHS = ("kill_", "crash_")
_WHOLE = frozenset({"kill_supervisor", "kill_guard"})


@dataclass(frozen=True, slots=True)
class Pause:
    """How long no turn began after a fault, in seconds."""

    fault: str
    at_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Log:
    """A job's log: how many decisions replay, how many otherwise, and where its chain breaks."""

    job_id: JobId
    decisions: int
    differing: int
    broken_at: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that a drill has seen at its end.

    `unknown_s` counts no time in which everything was down on purpose.
    """

    jobs: Sequence[JobView]
    cycles: Sequence[Sequence[Cycle]]
    audited: Audit
    late_posts: Sequence[Mapping[str, Any]]
    halts: Sequence[Span]
    logs: Sequence[Log]
    secrets: Sequence[str]
    uncalled: Sequence[str]
    left_behind: Sequence[str]
    ended: Sequence[str]
    unknown_s: Sequence[float]
    unknown_with_outages_s: Sequence[float]
    pauses: Sequence[Pause]

    @property
    def finished_cycles(self) -> int:
        return sum(job.finished for job in self.jobs)

    def zeros(self) -> dict[str, int | Decimal]:
        """Return the numbers that must all be zero."""
        return {
            "duplicates": self.audited.duplicates,
            "orphans": self.audited.orphans,
            "lost_fills": self.audited.lost_fills,
            "doubled_fills": self.audited.doubled_fills,
            "other_differences": len(self.audited.differences) + len(self.miscounted()),
            "volume_difference_usdt": self.audited.volume_difference,
            "wear_difference_usdt": self.audited.wear_difference,
            "posts_after_fence": len(self.late_posts),
            "secrets_found": len(self.secrets),
            "open_orders": self.audited.open_orders,
            "not_flat": len(self.not_flat()),
            "not_ended": sum(job.job.state in ACTIVE for job in self.jobs),
            "needless_calls_for_a_human": len(self.uncalled),
            "decisions_that_replay_differently": sum(log.differing for log in self.logs),
            "broken_logs": sum(log.broken_at is not None for log in self.logs),
            "processes_left_behind": len(self.left_behind),
            "ends_amiss": len(self.ended),
        }

    @property
    def good(self) -> bool:
        return not any(self.zeros().values())

    def not_flat(self) -> list[str]:
        """Name the users who hold tokens that are not parked with a reason."""
        return [
            f"{job.user}: {job.cycle.phase.value}, {job.cycle.exposure:f} held"
            for job in self.jobs
            if job.cycle is not None and not _is_parked(job)
        ]

    def miscounted(self) -> list[str]:
        """Name the jobs whose own sums are not those of their cycles."""
        return [
            f"{job.user}: the job counts {job.wear}, its cycles {counted}"
            for job, cycles in zip(self.jobs, self.cycles, strict=True)
            if (counted := wear.total(map(wear.of_cycle, cycles))) != job.wear
            or counted.spent != job.progress.bought
        ]

    def promises(self) -> dict[str, dict[str, Any]]:
        """Return what was promised about time, the worst that was seen, and whether it held."""
        deaths = [one for one in self.pauses if one.fault.startswith(_DEATHS)]
        servers = [one for one in deaths if one.fault in _SERVERS]
        processes = [one for one in deaths if one.fault not in _SERVERS | _WHOLE]
        return {
            "unknown_resolved_p99": _kept(percentile(self.unknown_s, 99), UNKNOWN_WITHIN_S),
            "progress_after_a_process_died": _kept(_worst(processes), PROCESS_WITHIN_S),
            "progress_after_a_server_died": _kept(_worst(servers), SERVER_WITHIN_S),
        }


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that so many percent do not exceed; None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def _is_parked(job: JobView) -> bool:
    parked = job.cycle is not None and job.cycle.phase is CyclePhase.PARKED
    called = job.job.state is JobState.NEEDS_HUMAN and job.job.reason is not None
    return parked or called


def _worst(pauses: Sequence[Pause]) -> float | None:
    return max((one.seconds for one in pauses), default=None)


def _kept(seen: float | None, most: float) -> dict[str, Any]:
    shown = None if seen is None else round(seen, 2)
    return {"seconds": shown, "promised": most, "held": seen is None or seen <= most}
