"""What the drill does within a process happens only where its files say so."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oto.application.ports import Wake
from oto.bootstrap import DrilledHouse, House, open_house
from oto.domain.job import JobId
from oto.infrastructure.dispatch import make_celery
from oto.infrastructure.sabotage import (
    CLOCKS,
    CRASHES,
    WAKES,
    Crashes,
    CrashPoint,
    SteppedClock,
    UnreliableDispatcher,
)
from oto.infrastructure.settings import Settings, SettingsError, load_settings

pytestmark = pytest.mark.unit

POINT = CrashPoint.AFTER_POST
COME_BY = """
import sys
from pathlib import Path
from oto.infrastructure.sabotage import Crashes, CrashPoint
Crashes(Path(sys.argv[1])).reach(CrashPoint.AFTER_POST)
print("went on")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (CLOCKS, CRASHES):
        (tmp_path / name).mkdir()
    return tmp_path


def test_without_the_setting_a_house_has_nothing_of_it() -> None:
    assert type(open_house(Settings())) is House


def test_with_the_setting_a_house_has_parts_that_can_be_disturbed(folder: Path) -> None:
    house = open_house(Settings(drill=folder))

    assert isinstance(house, DrilledHouse)
    assert isinstance(house.clock, SteppedClock)


def test_the_real_exchange_is_never_traded_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTO_DRILL", str(folder))
    monkeypatch.setenv("OTO_EXCHANGE", "live")

    with pytest.raises(SettingsError, match="OTO_DRILL disturbs what it runs with"):
        load_settings()


def test_who_comes_by_a_crash_point_first_dies_there_and_the_next_goes_on(folder: Path) -> None:
    (folder / CRASHES / POINT.value).touch()
    command = [sys.executable, "-c", COME_BY, str(folder)]

    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(2)
    )

    assert (first.returncode, first.stdout) == (-signal.SIGKILL, "")
    assert (second.returncode, second.stdout) == (0, "went on\n")


def test_another_crash_point_is_passed(folder: Path) -> None:
    (folder / CRASHES / POINT.value).touch()

    Crashes(folder).reach(CrashPoint.AFTER_INTENT)

    assert (folder / CRASHES / POINT.value).exists()


def test_a_clock_is_stepped_for_the_process_that_the_file_names(folder: Path) -> None:
    clock = SteppedClock(folder)
    (folder / CLOCKS / "1").write_text("3600")
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)

    (folder / CLOCKS / str(os.getpid())).write_text("-3600")

    assert timedelta(minutes=59) < datetime.now(UTC) - clock.now() < timedelta(minutes=61)
    assert abs(clock.monotonic() - time.monotonic()) < 60


class Sent(list[tuple[int, int]]):
    """Stands for Celery: what was sent, as job and epoch."""

    def send_task(self, _: str, *, args: tuple[int, int, float], **__: object) -> None:
        self.append(args[:2])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("{}", [(1, 1), (1, 2)]),
        ('{"dropped": 1000}', []),
        ('{"doubled": 1000}', [(1, 1), (1, 1), (1, 2), (1, 2)]),
        ('{"delayed": 1000}', [(1, 1), (1, 2)]),
        ('{"replayed": 1000}', [(1, 1), (1, 2), (1, 1)]),
        ("half a fi", [(1, 1), (1, 2)]),
    ],
)
def test_wake_ups_meet_what_the_file_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, asked: str, expected: list[tuple[int, int]]
) -> None:
    app, sent = make_celery("redis://127.0.0.1:1/0"), Sent()
    monkeypatch.setattr(app, "send_task", sent.send_task)
    dispatcher = UnreliableDispatcher(app, folder, Crashes(folder))
    (folder / WAKES).write_text(asked)

    for epoch in (1, 2):
        dispatcher.wake(Wake(JobId(1), epoch))

    assert sent == expected
