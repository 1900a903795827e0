"""Looks for a session's values where nobody may find them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil
import redis
from sqlalchemy import Engine, text

_LEAST = 24
_NO_SECRET = "Mozilla/5.0 (simulated)"  # noqa: S105 - the name of a browser
_DATABASES = 2


def secrets_of(logins: Path) -> list[str]:
    """Return every value of a file of logins that is long enough to be a secret."""
    values = {
        value
        for user in json.loads(logins.read_text())["users"]
        for part in ("headers", "cookies")
        for value in user[part].values()
    }
    return sorted(value for value in values if len(value) >= _LEAST and value != _NO_SECRET)


def dumped_redis(url: str) -> str:
    """Return every key and value of the databases in use."""
    found = []
    for number in range(_DATABASES):
        with redis.Redis.from_url(url, db=number) as client:
            found += [key + (client.dump(key) or b"") for key in client.scan_iter()]
    return repr(found)


def dumped_tables(engine: Engine) -> str:
    """Return every row of every table as text; bytes are shown escaped."""
    with engine.connect() as connection:
        names = connection.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        ).all()
        rows = [
            row
            for name in names
            for row in connection.scalars(text(f'SELECT t::text FROM "{name}" t'))  # noqa: S608
        ]
        as_text = [
            str(column)
            for name in names
            for row in connection.execute(text(f'SELECT * FROM "{name}"'))  # noqa: S608
            for column in row
            if isinstance(column, bytes | memoryview)
        ]
    return "\n".join([*rows, *as_text])


def command_lines(processes: Iterable[psutil.Process]) -> str:
    found = []
    for process in processes:
        try:
            found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return "\n".join(found)


def found_in(places: Mapping[str, str], secrets: Iterable[str]) -> Iterator[str]:
    """Yield the place of every secret that is seen."""
    for secret in secrets:
        for place, shown in places.items():
            if secret in shown:
                yield f"{place}: a value of {len(secret)} signs"
