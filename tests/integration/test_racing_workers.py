"""Two processes race for one wake-up on a real database: one of them has the turn."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import text

from tests.loop import Loop, running_loop
from tests.simulated import Exchange

pytestmark = pytest.mark.integration

ROUNDS = 200


@pytest.fixture
def loop(database_url: str, exchange: Exchange) -> Iterator[Loop]:
    with running_loop(database_url, exchange) as made:
        yield made


class Racer:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin
        assert process.stdout
        self._told, self._answers = process.stdin, process.stdout

    def tell(self, job_id: int, epoch: int) -> None:
        self._told.write(f"{job_id} {epoch}\n")
        self._told.flush()

    def answer(self) -> str:
        return self._answers.readline().strip()


@contextmanager
def racing(database_url: str) -> Iterator[Racer]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.racer", database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Racer(process)
        assert process.stdin
        process.stdin.close()


def test_two_processes_that_race_for_one_wake_up_take_one_turn_each_time(
    loop: Loop, database_url: str
) -> None:
    job_id = loop.start()
    won = [0, 0]
    with ExitStack() as stack:
        racers = [stack.enter_context(racing(database_url)) for _ in won]
        for epoch in range(ROUNDS):
            for racer in racers[:: 1 if epoch % 2 else -1]:
                racer.tell(job_id, epoch)
            answers = [racer.answer() for racer in racers]

            assert sorted(answers) == ["-", str(epoch + 1)], epoch
            won[answers.index(str(epoch + 1))] += 1
            let_lease_end(loop)

    assert min(won) > 0
    assert loop.view().epoch == ROUNDS


def let_lease_end(loop: Loop) -> None:
    with loop.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET lease_until = now() - interval '1 second'"))
