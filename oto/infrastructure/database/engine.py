"""Connections to PostgreSQL."""

import msgspec
from sqlalchemy import Engine, create_engine

# As many as a worker has threads: a connection beyond the pool costs its log-in each time.
_POOL = 16
_OVERFLOW = 8
_STATEMENT_MS = 15_000
_LOCK_MS = 10_000
# Who freezes within a transaction is thrown out before those who wait for its locks give up.
_IDLE_MS = 5_000


def make_engine(database_url: str, *, pool_size: int = _POOL) -> Engine:
    """Return an engine whose sessions speak UTC and whose statements and locks are bounded.

    A step runs in a thread that nothing can interrupt: these bounds are what ends it.
    """
    options = (
        f"-c timezone=UTC -c statement_timeout={_STATEMENT_MS} -c lock_timeout={_LOCK_MS}"
        f" -c idle_in_transaction_session_timeout={_IDLE_MS}"
    )
    return create_engine(
        database_url,
        pool_size=pool_size,
        max_overflow=_OVERFLOW,
        pool_timeout=10,
        hide_parameters=True,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
        connect_args={"options": options, "connect_timeout": 5, "application_name": "oto"},
    )
