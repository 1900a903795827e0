"""Tasks and wake-ups when a server is away: one line, and nothing raised."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from oto.application.ports import Wake
from oto.bootstrap import open_house
from oto.domain.job import JobId
from tasks.house import close_house
from tasks.maintenance import echo, sweep
from tasks.trading import advance
from tests.integration.stream_server import unused_port
from workers.schedule import OneLineScheduler

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


def test_a_wake_up_that_cannot_be_sent_is_left_to_the_sweeper_at_once() -> None:
    with capture_logs() as lines, closing(open_house()) as house:
        began = time.monotonic()
        house.dispatcher.wake(Wake(JobId(1), 0))
        seconds = time.monotonic() - began

    assert [line["event"] for line in lines] == ["wake_up_not_sent"]
    assert seconds < 4  # kombu would wait 2 s, then 4


def test_a_schedule_that_cannot_be_sent_says_so_in_one_line(tmp_path: Path) -> None:
    with capture_logs() as lines, closing(open_house()) as house:
        schedule = OneLineScheduler(house.celery, schedule_filename=str(tmp_path / "schedule"))
        schedule.apply_entry(schedule.schedule["sweep"])
        schedule.close()

    assert [line["event"] for line in lines] == ["schedule_not_sent"]
    assert "a-secret" not in str(lines)
