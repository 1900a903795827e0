"""Tasks when a server is away: one line, and nothing raised."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tasks.house import close_house
from tasks.maintenance import echo, sweep
from tasks.trading import advance
from tests.integration.stream_server import unused_port

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A house whose servers are both away."""
    monkeypatch.setenv("OTO_DATABASE_URL", f"postgresql://oto:a-secret@127.0.0.1:{unused_port()}/x")
    monkeypatch.setenv("OTO_REDIS_URL", f"redis://:a-secret@127.0.0.1:{unused_port()}/0")
    monkeypatch.setenv("OTO_REST_URL", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("OTO_WS_URL", f"ws://127.0.0.1:{unused_port()}")
    close_house()
    yield
    close_house()


def test_a_task_without_its_servers_says_so_in_one_line() -> None:
    with capture_logs() as lines:
        sweep()
        advance(1, 0)
        echo("a token")

    assert [line["event"] for line in lines] == ["server_away"] * 3
    assert "a-secret" not in str(lines)
