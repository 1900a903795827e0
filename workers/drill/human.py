"""Plays the human: mends at the exchange what only a human can, and takes the job up again."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from oto.bootstrap import House
from oto.domain.errors import SentenceError
from oto.domain.job import JobId, JobState, Reason, Wish
from oto.infrastructure.database.jobs import JobView
from oto.infrastructure.pasted import read_login
from workers.drill.machine import AWAY, Machine
from workers.drill.simulator import Simulator

_LOOK_EVERY_S = 0.5
_THINKS_FOR_S = 2.0
_GIVEN_UP = float("inf")

# A lost answer may show any of these as its cause.
CALLS: Mapping[Reason, frozenset[str]] = {
    Reason.SESSION_OVER: frozenset({"session_expired"}),
    Reason.VERIFICATION: frozenset({"challenge"}),
    Reason.RESTRICTED: frozenset({"unknown_code"}),
    Reason.FIREWALLED: frozenset({"firewall", "not_json"}),
    Reason.UNKNOWN_ANSWER: frozenset({"unknown_code", "missing_fields", "not_json"}),
}
"""Which faults of the exchange call for a human, by design, and with what reason."""


@dataclass(slots=True)
class Human:
    """Looks after the jobs of all users; `uncalled` are sentences of calls without a fault."""

    machine: Machine
    simulator: Simulator
    logins: str
    uncalled: list[str] = field(default_factory=list)
    called: Counter[str] = field(default_factory=Counter)
    _since: dict[JobId, float] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="oto-human", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def will_answer(self, view: JobView) -> bool:
        """Tell whether a job calls, and was not given up."""
        given_up = self._since.get(view.job.job_id) == _GIVEN_UP
        return view.job.state is JobState.NEEDS_HUMAN and not given_up

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            try:
                self._look(self.machine.house)
            except (*AWAY, httpx.HTTPError, SentenceError):
                continue

    def _look(self, house: House) -> None:
        calling = house.jobs.views(states=[JobState.NEEDS_HUMAN])
        jobs = {view.job.job_id for view in calling}
        self._since = {job: since for job, since in self._since.items() if job in jobs}
        for view in calling:
            since = self._since.setdefault(view.job.job_id, time.monotonic())
            if time.monotonic() - since >= _THINKS_FOR_S:
                self._answer(house, view)

    def _answer(self, house: House, view: JobView) -> None:
        reason = view.job.reason
        if reason is None or not self._was_struck(view.user, reason):
            self._since[view.job.job_id] = _GIVEN_UP
            words = "no reason" if reason is None else reason.name.lower()
            self.uncalled.append(f"job {view.job.job_id} of {view.user}: {words}: {view.detail}")
            return
        self.simulator.change_account(view.user, session_live=True, redeem=True)
        if reason is Reason.SESSION_OVER:
            login = house.vault.seal(read_login(self.logins, view.user))
            house.users.keep_credentials(house.users.named(view.user), login)
        house.dispatcher.wake(house.jobs.wish(view.job.job_id, Wish.RUN))
        self._since.pop(view.job.job_id, None)
        self.called[reason.name.lower()] += 1

    def _was_struck(self, user: str, reason: Reason) -> bool:
        kinds = CALLS.get(reason, frozenset())
        return any(
            strike["kind"] in kinds and strike["user"] == user
            for strike in self.simulator.strikes()
        )
