"""Bytes of the wire into its shapes, or into an error that names the field and shows no value."""

from typing import TypeAlias, TypeVar

import msgspec

from oto.domain.errors import UndecodableError, UnexpectedShapeError

T = TypeVar("T")
Json: TypeAlias = bytes | msgspec.Raw


def decode(data: Json, shape: type[T], what: str) -> T:
    """Read JSON of a known shape.

    Raises:
        UnexpectedShapeError: a field is missing or of another type; the message has its path.
        UndecodableError: not JSON.
    """
    error: UnexpectedShapeError | UndecodableError
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.ValidationError as problem:
        error = UnexpectedShapeError(f"{what}: {problem}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = UndecodableError(f"{what}: the answer is not JSON")
    del data  # a traceback that shows locals must not show an answer: it may hold a listen key
    raise error
