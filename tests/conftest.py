from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.simulated import Exchange, running, silent_plan

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    """A stepped exchange whose markets do nothing by themselves."""
    with running(silent_plan()) as simulated:
        yield simulated
