"""Which fault strikes when: a pure function of a seed and of what is asked for."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oto.domain.errors import SentenceError
from oto.infrastructure.sabotage import CrashPoint

Parameters = Mapping[str, Any]

SYMBOLS = ("ALPHA_971USDT", "ALPHA_373USDT")
"""What the users trade, in turn."""


class UnknownFaultError(SentenceError, ValueError):
    """There is no fault of that name."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault, so many seconds after the first turn."""

    at_s: float
    fault: str
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Drawing:
    """What parameters are drawn from; users are numbered from 1."""

    chance: random.Random
    users: int

    def user(self) -> str:
        return f"sim-{self.chance.randint(1, self.users)}"

    def some(self) -> str:
        """One user, or all of them."""
        return self.chance.choice((self.user(), "*"))

    def of(self, *values: Any) -> Any:  # noqa: ANN401 - what a fault's parameter may be
        return self.chance.choice(values)

    def between(self, least: int, most: int) -> int:
        return self.chance.randint(least, most)


Draw = Callable[[Drawing], Parameters]

_WRITES = ("place*", "place*", "place_oto", "cancel", "*")
_ONCE = {"count": 1, "for_ms": 8_000}


def _write(draw: Drawing) -> dict[str, Any]:
    return {
        "endpoint": draw.of(*_WRITES),
        "user": draw.some(),
        "count": draw.between(1, 4),
        "for_ms": 8_000,
    }


def _report(draw: Drawing) -> dict[str, Any]:
    return {
        "user": draw.some(),
        "per_mille": draw.between(300, 1000),
        "delay_ms": draw.between(100, 4_000),
        "for_ms": draw.between(2_000, 6_000),
    }


def _socket(draw: Drawing) -> dict[str, Any]:
    return {"endpoint": draw.of("market", "user", "*")}


def _human(draw: Drawing) -> dict[str, Any]:
    return {"user": draw.user(), "endpoint": draw.of("place*", "*"), **_ONCE}


def _nothing(_: Drawing) -> dict[str, Any]:
    return {}


EXCHANGE: Mapping[str, Draw] = {
    "answer_lost_before": _write,
    "answer_lost_after": _write,
    "late_answer": lambda draw: _write(draw) | {"delay_ms": draw.of(300, 1_500, 4_000, 9_000)},
    "server_error": lambda draw: (
        _write(draw) | {"status": draw.of(500, 502, 503, 504), "after": draw.of(True, False)}
    ),
    "rate_limited": lambda draw: _write(draw) | {"retry_after_s": draw.between(1, 4)},
    "firewall": _human,
    "challenge": _human,
    "session_expired": _human,
    "unknown_code": _human,
    "restricted": _human,
    "not_json": _human,
    "missing_fields": _human,
    "extra_fields": lambda draw: {"user": draw.some(), "for_ms": 5_000},
    "late_history": lambda draw: {
        "user": draw.some(),
        "delay_ms": draw.between(500, 6_000),
        "for_ms": 5_000,
    },
    "report_delayed": _report,
    "report_duplicated": _report,
    "report_reordered": _report,
    "report_dropped": _report,
    "socket_cut": _socket,
    "socket_silent": _socket,
    "server_shutdown": _socket,
    "listen_key_expired": lambda draw: {"user": draw.some()},
    "truncated_frame": _socket,
    "ack_without_result": lambda _: {"for_ms": 5_000},
    "swept_to_earn": lambda draw: {"user": draw.some()},
    "partial_fill_policy": lambda draw: {
        "policy": draw.of("pending_on_full_fill", "pending_on_partial", "void_on_cancel")
    },
    "thin_book": lambda draw: {
        "depth_usdt": draw.between(1, 4),
        "for_ms": draw.between(4_000, 8_000),
    },
}
"""Faults of the exchange; most are the simulator's own (docs/simulator.md)."""

MESSAGES: Mapping[str, Draw] = {
    **{
        f"wakes_{what}": lambda draw: {"per_mille": draw.between(200, 1000), "for_ms": 5_000}
        for what in ("dropped", "doubled", "delayed", "replayed")
    },
    "old_wakes": lambda draw: {"epochs_back": draw.between(1, 60), "copies": draw.between(1, 3)},
    "clock_stepped": lambda draw: {
        "step_s": draw.of(-5, 5),
        "whose": draw.of("all", "worker-1", "worker-2", "order-streamer"),
        "for_ms": draw.between(4_000, 9_000),
    },
}
"""What happens to wake-ups and clocks."""


def _halt(draw: Drawing) -> dict[str, Any]:
    return {"flatten": draw.of(True, False), "for_ms": draw.between(1_000, 4_000)}


PROCESSES: Mapping[str, Draw] = {
    "kill_worker": lambda draw: {"worker": draw.between(1, 2)},
    "kill_order_streamer": _nothing,
    "kill_price_streamer": _nothing,
    "kill_beat": _nothing,
    "kill_supervisor": _nothing,
    "kill_guard": _nothing,
    "freeze_worker": lambda draw: {
        "worker": draw.between(1, 2),
        "for_ms": draw.between(1_000, 8_000),
    },
    "kill_redis": _nothing,
    "flush_redis": _nothing,
    "kill_postgres": _nothing,
    "cut_postgres": _nothing,
    "slow_postgres": lambda draw: {"for_ms": draw.between(500, 2_500)},
    "halt_all": _halt,
    "halt_user": lambda draw: _halt(draw) | {"user": draw.user()},
    "halt_token": _halt,
    "halt_dead": lambda draw: _halt(draw) | {"flatten": True},
    **{f"crash_{point.value}": _nothing for point in CrashPoint},
}
"""Deaths of our own processes and servers, and halts, some of them amid those."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Faults of which one follows the other, so many seconds apart."""

    faults: Mapping[str, Draw]
    least_s: float
    most_s: float


DEATHS = "processes"
"""The lane whose faults wait until the loop goes on after the one before: so the time until it
does can be told of each."""

OUTAGES = frozenset({"kill_supervisor", "kill_guard", "halt_dead"})
"""Faults that take everything down, and that the drill itself ends: nothing goes on meanwhile."""

LANES: Mapping[str, Lane] = {
    "exchange": Lane(EXCHANGE, 1.0, 2.5),
    "messages": Lane(MESSAGES, 4.0, 9.0),
    DEATHS: Lane(PROCESSES, 5.0, 8.0),
}
FAULTS: Mapping[str, Draw] = {
    name: draw for lane in LANES.values() for name, draw in lane.faults.items()
}


def chosen(text: str) -> frozenset[str]:
    """Return the faults that `all`, `none` or names with commas between stand for.

    Raises:
        UnknownFaultError: one of them does not exist.
    """
    if text == "none":
        return frozenset()
    names = frozenset(FAULTS if text == "all" else filter(None, text.split(",")))
    if unknown := sorted(names - FAULTS.keys()):
        raise UnknownFaultError(
            f"There is no fault {', '.join(unknown)}; there are: {', '.join(FAULTS)}."
        )
    return names


def schedule(
    seed: int, seconds: float, users: int, names: frozenset[str]
) -> Mapping[str, Sequence[Strike]]:
    """Return the strikes of each lane, in the order of time."""
    return {
        name: tuple(_strikes(f"{seed} {name}", lane, seconds, users, names))
        for name, lane in LANES.items()
    }


def _strikes(
    seed: str, lane: Lane, seconds: float, users: int, names: frozenset[str]
) -> Iterator[Strike]:
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    drawing = Drawing(chance, users)
    deck: list[str] = []
    at_s = 0.0
    while (at_s := at_s + chance.uniform(lane.least_s, lane.most_s)) < seconds:
        if not deck:  # each once before any of them again
            deck = sorted(names & lane.faults.keys())
            chance.shuffle(deck)
        if not deck:
            return
        fault = deck.pop()
        yield Strike(round(at_s, 3), fault, lane.faults[fault](drawing))
