"""Whatever happens to a pair, its tokens end sold, or parked within the stated loss, and counted.

At the end of each test here: no order is open, no SELL was ever priced below the stated loss, the
ledger equals the exchange's truth to the last digit, and a cycle that is over leaves dust at most.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from oto.application.advance_job import Advance
from oto.application.refresh import refresh_catalog
from oto.domain import planning
from oto.domain.cycle import CyclePhase
from oto.domain.job import ACTIVE, JobState, Reason
from oto.domain.leg import LegKind
from oto.domain.orders import LegRole, OrderStatus
from oto.infrastructure.alpha.public import PublicAlpha
from oto.infrastructure.database.catalog import Catalog
from oto.infrastructure.database.leases import Leases
from oto.infrastructure.database.ledger import SqlLedger
from tests.loop import ONCE, Altered, Loop, NoMeter, running_loop
from tests.simulated import AITECH, Exchange

pytestmark = pytest.mark.integration

POLICIES = pytest.mark.parametrize(
    "policy", ["pending_on_full_fill", "pending_on_partial", "void_on_cancel"]
)
NOBODY = [["0.10000000", "1"]]
BID, ASK, FALLEN = "0.22690000", "0.22700000", "0.20000000"


@pytest.fixture
def loop(database_url: str, exchange: Exchange) -> Iterator[Loop]:
    with running_loop(database_url, exchange) as made:
        yield made
        assert_all_is_accounted_for(made)


def assert_all_is_accounted_for(loop: Loop) -> None:
    found, rules = loop.audit(), Catalog(loop.engine).named(AITECH).rules
    assert (found.differences, found.duplicates, found.orphans, found.open_orders) == ((), 0, 0, 0)
    for cycle in loop.cycles():
        assert cycle.finished or cycle.phase is CyclePhase.PARKED
        for leg in cycle.exits:
            assert leg.price >= planning.exit_floor_ceil(cycle, 300, rules)
        if cycle.phase is CyclePhase.SETTLED:
            average = rules.price_floor(cycle.average_buy_price_floor)
            left = rules.quantity_floor(cycle.exposure)
            assert rules.violation(average, left) is not None


def until_parked(loop: Loop) -> None:
    for _ in range(60):
        cycle = loop.view().cycle
        if cycle is not None and cycle.phase is CyclePhase.PARKED:
            return
        loop.turn()
        loop.pass_time(1)
    raise AssertionError(loop.view())


def fill_before(loop: Loop, kind: LegKind) -> Callable[..., None]:
    """Return a cancel that comes too late: the market takes the leg's whole order before it."""
    real = loop.exchanges.of(loop.user_id)

    def late(symbol: Any, order_id: Any) -> None:  # noqa: ANN401
        leg = next(leg for leg in loop.cycles()[-1].legs if leg.order_id == order_id)
        if leg.kind is kind:
            price = f"{leg.price:f}"
            side = {"asks": [[price, "1000000"]]} if kind is LegKind.WORKING else {}
            side = side or {"bids": [[price, "1000000"]]}
            loop.exchange.set_book(AITECH, **{"bids": NOBODY, "asks": [["0.3", "1"]]} | side)
            loop.exchange.step(1)
        real.cancel(symbol, order_id)

    return late


def read_lists(loop: Loop) -> None:
    with PublicAlpha(loop.exchange.rest, settings=ONCE) as public:
        refresh_catalog(public, Catalog(loop.engine), loop.clock)


@POLICIES
def test_a_part_that_was_bought_before_the_market_fell_is_parked(loop: Loop, policy: str) -> None:
    loop.exchange.control("settings", {"partial_fill": policy})
    loop.exchange.set_book(AITECH, bids=[[FALLEN, "1000000"]], asks=[[ASK, "30"]])
    loop.start()
    loop.turn()
    loop.market.bid, loop.market.ask = FALLEN, "0.20010000"

    until_parked(loop)

    cycle = loop.cycles()[0]
    assert 0 < cycle.exposure <= 30
    assert loop.view().job.reason is Reason.PARKED


@POLICIES
@pytest.mark.parametrize("kind", list(LegKind), ids=lambda kind: kind.value)
def test_a_cancel_that_crosses_a_fill_changes_nothing_but_who_was_faster(
    loop: Loop, policy: str, kind: LegKind
) -> None:
    loop.exchange.control("settings", {"partial_fill": policy})
    loop.exchanges.port = Altered(loop.exchanges.of(loop.user_id), cancel=fill_before(loop, kind))
    buyable = "1000000" if kind is not LegKind.WORKING else "30"
    loop.exchange.set_book(AITECH, bids=NOBODY, asks=[[ASK, buyable]])
    loop.start()
    loop.turns(20)
    loop.exchanges.port = None
    loop.book(BID, ASK)

    loop.until("completed")


@pytest.mark.parametrize("fallen", [False, True], ids=["sold", "parked"])
def test_a_pending_leg_that_never_activates_does_not_hold_the_tokens(
    loop: Loop, *, fallen: bool
) -> None:
    real = loop.exchanges.of(loop.user_id)

    def asleep(rows: Any) -> list[Any]:  # noqa: ANN401
        return [
            replace(row, status=OrderStatus.PENDING)
            if row.oto is not None and row.oto.role is LegRole.PENDING and not row.ended
            else row
            for row in rows
        ]

    loop.exchanges.port = Altered(real, open_orders=lambda: asleep(real.open_orders()))
    loop.exchange.set_book(AITECH, bids=NOBODY, asks=[[ASK, "1000000"]])
    loop.start()
    loop.turns(10)
    loop.book(FALLEN if fallen else BID, "0.20010000" if fallen else ASK)
    if fallen:
        until_parked(loop)
    else:
        loop.until("completed")

    assert loop.cycles()[0].exits


def test_less_than_the_exchange_takes_is_dust_and_the_job_goes_on(loop: Loop) -> None:
    loop.exchange.set_book(AITECH, bids=[[BID, "1000000"]], asks=[[ASK, "0.3"]])
    loop.start()
    loop.turns(8)
    loop.book(BID, ASK)

    done = loop.until("completed")

    first = loop.cycles()[0]
    assert (first.phase, first.exits) == (CyclePhase.SETTLED, ())
    assert 0 < first.exposure < 1
    assert done.wear.base_left >= first.exposure


def test_a_ladder_that_finds_no_buyer_parks_and_is_climbed_anew_when_one_comes(loop: Loop) -> None:
    loop.start()
    loop.exchange.set_book(AITECH, bids=NOBODY, asks=[[ASK, "1000000"]])

    until_parked(loop)
    first = len(loop.cycles()[0].exits)
    assert first == 5
    assert any("found no buyer" in str(entry.body) for entry in loop.jobs.log(loop.job_id))
    loop.book(BID, ASK)

    loop.until("completed")
    assert len(loop.cycles()[0].exits) == first + 1


@pytest.mark.parametrize(
    ("gone", "back"),
    [
        ({"token": {"offline": True}}, {"token": {"offline": False}}),
        ({"token": {"offsell": True}}, {"token": {"offsell": False}}),
        ({"token": {"stockState": True}}, {"token": {"stockState": False}}),
        ({"info": {"status": "DELISTED"}}, {"info": {"status": "TRADING"}}),
        ({"info": {"status": "A NEW WORD"}}, {"info": {"status": "TRADING"}}),
    ],
    ids=["offline", "offsell", "stock halt", "delisted", "unknown"],
)
def test_a_token_that_cannot_be_sold_any_more_is_parked_until_it_can(
    loop: Loop,
    gone: dict[str, dict[str, object]],
    back: dict[str, dict[str, object]],
) -> None:
    loop.start()
    loop.exchange.set_book(AITECH, bids=NOBODY, asks=[[ASK, "1000000"]])
    loop.turn()
    loop.exchange.control(f"symbols/{AITECH}", gone)
    read_lists(loop)

    until_parked(loop)
    assert loop.view().job.state in ACTIVE
    loop.book(BID, ASK)
    loop.turns(8)
    assert loop.cycles()[0].phase is CyclePhase.PARKED
    loop.exchange.control(f"symbols/{AITECH}", back)
    read_lists(loop)

    loop.until("completed")


def test_a_token_that_is_listed_no_more_is_parked_and_not_bought_again(loop: Loop) -> None:
    loop.start(volume="100")
    loop.exchange.set_book(AITECH, bids=NOBODY, asks=[[ASK, "1000000"]])
    loop.turn()
    with PublicAlpha(loop.exchange.rest, settings=ONCE) as public:
        tokens, pairs = public.token_list(), public.exchange_info()
    others = {symbol: pair for symbol, pair in pairs.items() if symbol != AITECH}
    Catalog(loop.engine).save(tokens, others, loop.clock.now())

    until_parked(loop)
    loop.book(BID, ASK)
    loop.turns(8)

    assert loop.cycles()[0].phase is CyclePhase.PARKED
    assert loop.view().job.state in ACTIVE
    assert len(loop.cycles()) == 1


class Died(BaseException):
    """The process is gone, at this very place."""


class Dying:
    """A port whose process ends at every n-th call, before or after the call's effect."""

    def __init__(self, real: Any, calls: Iterator[bool], *, after: bool) -> None:  # noqa: ANN401
        self._real = real
        self._calls = calls
        self._after = after

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        whole = getattr(self._real, name)

        def call(*arguments: Any) -> Any:  # noqa: ANN401
            dies = next(self._calls)
            if dies and not self._after:
                raise Died
            answer = whole(*arguments)
            if dies:
                raise Died
            return answer

        @contextmanager
        def transaction(*arguments: Any) -> Iterator[Any]:  # noqa: ANN401
            dies = next(self._calls)
            with whole(*arguments) as work:
                yield work
                if dies and not self._after:
                    raise Died
            if dies:
                raise Died

        return transaction if name == "work" else call


def at_calls(first: int) -> Iterator[bool]:
    """Say of each call whether the process dies at it; gaps differ, so that no turn is stuck."""
    for gap in itertools.cycle((2, 5, 3, 4)):
        yield from [False] * (gap + first - 1)
        yield True
        first = 0


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("first", range(3))
@pytest.mark.parametrize("port", ["exchange", "ledger"])
def test_a_ladder_survives_its_process_dying_at_every_call_of_a_port_on_every_rung(
    loop: Loop, port: str, first: int, *, after: bool
) -> None:
    """Each restart is a new process: a new owner of leases, and nothing in memory."""
    calls = at_calls(first)
    loop.start()
    loop.exchange.set_book(AITECH, bids=NOBODY, asks=[[ASK, "1000000"]])
    loop.turn()
    if port == "exchange":
        real = loop.exchanges.of(loop.user_id)
        loop.exchanges.port = Dying(real, calls, after=after)

    def restart() -> None:
        with loop.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE jobs SET lease_until = now() - interval '1 second'")
        ledger: Any = SqlLedger(loop.engine, Leases(loop.engine), live=False)
        if port == "ledger":
            ledger = Dying(ledger, calls, after=after)
        loop.advance = Advance(
            ledger, loop.market, loop.exchanges, loop.wakes, loop.clock, NoMeter()
        )

    deaths = 0
    restart()
    for _ in range(150):
        cycle = loop.view().cycle
        if cycle is not None and cycle.phase is CyclePhase.PARKED:
            break
        try:
            loop.turn()
        except Died:
            deaths += 1
            restart()
        loop.pass_time(1)
    assert deaths > 5
    assert loop.cycles()[0].phase is CyclePhase.PARKED
    loop.book(BID, ASK)
    for _ in range(150):
        if loop.view().job.state is JobState.COMPLETED:
            break
        with suppress(Died):
            loop.turn()
        restart()
        loop.pass_time(1)
    assert loop.view().job.state is JobState.COMPLETED
