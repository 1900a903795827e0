"""The `oto` command in a test's own process, on real servers and a simulated exchange."""

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from click.testing import CliRunner, Result

from cli import main
from oto.bootstrap import House, open_house
from oto.domain.market import BookLevel
from oto.domain.money import price, quantity
from oto.domain.tick import Tick
from tests.simulated import AITECH, Exchange

BID, ASK = "0.22690000", "0.22700000"


@dataclass(frozen=True, slots=True)
class Oto:
    """Runs commands in an environment of the test's own; `home` exists."""

    home: Path
    environment: Mapping[str, str] = field(repr=False)

    def __call__(self, *arguments: str | Path | int, given: str | bytes = "") -> Result:
        runner = CliRunner(env={**self.environment, "NO_COLOR": "1", "COLUMNS": "160"})
        with restored_logging():
            return runner.invoke(main, list(map(str, arguments)), input=given)

    def json(self, *arguments: str | Path | int, exit_code: int = 0) -> Any:  # noqa: ANN401
        """Run a command with --json and return what it prints."""
        ended = self(*arguments, "--json")
        assert ended.exit_code == exit_code, ended.output
        return json.loads(ended.stdout)

    def refused(self, *arguments: str | Path | int, exit_code: int = 1) -> str:
        """Run a command that ends with a sentence, and return that."""
        ended = self(*arguments)
        assert ended.exit_code == exit_code, ended.output
        assert isinstance(ended.exception, SystemExit)
        assert ended.stdout == ""
        return ended.stderr

    def but(self, **changes: str) -> "Oto":
        """Return the command with other variables."""
        return replace(self, environment={**self.environment, **changes})

    def login_file(self, exchange: Exchange, name: str) -> Path:
        """Give a funded account to a user and return the file with its session."""
        file = self.home / f"{name}.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(exchange.credentials(name)))
        return file


@contextmanager
def restored_logging() -> Iterator[None]:
    """Undo what a command sets up: it writes to an output that is gone after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()


@contextmanager
def trading(exchange: Exchange) -> Iterator[House]:
    """Take turns of jobs as a worker would, at a market that stands still, until the block ends."""
    exchange.set_book(AITECH, bids=[[BID, "1000000"]], asks=[[ASK, "1000000"]])
    house, stopping = open_house(), threading.Event()

    def work() -> None:
        while not stopping.wait(0.02):
            house.ticks.write([tick()])
            for wake in house.ledger.due(10):
                house.advance(wake)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield house
    finally:
        stopping.set()
        thread.join(10)
        house.close()
        house.redis.close()
    assert not thread.is_alive()


def tick() -> Tick:
    now = datetime.now(UTC)
    return Tick(
        symbol=AITECH,
        sequence=1,
        connected=True,
        received_at=now,
        trade_price=price(BID),
        traded_at=now,
        bid=BookLevel(price(BID), quantity("1000000")),
        ask=BookLevel(price(ASK), quantity("1000000")),
    )
