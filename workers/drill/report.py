"""How a drill is shown: tables for people, JSON for programs."""

from collections import Counter
from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import Any

from oto.interface.cli.output import Row, console, print_json, print_rows
from workers.drill.halting import Span
from workers.drill.lanes import Struck
from workers.drill.run import Outcome
from workers.drill.verdict import Pause, percentile

_MOST_SENTENCES = 20


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return everything of a drill."""
    found, wanted = outcome.found, outcome.wanted
    return {
        "good": found.good,
        "seed": wanted.seed,
        "users": wanted.users,
        "cycles": found.finished_cycles,
        "cycles_wanted": wanted.cycles,
        "orders_placed": found.audited.placed,
        "seconds": round(outcome.seconds, 1),
        "faulted_seconds": round(outcome.faulted_s, 1),
        "zeros": {name: value or 0 for name, value in found.zeros().items()},
        "promises": found.promises(),
        "unknown": _percentiles(found.unknown_s),
        "unknown_with_outages": _percentiles(found.unknown_with_outages_s),
        "pauses": [
            {"fault": one.fault, "at_s": round(one.at_s, 1), "seconds": round(one.seconds, 2)}
            for one in found.pauses
        ],
        "faults": Counter(one.strike.fault for one in outcome.struck),
        "strikes_of_the_exchange": outcome.strikes,
        "decisions_replayed": sum(log.decisions for log in found.logs),
        "halts": _halts(found.halts),
        "calls_for_a_human": outcome.called,
        "states": Counter(job.job.state.value for job in found.jobs),
        "failures": sentences(outcome),
        "schedule": [_struck(one, outcome.began_s) for one in outcome.struck],
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    return {
        "orders": len(seconds),
        "p50_s": _rounded(percentile(seconds, 50)),
        "p99_s": _rounded(percentile(seconds, 99)),
        "most_s": _rounded(max(seconds, default=None)),
    }


def _halts(halts: Sequence[Span]) -> dict[str, int]:
    return {
        "raised": len(halts),
        "flattened": sum(one.flattened for one in halts),
        "ended_flat": sum(one.flat for one in halts),
    }


def _struck(one: Struck, began_s: float) -> dict[str, Any]:
    return {
        "at_s": one.strike.at_s,
        "fault": one.strike.fault,
        "parameters": one.strike.parameters,
        "struck_at_s": round(one.began_s - began_s, 2),
        "took_s": round(one.ended_s - one.began_s, 2),
        "said": one.said,
    }


def sentences(outcome: Outcome) -> list[str]:
    """Return what is not as it should be, one sentence each."""
    found = outcome.found
    return [
        *found.audited.differences,
        *found.miscounted(),
        *(f"secret found in {place}" for place in found.secrets),
        *(f"not flat: {text}" for text in found.not_flat()),
        *(f"called for a human without a fault: {text}" for text in found.uncalled),
        *(f"arrived behind a halt: {post}" for post in found.late_posts),
        *(
            f"job {log.job_id}: {log.differing} decisions differ, chain broken at {log.broken_at}"
            for log in found.logs
            if log.differing or log.broken_at is not None
        ),
        *(f"left behind: {line}" for line in found.left_behind),
        *found.ended,
    ]


def write(outcome: Outcome, file: Path) -> None:
    file.write_text(dumps(as_json(outcome), indent=1, default=str))


def show(outcome: Outcome, *, json: bool) -> None:
    """Print a drill."""
    if json:
        print_json(as_json(outcome))
        return
    found, screen = outcome.found, console()
    zeros: list[Row] = [
        {
            "must be zero": name.replace("_", " "),
            "value": str(value) if value else "0",
            "": _mark(ok=not value),
        }
        for name, value in found.zeros().items()
    ]
    print_rows(f"Drill of seed {outcome.wanted.seed}", tuple(zeros[0]), zeros, as_json=False)
    promises: list[Row] = [
        {
            "promise": name.replace("_", " "),
            "seen_s": one["seconds"],
            "promised_s": one["promised"],
            "": _mark(ok=one["held"]),
        }
        for name, one in found.promises().items()
    ]
    print_rows("Promises", tuple(promises[0]), promises, as_json=False)
    print_rows("Faults", ("fault", "struck", "longest_pause_s"), _faults(outcome), as_json=False)
    told = sentences(outcome)
    for line in (
        f"{found.finished_cycles} cycles and {found.audited.placed} placements.",
        f"{len(outcome.struck)} faults in {outcome.faulted_s:.0f} s, of {outcome.seconds:.0f} s.",
        f"{len(found.unknown_s)} orders were lost for a while, and found or proven absent.",
        *told[:_MOST_SENTENCES],
        *([f"… and {len(told) - _MOST_SENTENCES} more"] if len(told) > _MOST_SENTENCES else []),
        "All zeros hold." if found.good else "NOT all zeros hold.",
    ):
        screen.print(line)


def _faults(outcome: Outcome) -> list[Row]:
    struck = Counter(one.strike.fault for one in outcome.struck)
    pauses: dict[str, list[Pause]] = {}
    for one in outcome.found.pauses:
        pauses.setdefault(one.fault, []).append(one)
    return [
        {
            "fault": name,
            "struck": number,
            "longest_pause_s": _rounded(
                max((one.seconds for one in pauses.get(name, ())), default=None)
            ),
        }
        for name, number in sorted(struck.items())
    ]


def _mark(*, ok: bool) -> str:
    return "ok" if ok else "failed"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
