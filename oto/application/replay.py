"""Decides again what a log says was decided, and shows where that differs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from oto.application.job_log import LogEntry
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


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many decisions were made again, and which came out differently."""

    decisions: int
    differences: tuple[Difference, ...]


def replay(entries: Iterable[LogEntry]) -> Replayed:
    """Make every decision of a log again, from what it was made of.

    The words of a decision's detail may change from version to version and are not compared.

    Raises:
        ValueError: the log holds something that this version cannot read.
    """
    decided = [entry for entry in entries if entry.kind == EventKind.DECIDED.value]
    differences = (_difference(entry) for entry in decided)
    return Replayed(len(decided), tuple(one for one in differences if one is not None))


def _difference(entry: LogEntry) -> Difference | None:
    try:
        view = msgspec.convert(entry.body["view"], View)
        was = _comparable(entry.body["decided"], entry.body["decision"])
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        raise ValueError(f"entry {entry.number} cannot be read: {error}") from None
    decision = decide(view)
    made = msgspec.json.decode(msgspec.json.encode(decision))
    now = _comparable(type(decision).__name__, made)
    return None if was == now else Difference(entry.number, entry.at, was, now)


def _comparable(name: str, decision: dict[str, Any]) -> dict[str, Any]:
    return {"decided": name, **{key: value for key, value in decision.items() if key != "detail"}}
