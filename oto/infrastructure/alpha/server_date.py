"""The exchange's own clock, as the date of an answer shows it."""

from datetime import datetime
from email.utils import parsedate_to_datetime

from oto.domain.errors import ExchangeError, UnexpectedShapeError
from oto.infrastructure.alpha import endpoints
from oto.infrastructure.alpha.client import Client, Limits, NoAnswer
from oto.infrastructure.alpha.errors import classify
from oto.infrastructure.alpha.transport import fresh_trace_id


def server_date(base_url: str, limits: Limits) -> datetime:
    """Return the exchange's time, cut to whole seconds.

    Raises:
        ExchangeError: no answer came, or no good one, or one without a date.
    """
    client = Client(base_url, None, limits)
    try:
        answer = client.send(endpoints.QUOTE_ASSETS, fresh_trace_id())
    finally:
        client.close()
    if isinstance(answer, NoAnswer):
        raise answer.error
    if isinstance(result := classify(answer), ExchangeError):
        raise result
    return _read(answer.date)


def _read(text: str) -> datetime:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        date = None
    if date is None or date.tzinfo is None:
        raise UnexpectedShapeError("the answer has no date")
    return date
