"""Names of what is written to a job's log, in the past tense."""

from enum import Enum


class EventKind(Enum):
    JOB_STARTED = "job_started"
    JOB_CHANGED = "job_changed"
    WISH_CHANGED = "wish_changed"
    DAY_ROLLED = "day_rolled"
    DECIDED = "decided"
    """With all that the decision was made of; a wait that goes on is not decided anew."""
    CYCLE_CHANGED = "cycle_changed"
    SENDING = "sending"
    PLACED = "placed"
    REFUSED = "refused"
    LOST = "lost"
    HELD_BACK = "held_back"
    ADOPTED = "adopted"
    PROVEN_ABSENT = "proven_absent"
    AMBIGUOUS = "ambiguous"
    CANCEL_SENT = "cancel_sent"
    CANCEL_ANSWERED = "cancel_answered"
    REPORT_APPLIED = "report_applied"
    LOOKED = "looked"
    ACCOUNT_READ = "account_read"
    MET = "met"
    """What stood in the way of one who had seized a job that is out of the loop."""
