"""What can go wrong, where, and how often."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    """Names of the faults; the words stand in a story."""

    # Of a request, made by the simulator.
    LOST_BEFORE = "the answer is lost, the request had no effect"
    LOST_AFTER = "the answer is lost, the request had its effect"
    FAILED_BEFORE = "a 5xx without effect"
    FAILED_AFTER = "a 5xx after the effect"
    RATE_LIMITED = "a 429"
    REFUSED = "refused"
    EXTRA_FIELDS = "fields that nobody knows"
    # Of a request, on the way.
    LATE = "the answer is lost, the effect comes seconds later"
    VERY_LATE = "the answer is lost, the effect comes when the order counts as absent"
    NO_CONNECTION = "no connection"
    LAGGING = "reads show what was so seconds ago"
    # These call for a human.
    CHALLENGE = "a verification is asked for"
    SESSION_OVER = "the session is over"
    FIREWALL = "the firewall answers"
    STRANGE_CODE = "a code that nobody knows"
    NOT_JSON = "a web page after the effect"
    MISSING_FIELDS = "an answer without its fields, after the effect"
    # Of the process that takes the turn.
    KILLED = "killed"
    HELD_UP = "held up for longer than its lease"
    DATABASE_AWAY = "the database breaks off"
    CLOCK_STEPPED = "the clock is stepped"
    # Of the messages.
    WAKE_LOST = "a wake-up is lost"
    WAKE_DOUBLED = "a wake-up is doubled"
    WAKE_DELAYED = "a wake-up is late"
    WAKE_STALE = "an old wake-up comes again"
    SWEEP_MISSED = "a sweep does not take place"
    REPORT_LOST = "a report is lost"
    REPORT_DOUBLED = "a report is doubled"
    REPORT_DELAYED = "a report is late, others overtake it"
    STREAM_CUT = "the user stream is cut"
    # Of people.
    HALTED = "trading is halted"


HUMAN = frozenset(
    {
        Fault.CHALLENGE,
        Fault.SESSION_OVER,
        Fault.FIREWALL,
        Fault.STRANGE_CODE,
        Fault.NOT_JSON,
        Fault.MISSING_FIELDS,
        Fault.VERY_LATE,
    }
)
"""Faults after which a job may call for a human."""

BY_SIMULATOR: Mapping[Fault, Mapping[str, object]] = {
    Fault.LOST_BEFORE: {"kind": "answer_lost_before"},
    Fault.LOST_AFTER: {"kind": "answer_lost_after"},
    Fault.FAILED_BEFORE: {"kind": "server_error", "status": 503},
    Fault.FAILED_AFTER: {"kind": "server_error", "status": 504, "after": True},
    Fault.RATE_LIMITED: {"kind": "rate_limited", "retry_after_s": 1},
    Fault.REFUSED: {"kind": "unknown_code", "code": "481002"},
    Fault.EXTRA_FIELDS: {"kind": "extra_fields"},
    Fault.CHALLENGE: {"kind": "challenge"},
    Fault.SESSION_OVER: {"kind": "session_expired"},
    Fault.FIREWALL: {"kind": "firewall"},
    Fault.STRANGE_CODE: {"kind": "unknown_code", "code": "999999"},
    Fault.NOT_JSON: {"kind": "not_json"},
    Fault.MISSING_FIELDS: {"kind": "missing_fields"},
}

WRITE = {
    # What proves to be absent takes twenty reads.
    Fault.LOST_BEFORE: 4,
    Fault.LOST_AFTER: 14,
    Fault.FAILED_BEFORE: 3,
    Fault.FAILED_AFTER: 10,
    Fault.RATE_LIMITED: 8,
    Fault.REFUSED: 8,
    Fault.EXTRA_FIELDS: 3,
    Fault.LATE: 10,
    Fault.NO_CONNECTION: 8,
    Fault.CHALLENGE: 1,
    Fault.SESSION_OVER: 1,
    Fault.FIREWALL: 1,
    Fault.STRANGE_CODE: 1,
    Fault.NOT_JSON: 1,
    Fault.MISSING_FIELDS: 1,
}
READ = {
    Fault.LOST_BEFORE: 10,
    Fault.FAILED_BEFORE: 10,
    Fault.RATE_LIMITED: 5,
    Fault.NO_CONNECTION: 10,
    Fault.LAGGING: 15,
    Fault.EXTRA_FIELDS: 5,
    Fault.NOT_JSON: 1,
    Fault.SESSION_OVER: 1,
}
PROCESS = {Fault.KILLED: 5, Fault.HELD_UP: 2}
TRANSACTION = {
    Fault.KILLED: 5,
    Fault.HELD_UP: 2,
    Fault.DATABASE_AWAY: 3,
    Fault.HALTED: 4,
    Fault.CLOCK_STEPPED: 2,
}
WAKE = {
    Fault.WAKE_LOST: 5,
    Fault.WAKE_DOUBLED: 5,
    Fault.WAKE_DELAYED: 5,
    Fault.WAKE_STALE: 5,
}
REPORT = {
    Fault.REPORT_LOST: 6,
    Fault.REPORT_DOUBLED: 5,
    Fault.REPORT_DELAYED: 6,
    Fault.STREAM_CUT: 1,
}


@dataclass(slots=True)
class Chance:
    """Draws faults from one seed; quiet, it draws none."""

    random: random.Random
    quiet: bool = False

    def of(self, weights: Mapping[Fault, int], per_mille: int) -> Fault | None:
        """Draw one of some faults, so often."""
        if self.quiet or self.random.randrange(1000) >= per_mille:
            return None
        return self.random.choices(list(weights), list(weights.values()))[0]

    def ms(self, least: int, most: int) -> int:
        return self.random.randint(least, most)
