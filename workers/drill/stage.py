"""What a drill plays on: a folder of its own, a simulated exchange, and a system yet to start."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from oto.infrastructure.settings import Exchange, Settings, load_settings
from workers.drill import secrets
from workers.drill.machine import Machine
from workers.drill.simulator import Simulator, simulated

ORDER_SIZE = Decimal(20)
WORKERS = 2

_CANARY = "a-canary-of-the-drill-4d1f77c09b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to drill; `seconds` is how long faults strike at most."""

    users: int
    cycles: int
    seed: int
    faults: frozenset[str]
    seconds: float
    keep: Path | None = None

    @property
    def volume(self) -> Decimal:
        """USDT that each user is to buy."""
        return ORDER_SIZE * -(-self.cycles // self.users)

    @property
    def balance(self) -> Decimal:
        return ORDER_SIZE * 5 + self.volume / 10


@dataclass(frozen=True, slots=True)
class Stage:
    """`logins` is what every user logs in with, `secrets` what may show nowhere."""

    wanted: Wanted
    folder: Path
    machine: Machine
    simulator: Simulator
    logins: str
    secrets: list[str]

    @property
    def log(self) -> Path:
        """Return what the processes say."""
        return _log_in(self.folder)

    @property
    def sabotage(self) -> Path:
        """Return the folder through which faults reach into processes."""
        return _sabotage_in(self.folder)


@contextmanager
def staged(wanted: Wanted) -> Iterator[Stage]:
    """Set the stage; nothing of it is left after the block but what is to be kept.

    Raises:
        NotReadyError: the simulator does not come up.
    """
    with _folder(wanted) as folder, _log_in(folder).open("ab") as output:
        logins = folder / "logins.json"
        with simulated(folder, _arguments(wanted, folder, logins), output) as simulator:
            machine = Machine(_settings(folder, simulator), WORKERS, output)
            known = [*secrets.secrets_of(logins), _CANARY]
            try:
                yield Stage(wanted, folder, machine, simulator, _with_canary(logins), known)
            finally:
                machine.stop()


def _log_in(folder: Path) -> Path:
    return folder / "log"


def _sabotage_in(folder: Path) -> Path:
    return folder / "drill"


def _arguments(wanted: Wanted, folder: Path, logins: Path) -> tuple[str, ...]:
    return (
        f"--users={wanted.users}",
        f"--balance={wanted.balance}",
        f"--credentials={logins}",
        f"--state={folder / 'exchange.state'}",
        f"--seed={wanted.seed}",
        "--speed=5",
        "--market=choppy",
        "--match-delay-ms=100",
        "--report-delay-ms=60",
    )


def _settings(folder: Path, simulator: Simulator) -> Settings:
    return load_settings().model_copy(
        update={
            "home": folder / "home",
            "drill": _sabotage_in(folder),
            "exchange": Exchange.SIMULATOR,
            "rest_url": simulator.urls.rest,
            "ws_url": simulator.urls.ws,
            "database_url": None,
            "redis_url": None,
            "log_level": "INFO",
        }
    )


def _with_canary(logins: Path) -> str:
    """Give every login a cookie that is found nowhere else."""
    sessions = json.loads(logins.read_text())
    for user in sessions["users"]:
        user["cookies"]["canary"] = _CANARY
    return json.dumps(sessions)


@contextmanager
def _folder(wanted: Wanted) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="oto-drill-"))
    try:
        yield folder
    finally:
        if wanted.keep is not None:
            wanted.keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(_log_in(folder), wanted.keep / "log")
        shutil.rmtree(folder, ignore_errors=True)
