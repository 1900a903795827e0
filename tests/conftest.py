from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import structlog
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine

from oto.infrastructure.database import schema
from oto.infrastructure.servers import ServerUrls
from tests.servers import drop_database, fresh_database, servers
from tests.simulated import Exchange, running, silent_plan

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


@pytest.fixture(autouse=True)
def _logs_of_no_other_test() -> Iterator[None]:
    """Commands set up the logs of their process, which in tests is everyone's."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """A stepped exchange whose markets do nothing by themselves."""
    with running(silent_plan()) as simulated:
        yield simulated


@dataclass(frozen=True, slots=True)
class Migrated:
    """Real servers, and a database to copy that has all tables."""

    urls: ServerUrls
    template: str


@pytest.fixture(scope="session")
def migrated() -> Iterator[Migrated]:
    with servers() as urls:
        template = fresh_database(urls)
        engine = create_engine(template)
        schema.upgrade(engine)
        engine.dispose()
        yield Migrated(urls, template)


@pytest.fixture
def database_url(migrated: Migrated) -> Iterator[str]:
    """A database of the test's own, with all tables and no rows."""
    url = fresh_database(migrated.urls, migrated.template)
    yield url
    drop_database(migrated.urls, url)
