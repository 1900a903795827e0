"""Embedded servers for tests: one pair for a session, an empty database and Redis for each test."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import redis
from psycopg import sql
from sqlalchemy import URL, make_url

from oto.infrastructure.servers import ServerUrls, started

_numbers = count(1)


@contextmanager
def servers() -> Iterator[ServerUrls]:
    """Run both servers on data that are gone after the block."""
    with (
        TemporaryDirectory(prefix="oto-tests-", ignore_cleanup_errors=True) as home,
        started(Path(home), durable=False) as urls,
    ):
        yield urls


def fresh_database(urls: ServerUrls, template: str = "") -> str:
    """Make a database and return its URL; it is a copy of the one at the URL `template`, if given.

    Nobody may be connected to the template meanwhile.
    """
    name = f"fresh_{next(_numbers)}"
    model = database_of(template) if template else "template1"
    _execute(
        urls.database_url,
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(model)
        ),
    )
    return _text(make_url(urls.database_url).set(database=name))


def drop_database(urls: ServerUrls, url: str) -> None:
    """Remove a database that a test is done with, and whoever is still connected to it."""
    name = sql.Identifier(database_of(url))
    _execute(urls.database_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def flushed_redis(urls: ServerUrls, number: int = 0) -> str:
    """Empty one of the 16 databases of Redis and return its URL."""
    url = _text(make_url(urls.redis_url).set(database=str(number)))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


def database_of(url: str) -> str:
    return make_url(url).database or ""


def for_psycopg(url: str) -> str:
    """Return the URL as psycopg takes it, without SQLAlchemy's mark."""
    return _text(make_url(url).set(drivername="postgresql"))


def _execute(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(for_psycopg(url), autocommit=True) as connection:
        connection.execute(statement)


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
