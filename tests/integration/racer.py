"""A worker's ledger in a process of its own: claims every wake-up that it is told of."""

import sys

from oto.application.ports import Wake
from oto.domain.job import JobId
from oto.infrastructure.database.engine import make_engine
from oto.infrastructure.database.leases import Leases
from oto.infrastructure.database.ledger import SqlLedger


def main(database_url: str) -> None:
    """Answer each line "job epoch" with the epoch of the turn, or with "-"."""
    engine = make_engine(database_url)
    ledger = SqlLedger(engine, Leases(engine), live=False)
    for line in sys.stdin:
        job_id, epoch = map(int, line.split())
        turn = ledger.claim(Wake(JobId(job_id), epoch))
        print("-" if turn is None else turn.epoch, flush=True)  # noqa: T201 - to the test
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
