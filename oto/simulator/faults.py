"""Faults that can be switched on while the exchange runs, and the log of those that happened."""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any


class FaultKind(Enum):
    """What can go wrong; the comment names the parameters that a kind reads."""

    # On a REST call; `endpoint` and `user` choose which.
    ANSWER_LOST_BEFORE = "answer_lost_before"
    ANSWER_LOST_AFTER = "answer_lost_after"
    LATE_ANSWER = "late_answer"  # delay_ms
    SERVER_ERROR = "server_error"  # status, after (the request took effect)
    RATE_LIMITED = "rate_limited"  # retry_after_s
    FIREWALL = "firewall"
    CHALLENGE = "challenge"
    SESSION_EXPIRED = "session_expired"
    UNKNOWN_CODE = "unknown_code"  # code
    NOT_JSON = "not_json"  # the request took effect
    EXTRA_FIELDS = "extra_fields"
    MISSING_FIELDS = "missing_fields"  # the request took effect
    LATE_HISTORY = "late_history"  # delay_ms
    # On a report; `user` chooses which.
    REPORT_DELAYED = "report_delayed"  # delay_ms
    REPORT_DUPLICATED = "report_duplicated"  # delay_ms
    REPORT_REORDERED = "report_reordered"  # delay_ms
    REPORT_DROPPED = "report_dropped"
    # On sockets; happen once when they are switched on.
    SOCKET_CUT = "socket_cut"
    SOCKET_SILENT = "socket_silent"
    SERVER_SHUTDOWN = "server_shutdown"
    LISTEN_KEY_EXPIRED = "listen_key_expired"
    TRUNCATED_FRAME = "truncated_frame"
    ACK_WITHOUT_RESULT = "ack_without_result"  # stays
    # On a wallet; happens once.
    SWEPT_TO_EARN = "swept_to_earn"


REST_FAULTS = frozenset(
    {
        FaultKind.ANSWER_LOST_BEFORE,
        FaultKind.ANSWER_LOST_AFTER,
        FaultKind.LATE_ANSWER,
        FaultKind.SERVER_ERROR,
        FaultKind.RATE_LIMITED,
        FaultKind.FIREWALL,
        FaultKind.CHALLENGE,
        FaultKind.SESSION_EXPIRED,
        FaultKind.UNKNOWN_CODE,
        FaultKind.NOT_JSON,
        FaultKind.EXTRA_FIELDS,
        FaultKind.MISSING_FIELDS,
    }
)
REPORT_FAULTS = frozenset(
    {
        FaultKind.REPORT_DELAYED,
        FaultKind.REPORT_DUPLICATED,
        FaultKind.REPORT_REORDERED,
        FaultKind.REPORT_DROPPED,
    }
)
INSTANT_FAULTS = frozenset(
    {
        FaultKind.SOCKET_CUT,
        FaultKind.SOCKET_SILENT,
        FaultKind.SERVER_SHUTDOWN,
        FaultKind.LISTEN_KEY_EXPIRED,
        FaultKind.TRUNCATED_FRAME,
        FaultKind.SWEPT_TO_EARN,
    }
)

_ALWAYS = 1_000
_MOST = 10**15
_ERROR_STATUSES = range(400, 600)


class BadFaultError(ValueError):
    """A fault that cannot be switched on as it was asked for."""


@dataclass(slots=True)
class Fault:
    """One switched-on fault; `endpoint` and `user` are patterns, `count` of None is for ever.

    `from_ms` and `until_ms` are on the exchange's clock; `per_mille` is how often it strikes.
    """

    fault_id: int
    kind: FaultKind
    endpoint: str = "*"
    user: str = "*"
    per_mille: int = _ALWAYS
    count: int | None = None
    from_ms: int = 0
    until_ms: int | None = None
    delay_ms: int = 1_000
    status: int = 502
    after: bool = False
    retry_after_s: int = 1
    code: str = "999999"

    def meets(self, endpoint: str, user: str, now_ms: int) -> bool:
        started = self.from_ms <= now_ms and (self.until_ms is None or now_ms < self.until_ms)
        wanted = fnmatchcase(endpoint, self.endpoint) and fnmatchcase(user, self.user)
        return started and wanted and self.count != 0


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault that happened."""

    at_ms: int
    fault_id: int
    kind: str
    endpoint: str
    user: str
    detail: str = ""


@dataclass(slots=True)
class FaultBox:
    """The switched-on faults of one exchange; chance comes from its seed."""

    seed: int
    active: list[Fault] = field(default_factory=list)
    log: list[Strike] = field(default_factory=list)
    _chance: random.Random = field(init=False)
    _last_id: int = 0

    def __post_init__(self) -> None:
        self.reseed(self.seed)

    def reseed(self, seed: int) -> None:
        self._chance = random.Random(f"faults {seed}")  # noqa: S311 - a schedule, not a secret

    def switch_on(self, asked: Mapping[str, Any], now_ms: int) -> Fault:
        """Add a fault; `in_ms` and `for_ms` in what is asked count from now.

        Raises:
            BadFaultError: an unknown kind or key, or a value of the wrong type.
        """
        wanted = dict(asked)
        try:
            kind = FaultKind(wanted.pop("kind", None))
            wanted["from_ms"] = now_ms + wanted.pop("in_ms", 0)
            if (for_ms := wanted.pop("for_ms", None)) is not None:
                wanted["until_ms"] = wanted["from_ms"] + for_ms
            fault = Fault(self._last_id + 1, kind, **wanted)
            _check(fault)
        except (TypeError, ValueError) as error:
            raise BadFaultError(f"not a fault: {error}") from error
        self._last_id += 1
        self.active.append(fault)
        return fault

    def switch_off(self, fault_id: int | None = None) -> int:
        """Remove one fault or all of them, and return how many there were."""
        kept = [one for one in self.active if fault_id is not None and one.fault_id != fault_id]
        removed = len(self.active) - len(kept)
        self.active = kept
        return removed

    def strike(
        self, kinds: frozenset[FaultKind], endpoint: str, user: str, now_ms: int
    ) -> Fault | None:
        """Return the first of these faults that strikes now, and write it into the log."""
        for fault in self.active:
            if fault.kind in kinds and self.hits(fault, endpoint, user, now_ms):
                self.record(fault, endpoint, user, now_ms)
                return fault
        return None

    def hits(self, fault: Fault, endpoint: str, user: str, now_ms: int) -> bool:
        """Tell whether a fault strikes here and now, and count it if so."""
        if not fault.meets(endpoint, user, now_ms):
            return False
        if fault.per_mille < _ALWAYS and self._chance.randrange(_ALWAYS) >= fault.per_mille:
            return False
        if fault.count is not None:
            fault.count -= 1
        return True

    def record(self, fault: Fault, endpoint: str, user: str, now_ms: int, detail: str = "") -> None:
        self.log.append(Strike(now_ms, fault.fault_id, fault.kind.value, endpoint, user, detail))

    def add_detail(self, fault: Fault, detail: str) -> None:
        """Write into a fault's last entry of the log what came of the request that it struck."""
        for place in range(len(self.log) - 1, -1, -1):
            if self.log[place].fault_id == fault.fault_id:
                self.log[place] = replace(self.log[place], detail=detail)
                return

    def history_delay_ms(self, user: str, now_ms: int) -> int:
        """Return for how long a new order stays invisible to reads."""
        kinds = frozenset({FaultKind.LATE_HISTORY})
        fault = self.strike(kinds, "history", user, now_ms)
        return 0 if fault is None else fault.delay_ms

    def fate_of_report(self, user: str, now_ms: int) -> "ReportFate":
        """Return how often and when a report leaves."""
        fault = self.strike(REPORT_FAULTS, "report", user, now_ms)
        if fault is None:
            return ReportFate((0,))
        if fault.kind is FaultKind.REPORT_DROPPED:
            return ReportFate(())
        if fault.kind is FaultKind.REPORT_DUPLICATED:
            return ReportFate((0, fault.delay_ms))
        in_order = fault.kind is FaultKind.REPORT_DELAYED
        return ReportFate((fault.delay_ms,), in_order=in_order)


@dataclass(frozen=True, slots=True)
class ReportFate:
    """After how many extra ms each copy of a report leaves; in order, it holds back later ones."""

    delays_ms: tuple[int, ...]
    in_order: bool = False


def _check(fault: Fault) -> None:
    for name, value in asdict(fault).items():
        default = getattr(Fault(0, FaultKind.FIREWALL), name)
        if name in {"count", "until_ms"}:
            fine = value is None or _is_count(value)
        elif name == "status":
            fine = type(value) is int and value in _ERROR_STATUSES
        elif type(default) is int:
            fine = _is_count(value)
        else:
            fine = isinstance(value, type(default))
        if not fine:
            raise BadFaultError(f"{name} cannot be {value!r}")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST
