"""The shapes of the wire: extra fields are ignored, figures come as numbers or as strings.

`Decimal` fields are read from the digits of a JSON number or string, never through a float.
"""

from decimal import Decimal
from typing import Annotated, ClassVar

import msgspec

from oto.domain import money

LAST_MS = 253_402_300_799_999  # the end of the year 9999
_MOST_DECIMALS = 40

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=LAST_MS)]
Counter = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Decimals = Annotated[int, msgspec.Meta(ge=0, le=_MOST_DECIMALS)]
Millionths = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Id = Counter | Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Wire(msgspec.Struct, frozen=True):
    """A shape whose figures are finite, of bounded length, and zero or more unless `signed`."""

    signed: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if isinstance(value := getattr(self, name), Decimal):
                _check_figure(name, value, signed=name in self.signed)


def _check_figure(name: str, value: Decimal, *, signed: bool) -> None:
    try:
        negative = money.decimal_from_text(str(value)) < 0
    except ValueError:
        raise ValueError(f"`{name}` is not a figure of money") from None
    if negative and not signed:
        raise ValueError(f"`{name}` is below zero")


class Envelope(msgspec.Struct, frozen=True):
    """What every answer is wrapped in (PROTOCOL §1.2); `data` may hold a secret."""

    code: str | int
    message: object = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    success: bool | None = None
    total: Counter | None = None

    def __repr__(self) -> str:
        return f"Envelope(code={str(self.code)[:20]!r})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("code", str(self.code)[:20])]
