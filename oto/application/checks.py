"""Checks of a running system: each looks at one thing; what needs a failed one is skipped."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from oto.application.ports import Clock


class Result(Enum):
    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Found:
    """What a check saw, and what to do about it."""

    result: Result
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw and how long it took."""

    check: str
    found: Found
    took_ms: int


@dataclass(frozen=True, slots=True)
class Check:
    """One look; it is skipped where the check that it needs did not end well."""

    name: str
    look: Callable[[], Found]
    needs: str | None = None
    advice: str = ""
    """What to do when the look itself fails."""


_Awaited = Mapping[str, "Future[Finding]"]


def with_needed(checks: Sequence[Check], names: Collection[str]) -> Sequence[Check]:
    """Return the checks of these names, and before them those that they need."""
    wanted = set(names)
    for check in reversed(checks):
        if check.name in wanted and check.needs is not None:
            wanted.add(check.needs)
    return [check for check in checks if check.name in wanted]


def run(checks: Sequence[Check], clock: Clock, within_s: float) -> list[Finding]:
    """Make every check, all at the same time; one that takes longer than that has failed."""
    awaited: _Awaited = {check.name: Future() for check in checks}
    deadline = clock.monotonic() + within_s
    for check in checks:
        # Daemons: a look that hangs must not keep the process alive.
        threading.Thread(target=_look, args=(check, awaited, clock), daemon=True).start()
    findings = []
    for check in checks:
        try:
            finding = awaited[check.name].result(max(0.0, deadline - clock.monotonic()))
        except TimeoutError:
            found = Found(Result.FAILED, f"no answer within {within_s:g} s", check.advice)
            finding = Finding(check.name, found, round(within_s * 1000))
        findings.append(finding)
    return findings


def fresh(beat_at: datetime | None, now: datetime, within: timedelta) -> Found:
    """Judge a sign of life by its age."""
    if beat_at is None:
        return Found(Result.FAILED, "no sign of life")
    age_s = (now - beat_at).total_seconds()
    detail = f"last sign of life {max(age_s, 0):.1f} s ago"
    return Found(Result.OK if age_s <= within.total_seconds() else Result.FAILED, detail)


def _look(check: Check, awaited: _Awaited, clock: Clock) -> None:
    needed = None if check.needs is None else awaited[check.needs].result()
    began = clock.monotonic()
    if needed is not None and needed.found.result is not Result.OK:
        found = Found(Result.SKIPPED, f"needs {check.needs}")
    else:
        found = _found(check)
    took_ms = round((clock.monotonic() - began) * 1000)
    awaited[check.name].set_result(Finding(check.name, found, took_ms))


def _found(check: Check) -> Found:
    try:
        found = check.look()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was found
        said = " ".join(str(error).split()) or type(error).__name__
        return Found(Result.FAILED, said, check.advice)
    if found.result is Result.FAILED and not found.advice:
        return Found(found.result, found.detail, check.advice)
    return found
