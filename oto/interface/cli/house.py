"""The house as a command finds it: on the servers that run, or on its own for the moment."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from oto.application.ports import LedgerUnavailableError
from oto.bootstrap import House, open_house
from oto.domain.errors import SentenceError
from oto.infrastructure import servers
from oto.infrastructure.database import schema
from oto.infrastructure.database.ledger import reachable
from oto.infrastructure.logs import configure_logging
from oto.infrastructure.servers import AlreadyRunningError
from oto.infrastructure.settings import Settings, load_settings

_ATTACH_WITHIN_S = 20.0


class SchemaNotCurrentError(SentenceError):
    """The database's schema is not the one that this program needs."""


@contextmanager
def house_running() -> Iterator[House]:
    """Open the house of a system that runs.

    Raises:
        NotRunningError: nothing runs here.
        SchemaNotCurrentError: the database was not migrated.
        LedgerUnavailableError: the database cannot be reached, now or later in the block.
    """
    with _opened(load_settings()) as house:
        _check_schema(house)
        yield house


@contextmanager
def house_for_now() -> Iterator[House]:
    """Open the house; where no servers run, run our own, migrated, until the block ends.

    Raises:
        ServersError: they cannot be started.
        SchemaNotCurrentError: a database that is not ours for the moment was not migrated.
        LedgerUnavailableError: the database cannot be reached, now or later in the block.
    """
    with servers_for_now() as (house, ours):
        if ours:
            schema.upgrade(house.engine)
        else:
            _check_schema(house)
        yield house


@contextmanager
def servers_for_now() -> Iterator[tuple[House, bool]]:
    """Do the same without a look at the schema; tell whether the database is ours for the moment.

    Raises:
        ServersError: the servers cannot be started.
        LedgerUnavailableError: the database cannot be reached, now or later in the block.
    """
    settings = load_settings()
    with ExitStack() as stack:
        started = _start_what_is_missing(settings, stack)
        house = stack.enter_context(_opened(settings))
        yield house, started and settings.database_url is None


@contextmanager
def _opened(settings: Settings) -> Iterator[House]:
    configure_logging(json=settings.log_json, level="WARNING")
    with closing(open_house(settings)) as house:
        try:
            with reachable():
                yield house
        except LedgerUnavailableError as error:
            sentence = f"{error}; `oto doctor` looks at it all"
            raise LedgerUnavailableError(sentence) from error


def _start_what_is_missing(settings: Settings, stack: ExitStack) -> bool:
    """Start embedded servers if none run; return whether they are ours."""
    deadline = time.monotonic() + _ATTACH_WITHIN_S
    while servers.running(settings.home) is None:
        try:
            stack.enter_context(
                servers.started(
                    settings.home,
                    database=settings.database_url is None,
                    redis=settings.redis_url is None,
                )
            )
        except AlreadyRunningError:
            # Another process starts or stops them just now.
            if time.monotonic() > deadline:
                raise
        else:
            return True
    return False


def _check_schema(house: House) -> None:
    current, needed = schema.current_revision(house.engine), schema.newest_revision()
    if current != needed:
        raise SchemaNotCurrentError(
            f"The database's schema is {current or 'empty'} and this program needs {needed}; run "
            "`oto db upgrade`."
        )
