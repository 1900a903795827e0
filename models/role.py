"""Roles that one process at a time holds, whichever host it runs on."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Moment, Word


class RoleRow(Base):
    """One role. `token` rises by one with each take-over; after `until` anyone may."""

    __tablename__ = "roles"

    name: Mapped[Word] = mapped_column(primary_key=True)
    host: Mapped[Word]
    pid: Mapped[int]
    token: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[Moment]
    until: Mapped[Moment]
