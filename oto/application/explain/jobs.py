"""What became of a job as a whole, in sentences."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from oto.application.explain.words import span, target, usdt
from oto.domain.decisions import View
from oto.domain.job import ACTIVE, Job, JobState, Reason, Wish
from oto.domain.money import trimmed

Body = Mapping[str, Any]

_WISHES = {
    Wish.RUN: "Its owner wished it to go on.",
    Wish.PAUSE: "Its owner wished it to pause, which first makes it flat.",
    Wish.STOP: "Its owner wished it to stop, which first makes it flat.",
}


def started(body: Body) -> str:
    """Say what was asked."""
    job = msgspec.convert(body["job"], Job)
    return (
        f"Started on {job.symbol}, to reach {target(job)} in orders of about "
        f"{usdt(job.order_size)}; what is bought is sold at most {job.most_slip_bps} bps below "
        f"its price, else it is kept (profile {job.profile})."
    )


def wished(body: Body) -> str:
    return _WISHES[msgspec.convert(body["wish"], Wish)]


def day_rolled(body: Body) -> str:
    return f"A new UTC day began, {body['day']}: the points of the day are counted anew."


def met(body: Body) -> str | None:
    """Say what stood in the way of a halt, if anything did."""
    if body["reason"] is None:
        return None
    return f"That could not go on: {_words(Reason[body['reason']], body)}."


def written_off(body: Body) -> str:
    """Say who gave up tokens that the wallet no longer held."""
    return (
        f"{body['who']} wrote off the {trimmed(Decimal(body['held']))} tokens that it held "
        f"({body['why']}): the wallet had only {trimmed(Decimal(body['wallet']))}. They count as "
        "lost."
    )


class Changes:
    """Tells a job's states, and of a wait how long it lasted."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._reason: Reason | None = None
        self.active = True

    def told(self, body: Body, at: datetime, view: View | None) -> str | None:
        """Return the sentence about a job's new state; `view` is what was decided from last."""
        state = msgspec.convert(body["state"], JobState)
        reason = Reason[body["reason"]] if body["reason"] else None
        was, since = self._reason, self._since
        self.active = state in ACTIVE
        self._reason, self._since = (reason, at) if state is JobState.WAITING else (None, None)
        if state is JobState.WAITING:
            return None if reason in _TOLD_ALREADY else f"It waits: {_words(reason, body)}."
        if state is JobState.RUNNING:
            waited = was is not None and was not in _TOLD_ALREADY and since is not None
            return f"It went on after {span(at - since)}." if waited and since else None
        return _ended(state, reason, body, view)


_TOLD_ALREADY = frozenset({Reason.UNRESOLVED, Reason.PARKED})
"""Reasons of which the cycle's own sentences tell."""


def _words(reason: Reason | None, body: Body) -> str:
    detail = f" ({body['detail']})" if body["detail"] else ""
    return f"{'?' if reason is None else reason.words}{detail}"


def _ended(state: JobState, reason: Reason | None, body: Body, view: View | None) -> str:
    kept = " What is parked is kept." if reason is Reason.PARKED else ""
    match state:
        case JobState.COMPLETED:
            return f"The target is reached{_reached(view)}. The job is completed."
        case JobState.PAUSED:
            return f"The job is paused.{kept}"
        case JobState.STOPPED:
            return f"The job is stopped.{kept}"
        case JobState.NEEDS_HUMAN:
            return f"The job needs a human: {_words(reason, body)}. `oto job resume` takes it on."
        case _:
            return f"The job is {state.value}: {_words(reason, body)}."


def _reached(view: View | None) -> str:
    if view is None or view.progress is None:
        return ""
    progress = view.progress
    counted = "" if progress.counted == progress.bought else f", {usdt(progress.counted)} counted"
    return (
        f": {usdt(progress.bought)} bought{counted} in {progress.cycles} "
        f"{'cycle' if progress.cycles == 1 else 'cycles'}, of {target(view.job)}"
    )
