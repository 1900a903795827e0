"""A canary for each queue: a message that a worker must echo, or it is alive and does nothing."""

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping

import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from oto.infrastructure.dispatch import ask_echo
from oto.infrastructure.redis_store.beats import Beats

ECHO_WITHIN_S = 20.0
"""Longer than a step at a slow exchange usually takes: threads that are all busy echo late."""

_ASK_EVERY_S = 1.0
_MOST_UNANSWERED = 3
_FORGET_AFTER_S = 60.0
_HELD_UP_S = 5.0

_log = structlog.get_logger(__name__)


class Canary:
    """Asks for echoes in the background; `owners` says which program reads which queue alone.

    Only a queue that is silent while Redis answers counts as silent: after an outage everyone has
    the whole time again.
    """

    def __init__(
        self,
        app: Celery,
        beats: Beats,
        shared: Collection[str],
        owners: Mapping[str, str],
        within_s: float = ECHO_WITHIN_S,
    ) -> None:
        self._app = app
        self._beats = beats
        self._queues = (*shared, *owners)
        self._owners = owners
        self._within_s = within_s
        self._asked: dict[str, dict[str, float]] = defaultdict(dict)
        self._silent: frozenset[str] = frozenset()
        self._looked_at = 0.0
        self._heard_at: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="oto-canary", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def silent(self) -> frozenset[str]:
        """Return the programs whose own queue has not echoed for too long."""
        silent = self._silent
        return frozenset(name for queue, name in self._owners.items() if queue in silent)

    def _run(self) -> None:
        while not self._stopping.wait(_ASK_EVERY_S):
            try:
                self._look()
            except (redis.RedisError, OperationalError):
                # The processes say so themselves.
                self._silent = frozenset()
                self._looked_at = 0.0

    def _look(self) -> None:
        echoed = self._beats.echoed([one for asked in self._asked.values() for one in asked])
        now = time.monotonic()
        if now - self._looked_at > _HELD_UP_S:
            self._heard_at = dict.fromkeys(self._queues, now)
        self._looked_at = now
        for queue in self._queues:
            self._take(queue, echoed, now)
            self._ask(queue)
        silent = frozenset(
            queue for queue, at in self._heard_at.items() if now - at > self._within_s
        )
        for queue in silent - self._silent:
            _log.error("queue_silent", queue=queue, no_echo_for_s=self._within_s)
        self._silent = silent

    def _take(self, queue: str, echoed: Collection[str], now: float) -> None:
        asked = self._asked[queue]
        if any(token in echoed for token in asked):
            self._heard_at[queue] = now
        self._asked[queue] = {
            token: at
            for token, at in asked.items()
            if token not in echoed and now - at < _FORGET_AFTER_S
        }

    def _ask(self, queue: str) -> None:
        if len(self._asked[queue]) < _MOST_UNANSWERED:
            token = str(uuid.uuid4())
            ask_echo(self._app, queue, token)
            self._asked[queue][token] = time.monotonic()
