"""The account that runs PostgreSQL, which refuses to run as root, and its way to its folder."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oto.infrastructure.servers.errors import ServersError
from oto.infrastructure.servers.guard import ENVIRONMENT

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """Another account than our own, taken on by what root starts."""

    uid: int
    gid: int

    def own(self, paths: Iterable[Path]) -> None:
        for path in paths:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def postgres_account(folder: Path) -> Account | None:
    """Return whom to run PostgreSQL as if root runs us: the owner of its folder, if there is one.

    Raises:
        ServersError: root runs us and the machine has no account to take on.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists() and (owner := folder.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise ServersError(
        "PostgreSQL refuses to run as root, and this machine has neither of the accounts "
        f"{' and '.join(UNPRIVILEGED)}: run this as another user, or set OTO_DATABASE_URL."
    )


def run_as(
    account: Account | None, argv: Sequence[str | Path], fds: Sequence[int] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a short command to its end as the account, or as ourselves.

    Raises:
        OSError: it cannot be run.
    """
    return subprocess.run(  # noqa: S603 - programs that we found ourselves
        argv,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        env=ENVIRONMENT,
        pass_fds=fds,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        umask=0o077,
    )


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """A folder that its owner reaches even below one that only root may enter."""

    path: Path
    fd: int
    owner: Account | None

    def way_to(self, name: str) -> str:
        """Return the path that a process which inherits `fd` can take to what is in the folder."""
        if self.owner is not None and sys.platform == "linux":
            return f"/proc/self/fd/{self.fd}/{name}"
        return str(self.path / name)


@contextmanager
def opened(path: Path, owner: Account | None) -> Iterator[OpenFolder]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield OpenFolder(path, fd, owner)
    finally:
        os.close(fd)
