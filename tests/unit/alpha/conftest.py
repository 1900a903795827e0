"""What the adapter's tests share: a server, a user, settings without long waits."""

from collections.abc import Iterator

import pytest

from oto.infrastructure.alpha.client import Limits
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.public import PublicAlpha
from oto.infrastructure.alpha.transport import Settings
from tests.unit.alpha.server import Exchange, serving


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving() as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    """Return the list into which waits go instead of being waited."""
    return []


@pytest.fixture
def settings(pauses: list[float]) -> Settings:
    return Settings(limits=Limits(read_s=0.3), sleep=pauses.append)


@pytest.fixture
def credentials() -> Credentials:
    return Credentials({"lang": "en"}, {"cr00": "seed-of-the-token", "p20t": "web.1.canary"})


@pytest.fixture
def private(
    exchange: Exchange, credentials: Credentials, settings: Settings
) -> Iterator[PrivateAlpha]:
    with PrivateAlpha(exchange.base_url, credentials, settings=settings) as alpha:
        yield alpha


@pytest.fixture
def public(exchange: Exchange, settings: Settings) -> Iterator[PublicAlpha]:
    with PublicAlpha(exchange.base_url, settings=settings) as alpha:
        yield alpha
