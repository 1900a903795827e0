"""Reads are made again where that can help, and not sooner than the exchange asks."""

import pytest

from oto.domain import errors as tree
from oto.infrastructure.alpha.public import PublicAlpha
from tests.unit.alpha import server
from tests.unit.alpha.server import Behaviour, Exchange, Reply

pytestmark = pytest.mark.unit

LATER = {"date": "Wed, 21 Oct 2026 07:28:00 GMT", "retry-after": "Wed, 21 Oct 2026 07:28:09 GMT"}


@pytest.mark.parametrize(
    "behaviour",
    [server.cut, server.half, Reply(503), Reply(429, headers={"retry-after": "2"})],
)
def test_a_read_is_repeated_until_it_succeeds(
    exchange: Exchange, public: PublicAlpha, pauses: list[float], behaviour: Behaviour
) -> None:
    exchange.script = [behaviour, behaviour, server.ok([])]
    assert public.token_list() == []
    assert len(exchange.seen) == 3
    assert len(pauses) == 2


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("headers", [{"retry-after": "9"}, LATER])
def test_a_retry_after_is_not_undercut(
    exchange: Exchange,
    public: PublicAlpha,
    pauses: list[float],
    status: int,
    headers: dict[str, str],
) -> None:
    exchange.script = [Reply(status, headers=headers), server.ok([])]
    public.token_list()
    assert pauses == [9]


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_retry_after_is_the_callers_to_wait(
    exchange: Exchange, public: PublicAlpha, pauses: list[float], status: int
) -> None:
    exchange.script = [Reply(status, headers={"retry-after": "600"})]
    with pytest.raises(tree.RetryLaterError) as caught:
        public.token_list()
    assert caught.value.retry_after_s == 600
    assert (len(exchange.seen), pauses) == (1, [])


def test_a_read_gives_up_after_its_attempts(exchange: Exchange, public: PublicAlpha) -> None:
    exchange.script = [Reply(500)]
    with pytest.raises(tree.UnavailableError):
        public.token_list()
    assert len(exchange.seen) == 3


@pytest.mark.parametrize(
    ("behaviour", "branch"),
    [
        (server.html(403), tree.FirewalledError),
        (Reply(404), tree.UndecodableError),
        (Reply(301, headers={"location": "/x"}), tree.UndecodableError),
        (server.refusal("100002001", ""), tree.SessionOverError),
        (server.ok({}), tree.UnexpectedShapeError),
    ],
)
def test_a_read_that_repeating_cannot_help_is_made_once(
    exchange: Exchange,
    public: PublicAlpha,
    behaviour: Behaviour,
    branch: type[tree.ExchangeError],
) -> None:
    exchange.script = [behaviour]
    with pytest.raises(branch):
        public.token_list()
    assert len(exchange.seen) == 1
