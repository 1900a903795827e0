"""The file in which an exchange keeps its state: SQLite, one row for each thing."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oto.simulator import saved
from oto.simulator.exchange import Exchange
from oto.simulator.orders import Order
from oto.simulator.saved import BadStateError, Saved

_MARK = 0x4F544F31  # "OTO1", the application id of state files in this form
_PATIENCE_S = 1.0  # a run that is just ending may still hold the file
_CREATE = f"""
BEGIN;
CREATE TABLE kept (name TEXT PRIMARY KEY, row BLOB NOT NULL);
PRAGMA application_id = {_MARK};
COMMIT;
"""
# An update leaves a row at its place: the order of rows is that in which things came to be.
_WRITE = """
INSERT INTO kept (name, row) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET row = excluded.row
"""


class StateFile:
    """One open state file, held against every other process until it is closed."""

    def __init__(self, path: Path) -> None:
        """Open a state file, or make one that only its owner can read.

        Raises:
            BadStateError: it cannot be opened, is in use, is damaged or is something else.
        """
        self._written = dict[str, bytes]()
        self._finished = set[Order]()  # closed and written: they never change again
        with _refusing():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._database = sqlite3.connect(path, timeout=_PATIENCE_S)
        try:
            with _refusing():
                self._claim(path)
        except BadStateError:
            self.close()
            raise

    def _claim(self, path: Path) -> None:
        database = self._database
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        [mark] = database.execute("PRAGMA application_id").fetchone()
        [tables] = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if mark != _MARK and (mark or tables):
            raise BadStateError("it is no state of a simulator; name another file")
        [verdict] = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise BadStateError(f"it is damaged: {verdict}")
        path.chmod(0o600)  # the file may have been there, open to others
        if not tables:
            database.executescript(_CREATE)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")

    def load(self) -> Saved | None:
        """Return what was saved, or None if nothing was yet.

        Raises:
            BadStateError: the file is damaged.
        """
        with _refusing():
            rows = self._database.execute("SELECT row FROM kept ORDER BY rowid")
            return saved.read(row for (row,) in rows)

    def save(self, exchange: Exchange) -> None:
        """Write the rows that changed since the last time, all or none.

        Raises:
            BadStateError: it cannot be written.
        """
        orders = [one for one in exchange.orders.values() if one not in self._finished]
        rows = saved.rows(exchange, orders)
        changed = {name: row for name, row in rows.items() if self._written.get(name) != row}
        with _refusing(), self._database:
            self._database.executemany(_WRITE, changed.items())
        self._written = rows
        self._finished.update(one for one in orders if not one.open)

    def close(self) -> None:
        self._database.close()


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadStateError(error.strerror or str(error)) from error
    except sqlite3.Error as error:
        busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        raise BadStateError("another simulator is using it" if busy else str(error)) from error
