"""Roles that one process at a time holds: lent for seconds, by the database's clock."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import Engine, func, select, update
from sqlalchemy.dialects.postgresql import insert

from models import RoleRow
from oto.infrastructure.database.ledger import reachable

LENGTH = timedelta(seconds=3)
"""How long a holder that gives no sign of life keeps its role."""


class Role(Enum):
    """What must be done by one process, and goes on if another begins in time."""

    PRICES = "price-streamer"
    ORDERS = "order-streamer"
    BEAT = "beat"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a role, or had it last; each take-over has a `token` higher by one."""

    role: Role
    host: str
    pid: int
    token: int
    since: datetime
    held: bool

    def __str__(self) -> str:
        return f"{self.role.value}: {self.host}, process {self.pid}, since {self.since:%F %T} UTC"


class Roles:
    """The roles of one system. Every call raises LedgerUnavailableError without a database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take(self, role: Role) -> int | None:
        """Take a role that nobody holds now and return the token, or None."""
        fields = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": func.now(),
            "until": func.now() + LENGTH,
        }
        with reachable(), self._engine.begin() as connection:
            return connection.execute(
                insert(RoleRow)
                .values(name=role.value, token=1, **fields)
                .on_conflict_do_update(
                    index_elements=[RoleRow.name],
                    set_={"token": RoleRow.token + 1, **fields},
                    where=RoleRow.until <= func.now(),
                )
                .returning(RoleRow.token)
            ).scalar()

    def keep(self, role: Role, token: int) -> bool:
        """Hold it for `LENGTH` more; return False if another process has taken over."""
        return self._set_until(role, token, LENGTH)

    def give_back(self, role: Role, token: int) -> None:
        """Let a stand-by have it at once."""
        self._set_until(role, token, timedelta(0))

    def holders(self) -> list[Holder]:
        """Return the last holder of every role that was ever taken."""
        with reachable(), self._engine.connect() as connection:
            rows = connection.execute(
                select(RoleRow.__table__, (RoleRow.until > func.now()).label("held")).order_by(
                    RoleRow.name
                )
            )
            return [
                Holder(Role(row.name), row.host, row.pid, row.token, row.since, row.held)
                for row in rows
            ]

    def _set_until(self, role: Role, token: int, from_now: timedelta) -> bool:
        with reachable(), self._engine.begin() as connection:
            found = connection.execute(
                update(RoleRow)
                .where(RoleRow.name == role.value, RoleRow.token == token)
                .values(until=func.now() + from_now)
            )
            return found.rowcount == 1
