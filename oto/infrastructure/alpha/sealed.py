"""Secrets that cannot be printed, copied, pickled or encoded by accident."""

from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")


class Sealed(Generic[T]):
    """Keep a secret in a closure, out of reach of repr, vars, pickle, copy and encoders."""

    __slots__ = ("_unseal",)
    _unseal: Callable[[], T]

    def __init__(self, secret: T) -> None:
        self._unseal = lambda: secret

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<hidden>)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        self._refuse()

    def __reduce__(self) -> NoReturn:
        self._refuse()

    def __getstate__(self) -> NoReturn:
        self._refuse()

    def __copy__(self) -> NoReturn:
        self._refuse()

    def __deepcopy__(self, memo: object) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} is a secret: it is neither copied nor stored")
