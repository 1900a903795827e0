"""What all rows share: exact numerics, aware UTC, words of enums guarded by the database."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, MetaData, Numeric, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column

Id = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Word = Annotated[str, mapped_column(Text)]
# Unbounded numerics keep every digit; a scale would round silently.
Figure = Annotated[Decimal, mapped_column(Numeric)]


class Base(DeclarativeBase):
    """All tables, with constraint names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def one_of(column: str, words: type[Enum]) -> CheckConstraint:
    """Let a column hold nothing but an enum's values."""
    return CheckConstraint(f"{column} IN ({quoted(word.value for word in words)})", name=column)


def quoted(words: Iterable[str]) -> str:
    """Write words as SQL literals, in a stable order."""
    return ", ".join(f"'{word}'" for word in sorted(words))
