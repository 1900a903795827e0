"""PostgreSQL as the project runs it: on loopback, behind a password, with a database `oto`."""

import secrets
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from oto.infrastructure.servers.account import (
    Account,
    OpenFolder,
    opened,
    postgres_account,
    run_as,
)
from oto.infrastructure.servers.binaries import PostgresBinaries, postgres_binaries
from oto.infrastructure.servers.errors import ServersError
from oto.infrastructure.servers.guard import Server, last_lines

ROLE = DATABASE = "oto"
BUILTIN_LOCALES_SINCE = 17

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
}
if sys.platform == "linux":
    # After a crash it makes sure of its files at once; one by one that took most of a restart.
    SETTINGS["recovery_init_sync_method"] = "syncfs"
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """A PostgreSQL on a folder that holds its cluster and the password of its role."""

    name = "postgres"
    setting = "OTO_DATABASE_URL"

    def __init__(self, folder: OpenFolder, binaries: PostgresBinaries, *, durable: bool) -> None:
        self.log = folder.path.with_name("postgres.log")
        self.fds = (folder.fd,)
        self.temporary = [binaries.copied] if binaries.copied else []
        if not durable:
            self.temporary += [folder.path, self.log]
        self._program = binaries.folder / "postgres"
        self._folder = folder
        self._settings = SETTINGS if durable else SETTINGS | FORGETFUL
        self._password = (folder.path / "password").read_text()

    def server(self, port: int) -> Server:
        settings = self._settings | {"port": str(port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        owner = self._folder.owner
        return Server(
            name=self.name,
            argv=[str(self._program), "-D", self._folder.way_to("data"), *options],
            log=str(self.log),
            stop_signal=signal.SIGINT,
            uid=owner.uid if owner else None,
            gid=owner.gid if owner else None,
        )

    def url(self, port: int) -> str:
        return f"postgresql+psycopg://{ROLE}:{self._password}@127.0.0.1:{port}/{DATABASE}"

    def is_ready(self, port: int) -> bool:
        """Say whether it answers and has its database, which is made if it is missing."""
        try:
            with psycopg.connect(
                host="127.0.0.1",
                port=port,
                user=ROLE,
                password=self._password,
                dbname="postgres",
                connect_timeout=3,
                autocommit=True,
            ) as connection:
                _make_database(connection)
        except psycopg.OperationalError:
            return False
        return True


def _make_database(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
    if found.fetchone() is None:
        connection.execute(f"CREATE DATABASE {DATABASE}")


@contextmanager
def prepared_postgres(home: Path, lock_fd: int, *, durable: bool) -> Iterator[Postgres]:
    """Give a PostgreSQL that can be started on `home/postgres`; its cluster is made if missing.

    Raises:
        ServersError: there is no PostgreSQL, or none that makes a cluster here.
    """
    path = home / Postgres.name
    account = postgres_account(path)
    with postgres_binaries(account) as binaries:
        if not path.exists():
            _make_cluster(path, binaries, account, lock_fd)
        # Our lock says that it is stale. In a container its process id may be in use again, and
        # PostgreSQL would not start beside what it takes for itself.
        (path / "data" / "postmaster.pid").unlink(missing_ok=True)
        with opened(path, account) as folder:
            yield Postgres(folder, binaries, durable=durable)


def _make_cluster(
    path: Path, binaries: PostgresBinaries, account: Account | None, lock_fd: int
) -> None:
    """Make cluster and password in a folder beside it, so that the path has both or neither."""
    half = path.with_name(f"{path.name}.half")
    if half.exists():
        shutil.rmtree(half)
    half.mkdir(mode=0o700)
    password = half / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24))
    if account:
        account.own([half, password])
    with opened(half, account) as folder:
        initdb: list[str | Path] = [
            binaries.folder / "initdb",
            *("--pgdata", folder.way_to("data")),
            *("--username", ROLE),
            *("--auth", "scram-sha-256"),
            *("--pwfile", folder.way_to("password")),
            *("--encoding", "UTF8"),
            *_locale(binaries.major),
            "--no-sync",
        ]
        ended = run_as(account, initdb, fds=(folder.fd, lock_fd))
    if ended.returncode != 0:
        raise ServersError(
            f"initdb cannot make a PostgreSQL cluster in {half}: mend what it says, or set "
            f"OTO_DATABASE_URL.\n{last_lines(ended.stdout + ended.stderr)}"
        )
    half.rename(path)


def _locale(major: int) -> list[str]:
    """Return the options for an order of texts that no system library can change."""
    builtin = ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    return [*(builtin if major >= BUILTIN_LOCALES_SINCE else []), "--locale", "C"]
