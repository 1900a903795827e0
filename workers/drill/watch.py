"""Looks at the loop ten times a second: when turns begin, and how long orders stay unknown."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from oto.infrastructure.database.pulse import Pulse, pulse
from workers.drill.machine import AWAY, Machine

_EVERY_S = 0.1
_LOOKED_FOR_S = 15.0
"""How long after a fault a pause may begin that is its own."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look, by this process's own clock; None is a database that did not answer."""

    at_s: float
    pulse: Pulse | None


@dataclass(slots=True)
class Watch:
    """Keeps every look; `began` is the start of the drill."""

    machine: Machine
    looks: list[Look] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="oto-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def recovered_since(self, at_s: float) -> bool:
        """Tell whether as many turns have begun since a time as there are active jobs."""
        latest: Pulse | None = None
        for look in self.looks[::-1]:
            if look.at_s < at_s:
                break
            if look.pulse is not None:
                latest = latest or look.pulse
                if latest.turns - look.pulse.turns >= latest.active:
                    return True
        return False

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_S):
            found: Pulse | None = None
            try:
                found = pulse(self.machine.house.engine)
            except AWAY:
                self.machine.forget_house()
            self.looks.append(Look(time.monotonic(), found))


def pause_after(looks: Sequence[Look], at_s: float, until_s: float) -> float | None:
    """Return the longest time without a turn between a fault and the next one.

    None where no job was active, so that none could go on.
    """
    turns = max((_turns(look) for look in looks if look.at_s < at_s), default=0)
    longest, since_s, active = 0.0, at_s, False
    for look in looks:
        if look.at_s < at_s:
            continue
        if look.pulse is not None and not look.pulse.active:
            break
        active = active or look.pulse is not None
        longest = max(longest, min(look.at_s, until_s) - since_s)
        if look.at_s >= until_s or since_s >= at_s + _LOOKED_FOR_S:
            break
        if _turns(look) > turns:
            turns, since_s = _turns(look), look.at_s
    return longest if active else None


def _turns(look: Look) -> int:
    return look.pulse.turns if look.pulse is not None else 0


def unknown_for_s(
    looks: Sequence[Look], outages: Sequence[tuple[float, float]] = ()
) -> list[float]:
    """Return how long each lost order was looked for: while its job was active, and no outage."""
    seen: dict[int, float] = {}
    before: Look | None = None
    for look in looks:
        if look.pulse is None:
            continue
        since = before.at_s if before is not None else look.at_s
        passed = look.at_s - since - sum(_shared(since, look.at_s, one) for one in outages)
        for order, active in look.pulse.unknown.items():
            seen[order] = seen.get(order, 0.0) + (passed if active else 0.0)
        before = look
    return sorted(seen.values())


def _shared(began: float, ended: float, outage: tuple[float, float]) -> float:
    return max(0.0, min(ended, outage[1]) - max(began, outage[0]))
