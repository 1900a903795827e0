"""A job's log: what was seen and decided, each entry chained to the one before (TRADING §5.6)."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from oto.domain.errors import SentenceError
from oto.domain.events import EventKind

LOG_KEPT = timedelta(days=90)
"""How long after a job's end its log is kept: a quarter can be looked back on, and the table does
not grow for ever at some 8 kB a cycle. Cycles, orders and fills stay for good."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry. Those from before there was a chain have no number and no hash."""

    at: datetime
    kind: str
    cycle_id: int | None
    body: dict[str, Any]
    number: int | None = None
    hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class JobLog:
    """A whole log. `length` and `hash` are those of its newest entry, as the job's row has them."""

    job_id: int
    length: int
    hash: bytes
    entries: tuple[LogEntry, ...] = ()


class UnreadableLogError(SentenceError, ValueError):
    """It is not a job's log, or one that this version cannot read."""


def unreadable(entry: LogEntry, error: Exception) -> UnreadableLogError:
    """Return what is raised where an entry is not understood."""
    return UnreadableLogError(f"Entry {entry.number} of the log cannot be read: {error}.")


def link(  # noqa: PLR0917 - an entry and what it follows
    before: bytes,
    number: int,
    at: datetime,
    kind: str,
    cycle_id: int | None,
    body: Mapping[str, object],
) -> bytes:
    """Return the hash of an entry, which stands for all that came before it too."""
    entry = msgspec.json.encode([number, at, kind, cycle_id, body], order="sorted")
    return hashlib.sha256(before + entry).digest()


def first_broken(entries: Iterable[LogEntry]) -> int | None:
    """Return the number of the first entry that was changed, or before which one is missing."""
    before, expected, older = b"", 1, False
    for entry in entries:
        if entry.number is None and expected == 1:
            older = True
            continue
        # Nothing is older than a chain that began with its job.
        forged = older and expected == 1 and entry.kind == EventKind.JOB_STARTED.value
        linked = link(before, expected, entry.at, entry.kind, entry.cycle_id, entry.body)
        if forged or entry.number != expected or entry.hash != linked:
            return expected
        before, expected = linked, expected + 1
    return None


def first_amiss(log: JobLog) -> int | None:
    """Return the number of the first entry that was changed or is missing, at the end too."""
    broken = first_broken(log.entries)
    chained = [entry for entry in log.entries if entry.number is not None]
    if broken is not None:
        return broken
    if len(chained) != log.length:
        return min(len(chained), log.length) + 1
    return None if not chained or chained[-1].hash == log.hash else log.length


def to_lines(log: JobLog) -> bytes:
    """Write a log as JSON, one line for what it is of and one for each entry."""
    head = replace(log, entries=())
    return b"".join(msgspec.json.encode(line) + b"\n" for line in (head, *log.entries))


def from_lines(lines: bytes) -> JobLog:
    """Read what `to_lines` has written.

    Raises:
        UnreadableLogError: it is no such log.
    """
    head, _, rest = lines.partition(b"\n")
    try:
        log = msgspec.json.decode(head, type=JobLog)
        entries = (msgspec.json.decode(line, type=LogEntry) for line in rest.splitlines() if line)
        return replace(log, entries=tuple(entries))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableLogError(f"This is not a job's log: {error}.") from None
