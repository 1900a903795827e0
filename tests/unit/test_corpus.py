"""Stored logs of jobs that met trouble: each is whole, decides the same again, and can be told.

After a change of decisions on purpose: `python -m tests.corpus` makes them anew.
"""

import random
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from oto.application.explain import explain
from oto.application.job_log import JobLog, first_amiss
from oto.application.replay import replay
from oto.domain.cycle import CyclePhase
from oto.domain.events import EventKind
from oto.infrastructure.log_file import read_log
from tests.corpus.scenarios import SCENARIOS
from tests.corpus.stored import FOLDER, file_of

pytestmark = pytest.mark.unit

_MOST_BYTES = 500_000


@pytest.fixture(params=sorted(SCENARIOS))
def log(request: pytest.FixtureRequest) -> JobLog:
    return read_log(file_of(request.param))


def test_the_corpus_is_small_and_has_every_scenario() -> None:
    files = set(FOLDER.glob("*.jsonl.gz"))

    assert files == {file_of(name) for name in SCENARIOS}
    assert sum(file.stat().st_size for file in files) < _MOST_BYTES


def test_the_corpus_has_met_every_kind_of_trouble() -> None:
    logs = [read_log(file_of(name)) for name in SCENARIOS]
    entries = [entry for log in logs for entry in log.entries]
    decided = {entry.body["decided"] for entry in entries if entry.kind == EventKind.DECIDED.value}
    changes = [one.body for one in entries if one.kind == EventKind.CYCLE_CHANGED.value]
    reasons = {one.body["reason"] for one in entries if one.kind == EventKind.JOB_CHANGED.value}

    assert decided == {
        *("Place", "Exit", "Cancel", "Look", "ReadAccount", "Park", "Unpark", "Sleep", "End")
    }
    assert {
        *("lost", "adopted", "proven_absent", "refused", "held_back", "day_rolled", "cancel_sent")
    } <= {entry.kind for entry in entries}
    assert {phase.value for phase in CyclePhase} - {"planned", "sending"} <= {
        body["phase"] for body in changes
    }
    assert {
        *("STALE_PRICE", "CROSSED_BOOK", "ZOMBIE_BOOK", "WIDE_SPREAD", "LOW_BALANCE", "HALTED"),
        *("NOT_TRADING", "RATE_LIMITED", "UNRESOLVED", "PARKED", "SESSION_OVER", "VERIFICATION"),
        *("FIREWALLED", "UNKNOWN_ANSWER", "AMBIGUOUS", "UNAVAILABLE"),
    } <= reasons


def test_every_decision_comes_out_the_same_again(log: JobLog) -> None:
    assert first_amiss(log) is None
    again = replay(log.entries)
    assert again.decisions > 2
    assert again.differences == ()


def test_every_job_can_be_told_in_full_sentences(log: JobLog) -> None:
    parts = explain(log.entries)

    for part in parts:
        assert part.cycle is None or part.phase is not None
        for one in part.sentences:
            assert one.text.endswith(".")
            assert "?" not in one.text.replace("is it in the wallet?", "")
    decided = [one.body["decided"] for one in log.entries if one.kind == "decided"]
    assert [part.cycle for part in parts if part.cycle] == [
        number + 1 for number in range(decided.count("Place"))
    ]


def test_a_changed_figure_of_a_decision_is_a_difference(log: JobLog) -> None:
    for place, entry in enumerate(log.entries):
        if entry.body.get("decided") not in {"Place", "Exit"}:
            continue
        order = entry.body["decision"]["approved"]["order"]
        name = "working_price" if "working_price" in order else "price"
        dearer = str(Decimal(order[name]) * 2)
        changed = _with(entry.body, ("decision", "approved", "order", name), dearer)
        entries = (*log.entries[:place], replace(entry, body=changed), *log.entries[place + 1 :])

        (difference,) = replay(entries).differences

        assert difference.number == entry.number
        assert difference.fields == {f"approved.order.{name}": (dearer, order[name])}


def test_a_changed_figure_of_what_was_seen_is_a_difference() -> None:
    log = read_log(file_of("quiet"))
    place, entry = next(
        (place, one) for place, one in enumerate(log.entries) if one.body.get("decided") == "Place"
    )
    changed = _with(entry.body, ("view", "situation", "tick", "ask", "price"), "0.2272")
    entries = (*log.entries[:place], replace(entry, body=changed), *log.entries[place + 1 :])

    (difference,) = replay(entries).differences

    assert "approved.order.working_price" in difference.fields


def test_an_entry_that_is_removed_changed_added_or_moved_breaks_the_chain(log: JobLog) -> None:
    entries, chance = log.entries, random.Random(1)
    for place in {0, len(entries) - 1, *chance.sample(range(len(entries)), 5)}:
        entry = entries[place]
        before, after = entries[:place], entries[place + 1 :]
        edited = replace(entry, body={**entry.body, "x": 1})
        for changed in (
            (*before, *after),
            (*before, edited, *after),
            (*before, entry, *after)[::-1],
        ):
            amiss = first_amiss(replace(log, entries=tuple(changed)))
            assert amiss is not None
            assert amiss <= place + 1
        assert first_amiss(replace(log, entries=(*before, entry, entry, *after))) == place + 2
        if after:
            swapped = (*before, after[0], entry, *after[1:])
            assert first_amiss(replace(log, entries=swapped)) == place + 1


def _with(body: Mapping[str, Any], path: tuple[str, ...], value: str) -> dict[str, Any]:
    name, *rest = path
    return {**body, name: _with(body[name], tuple(rest), value) if rest else value}
