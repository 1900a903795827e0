"""Which placements a halt forbids."""

import pytest

from workers.drill.halting import Span, arrived_after

pytestmark = pytest.mark.unit


def span(*, user: str | None = None, symbol: str | None = None, flattened: bool = False) -> Span:
    return Span(user, symbol, 1_000, 2_000, 3_000, flattened=flattened, flat=True)


def post(at_ms: int, endpoint: str = "place_oto", user: str = "ann") -> dict[str, object]:
    return {"at_ms": at_ms, "endpoint": endpoint, "user": user, "symbol": "NEXUSDT"}


@pytest.mark.parametrize(("at_ms", "late"), [(999, 0), (1_001, 1), (2_500, 1), (3_001, 0)])
def test_nothing_may_arrive_while_a_halt_stands(at_ms: int, late: int) -> None:
    assert len(arrived_after([span()], [post(at_ms)])) == late


@pytest.mark.parametrize(
    ("halt", "late"),
    [
        (span(user="ann"), 1),
        (span(user="bob"), 0),
        (span(symbol="NEXUSDT"), 1),
        (span(symbol="ABCUSDT"), 0),
    ],
)
def test_a_halt_of_others_forbids_nothing(halt: Span, late: int) -> None:
    assert len(arrived_after([halt], [post(1_500)])) == late


def test_a_halt_that_sells_may_send_exits_until_it_is_done_and_no_buy() -> None:
    sells = span(flattened=True)

    assert arrived_after([sells], [post(1_500, "place")]) == []
    assert arrived_after([sells], [post(1_500), post(2_500, "place")]) != []
    assert len(arrived_after([sells], [post(1_500), post(2_500, "place")])) == 2


def test_a_halt_that_does_not_sell_lets_no_exit_pass() -> None:
    assert len(arrived_after([span()], [post(1_500, "place")])) == 1
