"""Invariants of the trading loop, whatever the exchange, the streams and the machine do to it.

No order is sent twice, and never are two POSTs unfinished. At no time has a user two BUYs open, or
more for sale than is held. What was executed never shrinks, and two tellings of a fill, however
late and doubled, are one fill. Exposure is what was bought, less the fee, less what was sold.
Nothing is sold below the stated loss. No fault calls for a human, if fewer exits are refused than
do so. When the faults stop, the job is flat within two minutes, or has parked what cannot be sold
within the stated loss; and then every fill in the ledger is one of the exchange, and the other way
round.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oto.application.advance_job import Advance
from oto.application.ports import Exchange, Wake
from oto.domain import planning
from oto.domain.cycle import Cycle, CyclePhase, sellable_floor
from oto.domain.job import ACTIVE, JobEvent, JobState, Target, TargetKind, UserId, Wish
from oto.domain.job import after as job_after
from oto.domain.leg import UNRESOLVED, Leg, LegFill, LegKind
from oto.domain.market import Symbol
from oto.domain.money import Price
from oto.domain.orders import OrderId, Side
from oto.domain.pricing.profiles import CROSS
from oto.domain.tick import Tick
from oto.simulator.settings import PartialFillPolicy
from tests import builders
from tests.builders import AT, rules
from tests.memory_ledger import Killed, MemoryLedger, State
from tests.properties.pure_exchange import Answer, PureExchange
from tests.properties.pure_orders import Order

pytestmark = pytest.mark.unit

BID = Price(Decimal("0.22690"))
TICK = Decimal("0.00001")
SPREAD_TICKS = 10
JOB = builders.job(target=Target(TargetKind.VOLUME, Decimal(60)), size="20", slip_bps=15)
HALF_SECONDS = st.integers(min_value=1, max_value=8)
NOT_CALLED_FOR = frozenset({JobState.NEEDS_HUMAN, JobState.FAILED})


@dataclass(slots=True)
class World:
    """Time and prices, both moved by hand."""

    time: datetime = AT
    bid: Price = BID
    connected: bool = True

    @property
    def ask(self) -> Price:
        return Price(self.bid + SPREAD_TICKS * TICK)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def read(self, symbol: Symbol) -> Tick:
        del symbol
        bid, ask = f"{self.bid:f}", f"{self.ask:f}"
        return builders.tick(bid, ask, received_at=self.time, connected=self.connected)

    def wake(self, wake: Wake, delay_s: float = 0) -> None:
        """Lose it: a turn is taken whenever the test takes one."""

    def record(self, name: str, milliseconds: float) -> None:
        """Measure nothing."""


class MortalLedger(MemoryLedger):
    """Kills the process after so many commits."""

    commits_left: int | None = None

    def committed(self) -> None:
        if self.commits_left is not None:
            self.commits_left -= 1
            if self.commits_left <= 0:
                self.commits_left = None
                raise Killed


@dataclass(frozen=True, slots=True)
class OneUser:
    exchange: Exchange

    def of(self, user_id: UserId) -> Exchange:
        del user_id
        return self.exchange


@dataclass(frozen=True, slots=True)
class Ending:
    """What is so after the faults have stopped."""

    market_trades: bool
    reports_come: bool

    @property
    def wish(self) -> Wish:
        # No target is reached in a market that does not trade.
        return Wish.RUN if self.market_trades and self.reports_come else Wish.STOP


class TradingLoop(RuleBasedStateMachine):
    """One job over several cycles, in virtual time."""

    @initialize(
        policy=st.sampled_from(PartialFillPolicy),
        ending=st.builds(Ending, st.booleans(), st.booleans()),
    )
    def begin(self, policy: PartialFillPolicy, ending: Ending) -> None:
        self.world = World()
        self.exchange = PureExchange(self.world.now, policy)
        self.ledger = MortalLedger(State(JOB))
        user = OneUser(self.exchange)
        world = self.world
        self.advance = Advance(self.ledger, world, user, world, world, world)
        self.ending = ending
        self.executed: dict[OrderId, Decimal] = {}

    @property
    def state(self) -> State:
        return self.ledger.state

    @property
    def legs(self) -> list[Leg]:
        return list(self.state.legs)

    def take_a_turn(self) -> None:
        with suppress(Killed):
            self.advance(self.ledger.wake())

    def pass_time(self, seconds: float) -> None:
        self.world.time += timedelta(seconds=seconds)
        self.exchange.catch_up()

    @rule(half_seconds=HALF_SECONDS)
    def run(self, half_seconds: int) -> None:
        for _ in range(half_seconds):
            self.take_a_turn()
            self.pass_time(0.5)

    @rule(answers=st.lists(st.sampled_from(Answer), min_size=1, max_size=4), half=HALF_SECONDS)
    def run_while_writes_fail(self, answers: list[Answer], half: int) -> None:
        self.exchange.answers = answers
        self.run(half)

    @rule(commits=st.integers(min_value=1, max_value=6), half=HALF_SECONDS)
    def run_and_be_killed_between_two_transactions(self, commits: int, half: int) -> None:
        self.ledger.commits_left = commits
        self.run(half)

    @rule(reads=st.integers(min_value=1, max_value=4), half=HALF_SECONDS)
    def run_while_reads_fail(self, reads: int, half: int) -> None:
        self.exchange.reads_fail = reads
        self.run(half)

    @rule(past_only=st.booleans(), half=HALF_SECONDS)
    def run_while_reads_lag(self, past_only: bool, half: int) -> None:  # noqa: FBT001 - by name
        self.exchange.lag(past_only=past_only)
        self.run(half)

    @rule(half=HALF_SECONDS)
    def run_without_prices(self, half: int) -> None:
        self.world.connected = False
        self.run(half)
        self.world.connected = True

    @rule(half=HALF_SECONDS)
    def run_under_a_halt(self, half: int) -> None:
        self.ledger.state = replace(self.state, halted="halted by ann")
        self.run(half)
        self.ledger.state = replace(self.state, halted=None)

    @rule(half=HALF_SECONDS)
    def run_while_a_pause_is_wished(self, half: int) -> None:
        self.wish(Wish.PAUSE)
        self.run(half)
        self.wish(Wish.RUN)

    def wish(self, wish: Wish) -> None:
        """Note what the owner wants, as `oto pause`, `oto resume` and `oto stop` do."""
        job = replace(self.state.job, wish=wish)
        if wish is Wish.RUN and job.state is JobState.PAUSED:
            job = replace(job, state=job_after(job.state, JobEvent.RESUME))
        self.ledger.state = replace(self.state, job=job)

    @rule(epochs=st.integers(min_value=1, max_value=3))
    def get_a_stale_wake_up(self, epochs: int) -> None:
        before = self.state
        self.advance(Wake(JOB.job_id, self.state.epoch - epochs))
        assert self.state == before

    @rule(ticks=st.integers(min_value=-60, max_value=60))
    def move_the_price(self, ticks: int) -> None:
        self.world.bid = Price(BID + ticks * TICK)

    @precondition(lambda self: self.live())
    @rule(
        which=st.integers(min_value=0, max_value=2),
        eighths=st.integers(min_value=1, max_value=8),
        pieces=st.integers(min_value=1, max_value=2),
    )
    def execute(self, which: int, eighths: int, pieces: int) -> None:
        live = self.live()
        order = live[which % len(live)]
        part = rules().quantity_floor(order.quantity * eighths / 8)
        self.exchange.fill(order, part, self.price_for(order), pieces=pieces)

    @precondition(lambda self: self.live())
    @rule(eighths=st.integers(min_value=0, max_value=7))
    def execute_a_part_and_let_it_be_cancelled(self, eighths: int) -> None:
        self.execute(0, eighths, 1)
        self.run(12)

    def live(self) -> list[Order]:
        return [order for order in self.exchange.orders if order.live and order.remaining]

    def price_for(self, order: Order) -> Price:
        """Return what the market gives an order, never worse than its limit."""
        if order.side is Side.BUY:
            return min(order.price, self.world.ask)
        return max(order.price, self.world.bid)

    @precondition(lambda self: self.exchange.reports)
    @rule(which=st.integers(min_value=0, max_value=5), again=st.booleans())
    def deliver_a_report(self, which: int, again: bool) -> None:  # noqa: FBT001 - drawn by name
        reports = self.exchange.reports
        place = which % len(reports)
        report = reports[place] if again else reports.pop(place)
        self.ledger.take_report(JOB.user_id, report, self.world.now())

    @rule()
    def deliver_every_report(self) -> None:
        while self.exchange.reports:
            self.deliver_a_report(0, again=False)

    @rule()
    def drop_every_report(self) -> None:
        self.exchange.reports.clear()

    @invariant()
    def no_order_is_sent_twice(self) -> None:
        sent = [leg for leg in self.legs if leg.sent_at and leg.kind is not LegKind.PENDING]
        intents = Counter((leg.price, leg.quantity) for leg in sent)
        assert Counter(self.exchange.posts) <= intents

    @invariant()
    def one_cycle_and_one_post_at_most_are_unfinished(self) -> None:
        posts = [leg for leg in self.legs if leg.kind is not LegKind.PENDING]
        assert sum(leg.state in UNRESOLVED for leg in posts) <= 1
        assert sum(not cycle.finished for cycle in self.state.cycles) <= 1

    @invariant()
    def one_buy_at_most_is_open(self) -> None:
        assert sum(one.open and one.side is Side.BUY for one in self.exchange.orders) <= 1

    @invariant()
    def nobody_is_called(self) -> None:
        assert self.state.job.state not in NOT_CALLED_FOR, self.state.job.reason

    @invariant()
    def executed_never_shrinks(self) -> None:
        for leg in self.legs:
            if leg.order_id is not None:
                assert leg.executed >= self.executed.get(leg.order_id, 0)
                self.executed[leg.order_id] = leg.executed

    @invariant()
    def no_fill_is_told_twice(self) -> None:
        for leg, order in self.placed():
            assert len(leg.fills) <= len(order.fills)
            assert leg.filled_quantity <= order.executed <= order.quantity

    @invariant()
    def exposure_is_bought_less_fee_less_sold(self) -> None:
        for cycle in self.state.cycles:
            buy, *sells = [leg.fills for leg in cycle.legs]
            bought = sum(fill.quantity - fill.fee for fill in buy)
            assert cycle.exposure == bought - sum(one.quantity for leg in sells for one in leg)

    @invariant()
    def nothing_is_sold_below_the_stated_loss(self) -> None:
        for cycle in self.state.cycles:
            for leg in cycle.exits:
                assert leg.price >= lowest_price(cycle)

    def placed(self) -> list[tuple[Leg, Order]]:
        orders = {order.order_id: order for order in self.exchange.orders}
        return [(leg, orders[leg.order_id]) for leg in self.legs if leg.order_id is not None]

    def teardown(self) -> None:
        self.calm_down()
        for _ in range(240):
            if self.done():
                break
            self.pass_time(0.5)
            self.let_the_market_trade()
            self.take_a_turn()
        else:
            pytest.fail(f"neither flat nor parked: {self.state.unfinished}")
        self.check_the_end()

    def calm_down(self) -> None:
        self.exchange.calm_down()
        self.ledger.commits_left = None
        self.wish(self.ending.wish)

    def done(self) -> bool:
        cycle = self.state.unfinished
        if self.state.job.state not in ACTIVE:
            return True
        parked = cycle is not None and cycle.phase is CyclePhase.PARKED
        return cycle is not None and parked and not self.can_be_sold(cycle)

    def can_be_sold(self, cycle: Cycle) -> bool:
        if self.world.bid < lowest_price(cycle):
            return False
        first_rung = planning.rung_price_floor(self.world.bid, CROSS.exit_rungs_bps[0], rules())
        return bool(sellable_floor(cycle, rules(), first_rung))

    def let_the_market_trade(self) -> None:
        """Fill what crosses, and report it if the stream works."""
        for order in self.live() if self.ending.market_trades else ():
            buys = order.side is Side.BUY
            if order.price >= self.world.ask if buys else order.price <= self.world.bid:
                self.exchange.fill(order, order.remaining, self.price_for(order))
        if self.ending.reports_come:
            self.deliver_every_report()

    def check_the_end(self) -> None:
        cycle = self.state.unfinished
        assert cycle is None or cycle.phase is CyclePhase.PARKED
        assert not [order for order in self.exchange.orders if order.open]
        known = {order.order_id for _, order in self.placed()}
        assert known == {order.order_id for order in self.exchange.orders}
        for leg, order in self.placed():
            assert leg.executed == order.executed
            assert sorted(map(figures, leg.fills)) == sorted(map(figures, order.fills))
        assert sum(one.exposure for one in self.state.cycles) == self.exchange.held()
        for one in self.state.cycles:
            average = rules().price_floor(one.average_buy_price_floor)
            assert one is cycle or not sellable_floor(one, rules(), average)


def lowest_price(cycle: Cycle) -> Fraction:
    """Return the stated loss as a price, but for the digits that an average is cut to."""
    buy = cycle.working
    average = Fraction(buy.filled_quote) / Fraction(buy.filled_quantity)
    return average * Fraction(10_000 - JOB.most_slip_bps, 10_000) - Fraction(1, 10**17)


def figures(fill: LegFill) -> tuple[Decimal, ...]:
    return fill.price, fill.quantity, fill.quote, fill.fee


TestTradingLoop = TradingLoop.TestCase
TestTradingLoop.settings = settings(max_examples=100, stateful_step_count=30)
