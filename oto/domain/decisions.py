"""What a decision is made of, and what it can be."""

from dataclasses import dataclass
from datetime import datetime

from oto.domain.cycle import Cycle
from oto.domain.job import Job, JobEvent, Progress, Reason
from oto.domain.leg import Leg
from oto.domain.orders import LimitOrder, OtoOrder
from oto.domain.planning import Fingerprint
from oto.domain.risk.verdict import Approved, Situation


@dataclass(frozen=True, slots=True)
class View:
    """All that a decision is made of.

    Within a cycle the progress, the balance and what is held elsewhere play no part and are not
    looked up.

    `cycle` is the job's unfinished one; `held_elsewhere` says that another job of this user has
    one on the same symbol; `taken` are the fingerprints of the last day.
    """

    job: Job
    progress: Progress | None
    cycle: Cycle | None
    situation: Situation
    taken: frozenset[Fingerprint] = frozenset()
    held_elsewhere: bool = False

    @property
    def now(self) -> datetime:
        return self.situation.now


@dataclass(frozen=True, slots=True)
class Place:
    """Store this pair as a new cycle and send it."""

    approved: Approved[OtoOrder]


@dataclass(frozen=True, slots=True)
class Exit:
    """Store this SELL as the cycle's next exit and send it."""

    approved: Approved[LimitOrder]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask the exchange to cancel this order."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Look:
    """Read the cycle's orders and their fills from the exchange."""


@dataclass(frozen=True, slots=True)
class ReadAccount:
    """Read the wallet and whether the terms are accepted."""


@dataclass(frozen=True, slots=True)
class Park:
    """Keep the inventory until it can be sold within the stated loss."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Unpark:
    """Take the parked inventory up again."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Nothing to do until a report comes or the time is there; a reason makes the job wait."""

    until: datetime
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """The job leaves the loop."""

    event: JobEvent
    reason: Reason | None = None
    detail: str = ""


Decision = Place | Exit | Cancel | Look | ReadAccount | Park | Unpark | Sleep | End
