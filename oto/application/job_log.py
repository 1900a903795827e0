"""A job's log: what was seen and decided, each entry chained to the one before (TRADING §5.6)."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry. Those from before there was a chain have no number and no hash."""

    at: datetime
    kind: str
    cycle_id: int | None
    body: dict[str, Any]
    number: int | None = None
    hash: bytes | None = None


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
    before, expected = b"", 1
    for entry in entries:
        if entry.number is None:
            continue
        linked = link(before, expected, entry.at, entry.kind, entry.cycle_id, entry.body)
        if entry.number != expected or entry.hash != linked:
            return expected
        before, expected = linked, expected + 1
    return None


def to_lines(entries: Iterable[LogEntry]) -> bytes:
    """Write a log as JSON, an entry a line."""
    return b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)


def from_lines(lines: bytes) -> list[LogEntry]:
    """Read what `to_lines` has written.

    Raises:
        ValueError: it is no such log.
    """
    try:
        return [msgspec.json.decode(line, type=LogEntry) for line in lines.splitlines() if line]
    except msgspec.MsgspecError as error:
        raise ValueError(f"this is not a job's log: {error}") from None
