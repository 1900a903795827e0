"""JSON from clients, read strictly: exact numbers, whole characters, bounded depth."""

from decimal import Decimal, DecimalException
from typing import Any

import msgspec

# What is read may be written again, and writing recurses as deep as it is nested.
_MOST_DEPTH = 32
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


class BadJsonError(ValueError):
    """Not JSON, or nested deeper than any request."""


def read(raw: bytes | str) -> Any:  # noqa: ANN401 - what JSON holds
    """Read JSON; numbers with a point or an exponent become Decimals.

    Raises:
        BadJsonError: not JSON, NaN, half a character, an unbounded number, too deep.
    """
    try:
        found = _DECODER.decode(raw)
    except (ValueError, DecimalException, RecursionError) as error:
        raise BadJsonError(f"not JSON: {error}") from None
    level = [found]
    for _ in range(_MOST_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return found
    raise BadJsonError("nested too deeply")


def _inside(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
