"""Reading single figures of a stream event; an error names the field and never its value."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from oto.domain import money
from oto.domain.errors import UnexpectedShapeError
from oto.domain.market import BookLevel, at_ms

Raw = TypeVar("Raw")
Value = TypeVar("Value")


def read(reader: Callable[[Raw], Value], raw: Raw, field: str) -> Value:
    """Apply a reader of the domain and name the field where it refuses.

    Raises:
        UnexpectedShapeError: the reader raised ValueError.
    """
    try:
        return reader(raw)
    except ValueError:
        raise UnexpectedShapeError(f"$.data.{field}: out of range or not a figure") from None


def read_ms(milliseconds: int, field: str) -> datetime:
    """Read Unix milliseconds as aware UTC."""
    return read(at_ms, milliseconds, field)


def read_level(price: str, quantity: str, field: str) -> BookLevel:
    """Read one level of a book; a quantity of zero is a deletion."""
    return BookLevel(read(money.price, price, field), read(money.quantity, quantity, field))
