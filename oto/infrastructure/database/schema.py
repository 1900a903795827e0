"""The database's schema: bring it up to date, or tell whether it is."""

import logging
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

# Any number that no one else takes: two processes that start at once migrate one after the other.
_LOCK = 0x07_0A_10_7A


def upgrade(engine: Engine) -> None:
    """Apply the migrations that are missing."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        command.upgrade(_config(connection), "head")


def current_revision(engine: Engine) -> str | None:
    """Return the revision of the database, None before the first migration."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str | None:
    """Return the revision that this program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["connection"] = connection
    return config
