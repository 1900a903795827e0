"""`python -m tests.corpus [NAME]...`: makes the stored logs anew, after decisions were changed.

Only for changes on purpose: look at `oto job replay --file` of the old ones first.
"""

import sys
from collections.abc import Sequence

from sqlalchemy import create_engine

from oto.application.job_log import JobLog
from oto.infrastructure.database import schema
from oto.infrastructure.log_file import write_log
from tests.corpus.scenarios import SCENARIOS, Scenario
from tests.corpus.stored import file_of
from tests.drill.logs import quiet
from tests.loop import running_loop
from tests.servers import fresh_database, servers
from tests.simulated import running, silent_plan


def main(names: Sequence[str]) -> None:
    """Play the scenarios of these names, or all, and store their logs."""
    quiet()
    with servers() as urls:
        template = fresh_database(urls)
        engine = create_engine(template)
        schema.upgrade(engine)
        engine.dispose()
        for name in names or SCENARIOS:
            log = played(SCENARIOS[name], fresh_database(urls, template))
            write_log(file_of(name), log)
            sys.stdout.write(f"{name}: {len(log.entries)} entries\n")


def played(scenario: Scenario, database_url: str) -> JobLog:
    """Let a job meet what a scenario has for it, and return its log."""
    with running(silent_plan()) as exchange, running_loop(database_url, exchange) as loop:
        scenario(loop)
        return loop.jobs.whole_log(loop.job_id)


if __name__ == "__main__":
    main(sys.argv[1:])
