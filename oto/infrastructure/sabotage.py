"""What `oto drill` does to a process from within: none of it is used without `OTO_DRILL`.

The drill writes small files into that folder. The parts here stand in for the real ones, look at
the files, and end the process, tell a wrong time or lose messages as those say.
"""

import json
import os
import random
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

from celery import Celery
from sqlalchemy import Engine

from oto.application.ports import Turn, Wake
from oto.domain.cycle import Cycle
from oto.domain.job import UserId
from oto.domain.leg import LegState
from oto.domain.market import Symbol
from oto.domain.orders import ExecutionReport, LimitOrder, OrderId, OtoOrder, PlacedOto
from oto.domain.risk.verdict import Approved
from oto.domain.tick import Tick
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.user_exchange import UserExchange
from oto.infrastructure.clock import SystemClock
from oto.infrastructure.database.leases import Leases
from oto.infrastructure.database.ledger import SqlLedger
from oto.infrastructure.database.users import Users
from oto.infrastructure.database.work import JobWork
from oto.infrastructure.dispatch import CeleryDispatcher
from oto.infrastructure.exchanges import KeptExchanges
from oto.infrastructure.vault import Vault

CLOCKS = "clocks"
"""Folder of files that are named after a process id and hold seconds to add to its clock."""
CRASHES = "crashes"
"""Folder of files that are named after a crash point: who comes by there and removes one, dies."""
WAKES = "wakes.json"
"""How many per mille of the wake-ups meet what: `dropped`, `doubled`, `delayed`, `replayed`."""

_DELAY_S = 4.0
_REMEMBERED = 500
_ALL = 1000


class CrashPoint(Enum):
    """Where a process can be made to end."""

    AFTER_CLAIM = "after_claim"
    AFTER_INTENT = "after_intent"
    AFTER_SENDING = "after_sending"
    BEFORE_POST = "before_post"
    AFTER_POST = "after_post"
    BEFORE_OUTCOME = "before_outcome"
    AFTER_OUTCOME = "after_outcome"
    BEFORE_CANCEL = "before_cancel"
    AFTER_CANCEL = "after_cancel"
    BEFORE_WAKE = "before_wake"
    AFTER_SWEEP = "after_sweep"
    BEFORE_REPORT = "before_report"
    AFTER_REPORT = "after_report"


class Crashes:
    """The crash points of one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / CRASHES

    def reach(self, point: CrashPoint) -> None:
        """End this process at once if the drill waits for it here."""
        with suppress(FileNotFoundError):
            (self._folder / point.value).unlink()
            os.kill(os.getpid(), signal.SIGKILL)


class SteppedClock(SystemClock):
    """A clock that someone sets while it runs; what only goes forward is not concerned."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / CLOCKS / str(os.getpid())

    def now(self) -> datetime:
        try:
            step_s = float(self._file.read_text())
        except (FileNotFoundError, ValueError):
            step_s = 0.0
        return super().now() + timedelta(seconds=step_s)


class UnreliableDispatcher(CeleryDispatcher):
    """Loses, doubles, delays and repeats wake-ups."""

    def __init__(self, app: Celery, folder: Path, crashes: Crashes) -> None:
        super().__init__(app)
        self._file = folder / WAKES
        self._crashes = crashes
        self._sent: deque[Wake] = deque(maxlen=_REMEMBERED)

    def wake(self, wake: Wake, delay_s: float = 0) -> None:
        self._crashes.reach(CrashPoint.BEFORE_WAKE)
        asked = self._asked()
        if _happens(asked.get("dropped", 0)):
            return
        late = _DELAY_S * random.random() if _happens(asked.get("delayed", 0)) else 0  # noqa: S311
        super().wake(wake, delay_s + late)
        if _happens(asked.get("doubled", 0)):
            super().wake(wake, delay_s)
        if self._sent and _happens(asked.get("replayed", 0)):
            super().wake(random.choice(self._sent))  # noqa: S311 - a disturbance, not a secret
        self._sent.append(wake)

    def _asked(self) -> dict[str, int]:
        try:
            asked: dict[str, int] = json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return asked


def _happens(per_mille: int) -> bool:
    return random.randrange(_ALL) < per_mille  # noqa: S311 - a disturbance, not a secret


class SabotagedLedger(SqlLedger):
    """Ends the process around commits."""

    def __init__(self, engine: Engine, leases: Leases, crashes: Crashes) -> None:
        super().__init__(engine, leases, live=False)
        self._crashes = crashes

    def claim(self, wake: Wake) -> Turn | None:
        turn = super().claim(wake)
        if turn is not None:
            self._crashes.reach(CrashPoint.AFTER_CLAIM)
        return turn

    @contextmanager
    def work(self, turn: Turn, now: datetime, tick: Tick | None) -> Iterator[JobWork]:
        with super().work(turn, now, tick) as work:
            was_sending = _has(work.cycle, LegState.SENDING)
            yield work
            planned = _has(work.cycle, LegState.PLANNED)
            sending = _has(work.cycle, LegState.SENDING)
            concluded = was_sending and not sending
            if concluded:
                self._crashes.reach(CrashPoint.BEFORE_OUTCOME)
        if planned:
            self._crashes.reach(CrashPoint.AFTER_INTENT)
        if sending:
            self._crashes.reach(CrashPoint.AFTER_SENDING)
        if concluded:
            self._crashes.reach(CrashPoint.AFTER_OUTCOME)

    def take_report(
        self, user_id: UserId, report: ExecutionReport, received_at: datetime
    ) -> Wake | None:
        self._crashes.reach(CrashPoint.BEFORE_REPORT)
        wake = super().take_report(user_id, report, received_at)
        self._crashes.reach(CrashPoint.AFTER_REPORT)
        return wake

    def due(self, most: int) -> Sequence[Wake]:
        wakes = super().due(most)
        if wakes:
            self._crashes.reach(CrashPoint.AFTER_SWEEP)
        return wakes


def _has(cycle: Cycle | None, state: LegState) -> bool:
    return cycle is not None and any(leg.state is state for leg in cycle.legs)


class SabotagedExchange(UserExchange):
    """Ends the process around writes."""

    def __init__(self, alpha: PrivateAlpha, crashes: Crashes) -> None:
        super().__init__(alpha)
        self._crashes = crashes

    def place_oto(self, approved: Approved[OtoOrder], may_send: Callable[[], bool]) -> PlacedOto:
        with self._around_post():
            return super().place_oto(approved, may_send)

    def place_exit(self, approved: Approved[LimitOrder], may_send: Callable[[], bool]) -> OrderId:
        with self._around_post():
            return super().place_exit(approved, may_send)

    def cancel(self, symbol: Symbol, order_id: OrderId) -> None:
        self._crashes.reach(CrashPoint.BEFORE_CANCEL)
        super().cancel(symbol, order_id)
        self._crashes.reach(CrashPoint.AFTER_CANCEL)

    @contextmanager
    def _around_post(self) -> Iterator[None]:
        self._crashes.reach(CrashPoint.BEFORE_POST)
        yield
        self._crashes.reach(CrashPoint.AFTER_POST)


class SabotagedExchanges(KeptExchanges):
    """Gives each user such an exchange."""

    def __init__(self, base_url: str, users: Users, vault: Vault, crashes: Crashes) -> None:
        super().__init__(base_url, users, vault)
        self._crashes = crashes

    def of(self, user_id: UserId) -> UserExchange:
        return SabotagedExchange(self.alpha(user_id), self._crashes)
