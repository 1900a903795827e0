"""Decides again what a log says was decided, and shows where that differs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from oto.application.job_log import LogEntry, unreadable
from oto.domain.decide import decide
from oto.domain.decisions import View
from oto.domain.events import EventKind


@dataclass(frozen=True, slots=True)
class Difference:
    """One decision that would be another today; `decided` and `now` are name and figures."""

    number: int | None
    at: datetime
    decided: dict[str, Any]
    now: dict[str, Any]

    @property
    def fields(self) -> dict[str, tuple[object, object]]:
        """Return by name each figure that differs, as it was and as it is now."""
        was, now = dict(_flat(self.decided)), dict(_flat(self.now))
        names = [*was, *(name for name in now if name not in was)]
        both = {name: (was.get(name), now.get(name)) for name in names}
        return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many decisions were made again, and which came out differently."""

    decisions: int
    differences: tuple[Difference, ...]


def replay(entries: Iterable[LogEntry]) -> Replayed:
    """Make every decision of a log again, from what it was made of.

    The words of a decision's detail may change from version to version and are not compared.

    Raises:
        UnreadableLogError: the log holds something that this version cannot read.
    """
    decided = [entry for entry in entries if entry.kind == EventKind.DECIDED.value]
    differences = (_difference(entry) for entry in decided)
    return Replayed(len(decided), tuple(one for one in differences if one is not None))


def _difference(entry: LogEntry) -> Difference | None:
    try:
        view = msgspec.convert(entry.body["view"], View)
        was = _comparable(entry.body["decided"], entry.body["decision"])
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise unreadable(entry, error) from None
    decision = decide(view)
    made = msgspec.json.decode(msgspec.json.encode(decision))
    now = _comparable(type(decision).__name__, made)
    return None if was == now else Difference(entry.number, entry.at, was, now)


def _comparable(name: str, decision: dict[str, Any]) -> dict[str, Any]:
    return {"decided": name, **{key: value for key, value in decision.items() if key != "detail"}}


def _flat(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
