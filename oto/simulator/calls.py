"""The REST calls: what each one answers, given the exchange, the caller and the request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oto.simulator import strict_json
from oto.simulator.accounts import Account
from oto.simulator.exchange import Exchange
from oto.simulator.refusals import Code, Refusal
from oto.simulator.trading import Trading


class NotLoggedInError(Exception):
    """A private call without an account; the dispatcher lets none through."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the calls see it."""

    exchange: Exchange
    trading: Trading
    query: Mapping[str, str]
    body: Any
    caller: Account | None = None

    @property
    def account(self) -> Account:
        if self.caller is None:
            raise NotLoggedInError
        return self.caller

    def field(self, name: str) -> Any:  # noqa: ANN401 - what a JSON body holds
        """Return a field of the body.

        Raises:
            Refusal: the body is no object, or lacks it.
        """
        if not isinstance(self.body, dict) or name not in self.body:
            raise Refusal(Code.INVALID_FORMAT)
        return self.body[name]

    def number(self, name: str, default: int) -> int:
        """Return a whole number of the query; an unreadable one is the default."""
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else default  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes into the envelope; `total` stands beside the data of paged lists."""

    data: Any
    total: int | None = None


Endpoint = Callable[[Call], Answer]


def read_json(body: bytes) -> Any:  # noqa: ANN401 - what a JSON body holds
    """Read a JSON body with exact numbers; an empty body is None.

    Raises:
        Refusal: not JSON.
    """
    if not body.strip():
        return None
    try:
        return strict_json.read(body)
    except strict_json.BadJsonError:
        raise Refusal(Code.INVALID_FORMAT) from None
