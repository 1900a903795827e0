"""Each decision with all that it was made of, so that it can be made again (TRADING §5.6)."""

from collections.abc import Callable
from dataclasses import replace

from oto.application.ports import Work
from oto.domain.decide import decide
from oto.domain.decisions import Decision, Sleep, View
from oto.domain.events import EventKind
from oto.domain.planning import Fingerprint


class Asked(frozenset[Fingerprint]):
    """Fingerprints, and which of them a decision has found taken: it depends on no others."""

    found: set[Fingerprint]

    def __init__(self, _fingerprints: object = ()) -> None:
        self.found = set()

    def __contains__(self, fingerprint: object) -> bool:
        there = super().__contains__(fingerprint)
        if there and isinstance(fingerprint, tuple):
            self.found.add(fingerprint)
        return there


def recorded(work: Work, seen_as: Callable[[View], View] = lambda view: view) -> Decision:
    """Decide what a turn does next, and write to the job's log of what and how.

    `seen_as` is how the one who decides sees the job.
    """
    view = seen_as(work.view())
    asked = Asked(view.taken)
    decision = decide(replace(view, taken=asked))
    if not _says_nothing_new(view, decision):
        seen = replace(view, taken=frozenset(asked.found))
        work.note(EventKind.DECIDED, decided=type(decision).__name__, decision=decision, view=seen)
    return decision


def _says_nothing_new(view: View, decision: Decision) -> bool:
    """Tell whether a decision only lets a job go on waiting for what it waits for already."""
    return isinstance(decision, Sleep) and decision.reason in {None, view.job.reason}
