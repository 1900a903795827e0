"""A job's log as it is shown: its entries, its replay, its story."""

import json
from collections.abc import Sequence
from textwrap import fill

import click
from rich.text import Text

from oto.application.explain import Part, Sentence
from oto.application.job_log import JobLog, LogEntry
from oto.application.replay import Difference, Replayed
from oto.interface.cli.output import console, local, print_rows

_MILLISECONDS = 1000


def entry_line(entry: LogEntry) -> str:
    """Return an entry in one line; what is nested in it is for JSON."""
    told = {key: value for key, value in entry.body.items() if not isinstance(value, dict)}
    body = "  ".join(f"{key}={_short(value)}" for key, value in told.items() if value)
    cycle = "" if entry.cycle_id is None else f"  cycle={entry.cycle_id}"
    return f"{local(entry.at)}  {entry.kind}{cycle}  {body}".rstrip()


def entry_json(entry: LogEntry) -> dict[str, object]:
    return {
        "number": entry.number,
        "at": entry.at,
        "event": entry.kind,
        "cycle_id": entry.cycle_id,
        "body": entry.body,
    }


def replay_json(log: JobLog, amiss: int | None, again: Replayed) -> dict[str, object]:
    """Return a replay with stable keys."""
    first = again.differences[0] if again.differences else None
    return {
        "job_id": log.job_id,
        "entries": len(log.entries),
        "whole": amiss is None,
        "first_amiss": amiss,
        "decisions": again.decisions,
        "differences": len(again.differences),
        "first_difference": None
        if first is None
        else {
            "number": first.number,
            "at": first.at,
            "decided": first.decided,
            "now": first.now,
            "fields": list(first.fields),
        },
    }


def print_replay(log: JobLog, amiss: int | None, again: Replayed) -> None:
    """Say whether a log is whole, and show the first decision that differs."""
    click.echo(_chain_words(log, amiss))
    if not again.differences:
        click.echo(f"All {again.decisions} decisions come out the same again.")
        return
    click.echo(
        f"{len(again.differences)} of {again.decisions} decisions come out differently now. "
        "The first of them:"
    )
    _print_difference(again.differences[0])


def _chain_words(log: JobLog, amiss: int | None) -> str:
    entries = f"The log of job {log.job_id} has {len(log.entries)} entries"
    if amiss is None:
        return f"{entries} and is whole: none was changed, added, moved or taken out."
    if amiss > len(log.entries):
        return f"{entries} and is not whole: its end is missing, from entry {amiss} on."
    return (
        f"{entries} and is not whole: entry {amiss} was changed, or something was added, moved or "
        "taken out there."
    )


def _print_difference(first: Difference) -> None:
    rows = [
        {"field": name, "decided": _shown(was), "now": _shown(now)}
        for name, (was, now) in first.fields.items()
    ]
    title = f"\nEntry {first.number}, {local(first.at)}"
    print_rows(title, ("field", "decided", "now"), rows, as_json=False)


def story_json(job_id: int, parts: Sequence[Part]) -> dict[str, object]:
    """Return a story with stable keys."""
    return {"job_id": job_id, "parts": [_part_json(part) for part in parts]}


def _part_json(part: Part) -> dict[str, object]:
    return {
        "cycle": part.cycle,
        "cycle_id": part.cycle_id,
        "phase": part.phase,
        "bought_usdt": part.sums.spent,
        "received_usdt": part.sums.received,
        "held": part.sums.held,
        "sentences": [{"at": one.at, "text": one.text} for one in part.sentences],
    }


def print_story(parts: Sequence[Part]) -> None:
    """Print sentences beside their times, under a heading for each cycle."""
    out = console()
    for part in parts:
        out.print(Text(f"\n{_heading(part)}", style="bold"))
        for one in part.sentences:
            click.echo(_beside_its_time(one, out.width))


def _beside_its_time(one: Sentence, width: int) -> str:
    moment = one.at.astimezone()
    margin = f"  {moment:%H:%M:%S}.{moment.microsecond // _MILLISECONDS:03}  "
    return fill(one.text, width, initial_indent=margin, subsequent_indent=" " * len(margin))


def _heading(part: Part) -> str:
    began = f"{part.sentences[0].at.astimezone():%Y-%m-%d}"
    if part.cycle is None:
        return f"The job, {began}"
    phase = "" if part.phase is None else f", {part.phase.value.replace('_', ' ')}"
    return f"Cycle {part.cycle}{phase}, {began}"


def _shown(value: object) -> str:
    return "" if value is None else _short(value)


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
