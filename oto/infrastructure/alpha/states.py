"""What a stream connection can be, and why it ended."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Loss(Enum):
    """Why a connection ended or did not come about."""

    NOT_CONNECTED = "the connection could not be made"
    BROKEN = "the connection broke"
    CLOSED_BY_SERVER = "the server closed the connection"
    SERVER_SHUTDOWN = "the server announced that it shuts down"
    SILENT = "nothing came, not even the answer to a ping"
    NO_DATA = "subscribed streams pushed nothing"
    UNACKNOWLEDGED = "a command was not acknowledged"
    RENEWAL = "the connection was renewed before the exchange ends it"
    REQUESTED = "we asked for a new connection"
    FAULT = "a fault of our own; the log has its traceback"


PLANNED = frozenset({Loss.SERVER_SHUTDOWN, Loss.RENEWAL})
"""Endings of a sound connection: the next one is made at once."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection is open; nothing is subscribed on it yet."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Every wanted stream is acknowledged; comes again after each change of what is wanted."""


@dataclass(frozen=True, slots=True)
class Lost:
    """No connection; what was pushed since is missed. The next attempt is in `retry_in_s`."""

    loss: Loss
    detail: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class Stopped:
    """The last state: nothing comes any more."""


ConnectionState: TypeAlias = Connected | Subscribed | Lost | Stopped


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """The exchange refused a command; a listen key in a name is hidden."""

    method: str
    names: tuple[str, ...]
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class StreamTimings:
    """When a connection is pinged, given up, renewed and made again; all in seconds.

    Pings each 20 s are what clients of the exchange do, and 23 h is when its own client renews
    (PROTOCOL §2.4); the other figures are ours. `no_data_after_s` is None where streams may
    rightly be quiet. A connection that lasted `stable_after_s` resets the backoff.
    """

    connect_within_s: float = 5.0
    ack_within_s: float = 10.0
    ping_every_s: float = 20.0
    silent_after_s: float = 50.0
    no_data_after_s: float | None = None
    renew_after_s: float = 23 * 3600.0
    stable_after_s: float = 30.0
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 60.0
    poll_every_s: float = 0.1

    def backoff_s(self, failures: int, chance: float) -> float:
        """Return the pause after so many failures in a row: full jitter under a capped double."""
        doubled = self.first_backoff_s * (1 << min(max(failures - 1, 0), 16))
        return min(self.longest_backoff_s, doubled) * chance


STANDARD_TIMINGS = StreamTimings()
