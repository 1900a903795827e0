"""Leases on jobs: renewed while their turns run, so that a dead process frees them in seconds."""

import threading
import uuid
from datetime import timedelta

import structlog
from sqlalchemy import Engine, func, tuple_, update
from sqlalchemy.exc import SQLAlchemyError

from models import JobRow
from oto.domain.job import JobId

LENGTH = timedelta(seconds=3)
_RENEW_EVERY_S = 0.75

_log = structlog.get_logger(__name__)


class Leases:
    """The leases of one process; `start` renews them until `stop`."""

    def __init__(self, engine: Engine) -> None:
        self.owner = str(uuid.uuid4())
        self.length = LENGTH
        self._engine = engine
        self._turns: set[tuple[JobId, int]] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="oto-leases", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_RENEW_EVERY_S * 2)

    def keep(self, job_id: JobId, epoch: int) -> None:
        with self._lock:
            self._turns.add((job_id, epoch))

    def drop(self, job_id: JobId, epoch: int) -> None:
        with self._lock:
            self._turns.discard((job_id, epoch))

    def _run(self) -> None:
        while not self._stopping.wait(_RENEW_EVERY_S):
            with self._lock:
                turns = list(self._turns)
            if turns:
                self._renew(turns)

    def _renew(self, turns: list[tuple[JobId, int]]) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    update(JobRow)
                    .where(
                        tuple_(JobRow.id, JobRow.epoch).in_(turns),
                        # A turn that has ended has no owner any more.
                        JobRow.lease_owner == self.owner,
                    )
                    .values(lease_until=func.now() + LENGTH)
                )
        except SQLAlchemyError as error:
            # A lease that ends costs a turn, not an order: every write checks the epoch.
            _log.warning("leases_not_renewed", error=type(error).__name__)
