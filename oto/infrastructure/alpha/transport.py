"""Calls to the exchange: reads are repeated, writes are sent once, by two separate ways."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx
import tenacity
from tenacity.wait import wait_base

from oto.domain.errors import ContractDriftError, ExchangeError, RetryLaterError
from oto.infrastructure.alpha.client import DEFAULT_LIMITS, Client, Limits, NoAnswer, Query, always
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.decoding import Json
from oto.infrastructure.alpha.endpoints import ReadEndpoint, WriteEndpoint, WritePurpose
from oto.infrastructure.alpha.errors import classify, of_a_write, outcome_unknown, verification
from oto.infrastructure.alpha.limits import Budget, BudgetSpentError, Priority, RateBudget
from oto.infrastructure.alpha.schemas import Envelope

T = TypeVar("T")

_PRIORITY = {WritePurpose.CANCEL: Priority.CANCEL, WritePurpose.PLACE: Priority.PLACE}


def fresh_trace_id() -> str:
    """Return a new id for one request."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Settings:
    """How calls are made. Times are in seconds.

    A Retry-After longer than `longest_retry_after_s` is not waited for: the error says how long.
    `wire` carries requests in place of sockets.
    """

    limits: Limits = DEFAULT_LIMITS
    budget_wait_s: float = 5
    attempts: int = 3
    first_pause_s: float = 0.25
    longest_pause_s: float = 4
    longest_retry_after_s: int = 10
    new_trace_id: Callable[[], str] = fresh_trace_id
    sleep: Callable[[float], None] = time.sleep
    wire: httpx.BaseTransport | None = None


DEFAULT_SETTINGS = Settings()


class Transport:
    """Makes calls over one client, within one budget."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials | None = None,
        budget: Budget | None = None,
        settings: Settings = DEFAULT_SETTINGS,
    ) -> None:
        self._settings = settings
        self._budget = budget or RateBudget()
        self._client = Client(base_url, credentials, settings.limits, settings.wire)

    def close(self) -> None:
        self._client.close()

    def read(
        self,
        endpoint: ReadEndpoint,
        parse: Callable[[Json], T],
        query: Query | None = None,
        body: Mapping[str, object] | None = None,
    ) -> T:
        """Make a call that changes nothing, again if it may succeed later.

        Raises:
            ExchangeError: what went wrong, the last time.
        """
        return self.read_page(endpoint, lambda data, _: parse(data), query, body)

    def read_page(
        self,
        endpoint: ReadEndpoint,
        parse: Callable[[Json, int | None], T],
        query: Query | None = None,
        body: Mapping[str, object] | None = None,
    ) -> T:
        """Make a read whose answer gives a total beside its `data`."""
        envelope = self._retrying()(self._read_once, endpoint, query, body)
        return parse(envelope.data, envelope.total)

    def write(
        self,
        endpoint: WriteEndpoint,
        body: Mapping[str, object],
        parse: Callable[[Json], T],
        may_send: Callable[[], bool] = always,
    ) -> T:
        """Make a call that has an effect: send it at most once.

        `may_send` is asked last before it is sent; what it forbids is a NotSentError.

        Raises:
            OutcomeUnknownError: it was sent and may have had its effect; `__cause__` says more.
            ExchangeError: it had no effect.
        """
        settings = self._settings
        self._budget.acquire(_PRIORITY[endpoint.purpose], settings.budget_wait_s)
        trace_id = settings.new_trace_id()
        answer = self._client.send(endpoint, trace_id, body=body, may_send=may_send)
        if isinstance(answer, NoAnswer):
            raise of_a_write(answer.error, endpoint.name) if answer.sent else answer.error
        envelope = classify(answer)
        if isinstance(envelope, ExchangeError):
            raise of_a_write(envelope, endpoint.name)
        try:
            return parse(envelope.data)
        except ContractDriftError as error:
            drift = error
        # A challenge whose success has no ids: what matters is that the user must act.
        raise outcome_unknown(endpoint.name, verification() if answer.challenged else drift)

    def _read_once(
        self, endpoint: ReadEndpoint, query: Query | None, body: Mapping[str, object] | None
    ) -> Envelope:
        self._budget.acquire(Priority.READ, self._settings.budget_wait_s)
        answer = self._client.send(endpoint, self._settings.new_trace_id(), query, body)
        result = answer.error if isinstance(answer, NoAnswer) else classify(answer)
        if isinstance(result, ExchangeError):
            raise result
        return result

    def _retrying(self) -> tenacity.Retrying:
        settings = self._settings
        return tenacity.Retrying(
            sleep=settings.sleep,
            stop=tenacity.stop_after_attempt(settings.attempts),
            retry=tenacity.retry_if_exception(self._worth_repeating),
            wait=_Pause(settings),
            reraise=True,
        )

    def _worth_repeating(self, error: BaseException) -> bool:
        if isinstance(error, BudgetSpentError):
            return False
        return (
            isinstance(error, RetryLaterError)
            and error.retry_after_s <= self._settings.longest_retry_after_s
        )


class _Pause(wait_base):
    """Grow the pause with each attempt, with jitter, and never undercut a Retry-After."""

    def __init__(self, settings: Settings) -> None:
        self._growing = tenacity.wait_exponential(
            multiplier=settings.first_pause_s, max=settings.longest_pause_s
        ) + tenacity.wait_random(0, settings.first_pause_s)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        outcome = retry_state.outcome
        error = outcome.exception() if outcome else None
        least_s = error.retry_after_s if isinstance(error, RetryLaterError) else 0
        return max(self._growing(retry_state), least_s)
