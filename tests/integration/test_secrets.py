"""A session's values appear nowhere: not in a log, a text, an error or a traceback with locals."""

import logging
import pickle
import traceback
from collections.abc import Callable, Iterator

import pytest

from oto.domain.errors import ExchangeError
from oto.infrastructure.alpha.client import Limits
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.states import Loss, StreamTimings
from oto.infrastructure.alpha.transport import Settings
from oto.infrastructure.alpha.user_stream import ReconcileReason, UserStream
from oto.infrastructure.logs import configure_logging
from oto.simulator.faults import REST_FAULTS
from tests.integration.listeners import RememberingUserListener
from tests.simulated import PLACE, TRADE, Exchange, plain_body

pytestmark = pytest.mark.integration

ONCE = Settings(attempts=1, limits=Limits(read_s=0.3))
QUICK = StreamTimings(
    ping_every_s=0.2, silent_after_s=1, first_backoff_s=0.05, longest_backoff_s=0.1
)


@pytest.fixture(autouse=True)
def finest_logging(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Log everything that any library would say, as JSON, and restore what was set before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    del capsys  # only so that what is logged is captured
    configure_logging(json=True, level="DEBUG")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def secrets_of(exchange: Exchange) -> list[str]:
    """Return every value of a fresh session that must not be seen, the listen key included."""
    given = exchange.credentials()
    headers = exchange.add_user()
    listen_key = exchange.post(f"{TRADE}/get-listen-key", headers, {})["data"]
    cookies = [value for name, value in given["cookies"].items() if name != "logined"]
    return [*cookies, given["headers"]["csrftoken"], listen_key]


def told(error: BaseException) -> str:
    """Return all that can be printed of an error, with the locals of every frame."""
    lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    return "".join([*lines, repr(error), str(error), repr(vars(error)), repr(error.args)])


def outcome(call: Callable[[], object]) -> str:
    """Make a call and return all that can be printed of what it gave or raised."""
    try:
        return repr(call())
    except ExchangeError as error:
        return told(error) + repr(pickle.loads(pickle.dumps(error)))


def test_no_rest_fault_shows_a_secret(
    exchange: Exchange, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = secrets_of(exchange)
    given = exchange.credentials()
    seen = []
    with PrivateAlpha(
        exchange.rest, Credentials(given["headers"], given["cookies"]), settings=ONCE
    ) as alpha:
        del given
        for kind in sorted(REST_FAULTS, key=lambda one: one.value):
            for call in (alpha.asset_wallets, alpha.cancel_all, alpha.listen_key):
                exchange.fault(kind.value, user="ann", count=1, delay_ms=500)
                seen.append(outcome(call))
        seen.append(repr(vars(alpha)))
    output = capsys.readouterr()

    text = "".join([*seen, output.out, output.err])
    assert len(seen) > 3 * len(REST_FAULTS)
    assert [secret for secret in secrets if secret in text] == []


def test_no_stream_event_shows_a_secret(
    exchange: Exchange, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = secrets_of(exchange)
    given = exchange.credentials()
    credentials = Credentials(given["headers"], given["cookies"])
    del given
    heard = RememberingUserListener()
    with PrivateAlpha(exchange.rest, credentials, settings=ONCE) as alpha:
        stream = UserStream(exchange.ws, alpha.listen_key, heard, QUICK)
        stream.start()
        for kind in ("socket_cut", "socket_silent", "truncated_frame"):
            heard.wait(lambda: ReconcileReason.SUBSCRIBED in heard.reasons)
            heard.reasons.clear()
            exchange.fault(kind, endpoint="user")
        exchange.post(PLACE, exchange.add_user(), plain_body("BUY", "0.2", "50", "10"))
        heard.wait(lambda: bool(heard.drifts))
        exchange.add_user(session_live=False)
        exchange.fault("socket_cut", endpoint="user")
        heard.wait(lambda: bool(heard.ended))
        assert stream.stop()
    output = capsys.readouterr()

    errors = [told(error) for error in [*heard.ended, *heard.drifts]]
    text = "".join([*errors, repr(vars(heard)), repr(vars(stream)), output.out, output.err])
    assert "stream_lost" in text
    assert Loss.SILENT.name in text
    assert [secret for secret in secrets if secret in text] == []
