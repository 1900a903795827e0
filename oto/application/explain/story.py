"""From the entries of a log to sentences, cycle by cycle."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import msgspec

from oto.application.explain import answers, decided, jobs, phases
from oto.application.explain.phases import Sums
from oto.application.explain.words import bps, ticker, usdt
from oto.application.job_log import LogEntry, unreadable
from oto.domain.cycle import FINISHED, CyclePhase
from oto.domain.decisions import Decision, Place, View
from oto.domain.events import EventKind
from oto.domain.leg import LegKind

_DECISIONS: Mapping[str, Any] = {kind.__name__: kind for kind in get_args(Decision)}


@dataclass(frozen=True, slots=True)
class Sentence:
    at: datetime
    text: str


@dataclass(slots=True)
class Part:
    """What happened in one cycle, or between cycles if `cycle` (its number) is None."""

    cycle: int | None = None
    cycle_id: int | None = None
    phase: CyclePhase | None = None
    sums: Sums = field(default_factory=Sums)
    sentences: list[Sentence] = field(default_factory=list)


def explain(entries: Iterable[LogEntry]) -> list[Part]:
    """Tell a log, in its order; parts that nothing is said of are left out.

    Raises:
        UnreadableLogError: the log holds something that this version cannot read.
    """
    teller = _Teller()
    for entry in entries:
        try:
            teller.take(entry)
        except (msgspec.ValidationError, KeyError, TypeError) as error:
            raise unreadable(entry, error) from None
    return [part for part in teller.parts if part.sentences]


_TRADED = frozenset({CyclePhase.SETTLED, CyclePhase.WRITTEN_OFF})
"""Phases of cycles that bought and are over."""


class _Teller:
    """Goes through a log and remembers what later sentences refer to."""

    def __init__(self) -> None:
        self.parts = [Part()]
        self._cycles = 0
        self._view: View | None = None
        self._sent_at: datetime | None = None
        self._order = "pair"
        self._changes = jobs.Changes()
        self._tellers: Mapping[str, Callable[[LogEntry], str | None]] = {
            EventKind.JOB_STARTED.value: lambda entry: jobs.started(entry.body),
            EventKind.WISH_CHANGED.value: lambda entry: jobs.wished(entry.body),
            EventKind.DAY_ROLLED.value: lambda entry: jobs.day_rolled(entry.body),
            EventKind.JOB_CHANGED.value: self._job_changed,
            EventKind.CYCLE_CHANGED.value: self._cycle_changed,
            EventKind.SENDING.value: self._sending,
            EventKind.PLACED.value: lambda entry: answers.placed(
                entry.body, self._order, self._since(entry)
            ),
            EventKind.ADOPTED.value: lambda entry: answers.adopted(entry.body, self._since(entry)),
            EventKind.PROVEN_ABSENT.value: lambda entry: answers.absent(self._since(entry)),
            EventKind.LOST.value: lambda entry: answers.lost(entry.body, self._order),
            EventKind.REFUSED.value: lambda entry: answers.refused(entry.body, self._order),
            EventKind.HELD_BACK.value: lambda entry: answers.held_back(entry.body),
            EventKind.AMBIGUOUS.value: lambda entry: answers.ambiguous(entry.body),
            EventKind.WRITTEN_OFF.value: lambda entry: jobs.written_off(entry.body),
            EventKind.MET.value: lambda entry: jobs.met(entry.body),
            EventKind.CANCEL_ANSWERED.value: lambda entry: answers.cancel(entry.body),
        }

    def take(self, entry: LogEntry) -> None:
        """Take the next entry."""
        if entry.kind == EventKind.DECIDED.value:
            self._decided(entry)
        elif (tell := self._tellers.get(entry.kind)) is not None:
            part = self._part_of(entry.cycle_id)
            if text := tell(entry):
                part.sentences.append(Sentence(entry.at, text))

    def _part_of(self, cycle_id: int | None) -> Part:
        """Return where an entry belongs; what is of no cycle comes after one that is over."""
        newest = self.parts[-1]
        if cycle_id is None:
            if newest.cycle is not None and newest.phase in FINISHED:
                self.parts.append(newest := Part())
            return newest
        if newest.cycle is not None and newest.cycle_id is None:
            newest.cycle_id = cycle_id
        known = (part for part in self.parts if part.cycle_id == cycle_id)
        return next(known, newest)

    def _decided(self, entry: LogEntry) -> None:
        view = msgspec.convert(entry.body["view"], View)
        decision = msgspec.convert(entry.body["decision"], _DECISIONS[entry.body["decided"]])
        self._view = view
        if isinstance(decision, Place):
            self._cycles += 1
            self.parts.append(Part(cycle=self._cycles))
        part = self.parts[-1] if entry.cycle_id is None else self._part_of(entry.cycle_id)
        part.sentences += (Sentence(entry.at, text) for text in decided.why(view, decision))

    def _job_changed(self, entry: LogEntry) -> str | None:
        said = self._part_of(entry.cycle_id).sentences
        detail = entry.body["detail"]
        new = not (said and detail and detail in said[-1].text)
        body = {**entry.body, "detail": detail if new else ""}
        text = self._changes.told(body, entry.at, self._view)
        return f"{text}{self._cost()}" if text and not self._changes.active else text

    def _cost(self) -> str:
        settled = [part.sums for part in self.parts if part.phase in _TRADED]
        spent = sum((one.spent for one in settled), Decimal(0))
        cost = sum((one.cost for one in settled), Decimal(0))
        if not spent:
            return ""
        return f" What it bought and sold, {usdt(spent)}, cost {usdt(cost)} ({bps(cost, spent)})."

    def _cycle_changed(self, entry: LogEntry) -> str | None:
        change = phases.change_of(entry.body)
        part = self._part_of(entry.cycle_id)
        purchase_told = bool(part.sums.spent)
        part.phase, part.sums = change.phase, change.sums
        name = "" if self._view is None else ticker(self._view)
        return phases.told(change, name, purchase_told=purchase_told)

    def _sending(self, entry: LogEntry) -> None:
        self._sent_at = entry.at
        working = entry.body["leg"] == LegKind.WORKING.value
        self._order = "pair" if working else "exit order"

    def _since(self, entry: LogEntry) -> timedelta | None:
        return None if self._sent_at is None else entry.at - self._sent_at
