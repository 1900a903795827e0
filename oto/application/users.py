"""Users' sessions: does the exchange still take this one?"""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from oto.domain.errors import ExchangeError, SessionOverError


class Login(Protocol):
    """What a session can be tried with; both calls may raise an ExchangeError."""

    def login_probe(self) -> None: ...

    def terms_accepted(self) -> bool: ...


class SessionState(Enum):
    ALIVE = "alive"
    OVER = "over"
    NOT_CHECKED = "not_checked"
    """The exchange did not answer, or asks for something that only the account's human can do."""


@dataclass(frozen=True, slots=True)
class Session:
    """What the exchange says of a session; `terms_accepted` is None where it did not tell."""

    state: SessionState
    terms_accepted: bool | None = None
    detail: str = ""


def check_session(login: Login) -> Session:
    """Try a session with two reads."""
    try:
        login.login_probe()
    except SessionOverError as error:
        return Session(SessionState.OVER, detail=str(error))
    except ExchangeError as error:
        return Session(SessionState.NOT_CHECKED, detail=str(error))
    try:
        return Session(SessionState.ALIVE, login.terms_accepted())
    except ExchangeError as error:
        return Session(SessionState.ALIVE, detail=str(error))
