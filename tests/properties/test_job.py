"""Invariants of a job between its cycles, whatever its owner, the market and the exchange do.

It buys only while its owner wants it to, its target is not reached, nothing is halted, and price,
token, terms and balance are known and good; and then never for more than is free. A wait is for a
reason that can clear by itself and ends within a minute; what needs a human calls for one, and then
nothing but a human brings the job back. A job that is flat leaves the loop at its next turn when
its owner wishes so or its target is reached, whatever else is wrong. The same view gives the same
decision.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oto.domain.decide import decide
from oto.domain.decisions import Decision, End, Place, ReadAccount, Sleep, View
from oto.domain.job import (
    ACTIVE,
    FINISHED,
    NEEDS_HUMAN,
    JobEvent,
    JobState,
    Progress,
    Reason,
    Wish,
)
from oto.domain.job import after as job_after
from oto.domain.market import SymbolStatus
from oto.domain.money import Amount, Price, Quantity
from oto.domain.pricing.profiles import CROSS
from oto.domain.risk.verdict import Balance, Permission, Situation
from tests import builders
from tests.builders import AT, VOLUME

pytestmark = pytest.mark.unit

LONGEST_WAIT = timedelta(minutes=1)
BIDS = st.integers(min_value=22_600, max_value=22_720)
SPREADS = st.sampled_from([-20, 0, 1, 10, 40, 200])
EVENTS_OF_WISHES = {Wish.STOP: JobEvent.STOP, Wish.PAUSE: JobEvent.PAUSE}


class OneJob(RuleBasedStateMachine):
    """A job whose every pair is bought and sold at once."""

    @initialize(volume=st.integers(1, 120), size=st.integers(5, 60))
    def begin(self, volume: int, size: int) -> None:
        target = replace(VOLUME, value=Decimal(volume))
        self.job = builders.job(target=target, size=str(size))
        self.time = AT
        self.tick = builders.tick()
        self.listed, self.token = builders.rules(), builders.token()
        self.permission = Permission()
        self.balance: Balance | None = None
        self.funding, self.bought = Decimal(500), Decimal(0)
        self.taken: set[tuple[Decimal, Decimal]] = set()
        self.held_elsewhere = False
        self.left_for: Reason | None = None

    @property
    def now(self) -> datetime:
        return self.time

    def view(self) -> View:
        situation = Situation(
            now=self.now,
            profile=CROSS,
            tick=self.tick,
            rules=self.listed,
            token=self.token,
            balance=self.balance,
            permission=self.permission,
        )
        bought = Amount(self.bought)
        return View(
            job=self.job,
            progress=Progress(bought, bought),
            cycle=None,
            situation=situation,
            taken=frozenset((Price(at), Quantity(of)) for at, of in self.taken),
            held_elsewhere=self.held_elsewhere,
        )

    @precondition(lambda self: self.job.state in ACTIVE)
    @rule()
    def take_a_turn(self) -> None:
        view = self.view()
        decision = decide(view)
        assert decide(view) == decision
        self.check_leaving(decision)
        match decision:
            case Place():
                self.check_place(decision, view)
                self.bought += decision.approved.order.payment
                order = decision.approved.order
                self.taken.add((order.working_price, order.working_quantity))
                self.balance = None
            case Sleep():
                assert self.now < decision.until <= self.now + LONGEST_WAIT
                assert decision.reason not in NEEDS_HUMAN
                self.change(JobEvent.WAIT if decision.reason else JobEvent.GO_ON, decision.reason)
            case End():
                human = decision.event is JobEvent.NEED_HUMAN
                assert human == (decision.reason in NEEDS_HUMAN)
                self.change(decision.event, decision.reason)
            case ReadAccount():
                self.balance = Balance(Amount(self.funding), self.now)
                self.permission = replace(self.permission, terms_accepted=True)
            case _:
                pytest.fail(f"{decision} without a cycle")

    @precondition(lambda self: self.job.state in ACTIVE)
    @rule(permission=st.sampled_from([Permission(), Permission(terms_accepted=True)]))
    def take_turns_in_a_good_market(self, permission: Permission) -> None:
        self.permission = permission
        self.listed, self.token = builders.rules(), builders.token()
        for _ in range(3):
            self.tick = builders.tick(received_at=self.now)
            if self.job.state in ACTIVE:
                self.take_a_turn()

    def check_leaving(self, decision: Decision) -> None:
        """A job that is flat leaves when it should."""
        if (event := EVENTS_OF_WISHES.get(self.job.wish)) is not None:
            assert decision == End(event)
        elif self.bought >= self.job.target.value:
            assert decision == End(JobEvent.COMPLETE)
        else:
            left = {JobEvent.COMPLETE, JobEvent.STOP, JobEvent.PAUSE}
            assert not (isinstance(decision, End) and decision.event in left)

    def check_place(self, decision: Place, view: View) -> None:
        situation, order = view.situation, decision.approved.order
        tick, token = self.tick, self.token
        assert not self.held_elsewhere
        assert (self.permission.halted, self.permission.terms_accepted) == (None, True)
        assert tick.connected
        assert tick.age(self.now) <= CROSS.stale_after
        assert tick.bid is not None
        assert tick.ask is not None
        assert tick.bid.price < tick.ask.price < order.working_price
        assert not token.offline
        assert self.listed.status is SymbolStatus.TRADING
        assert situation.balance is not None
        assert order.payment < situation.balance.free
        assert (order.working_price, order.working_quantity) not in self.taken

    def change(self, event: JobEvent, reason: Reason | None) -> None:
        self.job = replace(self.job, state=job_after(self.job.state, event), reason=reason)
        self.left_for = reason if self.job.state not in ACTIVE else None

    @rule(seconds=st.sampled_from([0.2, 1, 4, 20]))
    def pass_time(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    @rule(bid=BIDS, spread=SPREADS, connected=st.sampled_from([True, True, True, False]))
    def move_the_price(self, bid: int, spread: int, connected: bool) -> None:  # noqa: FBT001
        bids, asks = Decimal(bid) / 100_000, Decimal(bid + spread) / 100_000
        self.tick = builders.tick(
            f"{bids:f}", f"{asks:f}", received_at=self.now, connected=connected
        )

    @rule(halted=st.sampled_from([None, None, "halted by ann"]))
    def halt_or_lift(self, halted: str | None) -> None:
        self.permission = replace(self.permission, halted=halted)

    @rule(accepted=st.sampled_from([True, True, None, False]))
    def learn_of_terms(self, accepted: bool | None) -> None:  # noqa: FBT001 - None: not known
        self.permission = replace(self.permission, terms_accepted=accepted)

    @rule(funding=st.sampled_from([0, 5, 30, 500]), read=st.booleans())
    def move_money(self, funding: int, read: bool) -> None:  # noqa: FBT001 - drawn by name
        self.funding = Decimal(funding)
        if read:
            self.balance = Balance(Amount(self.funding), self.now)

    @rule(
        status=st.sampled_from([SymbolStatus.TRADING, SymbolStatus.TRADING, SymbolStatus.UNKNOWN]),
        offline=st.booleans(),
    )
    def change_the_token(self, status: SymbolStatus, offline: bool) -> None:  # noqa: FBT001
        self.listed = builders.rules(status=status)
        self.token = builders.token(offline=offline)

    @rule(held=st.booleans())
    def let_another_job_hold_the_symbol(self, held: bool) -> None:  # noqa: FBT001
        self.held_elsewhere = held

    @precondition(lambda self: self.job.state in ACTIVE)
    @rule(wish=st.sampled_from(Wish))
    def wish(self, wish: Wish) -> None:
        self.job = replace(self.job, wish=wish)

    @precondition(lambda self: self.job.state in {JobState.PAUSED, JobState.NEEDS_HUMAN})
    @rule()
    def resume(self) -> None:
        self.job = replace(
            self.job,
            wish=Wish.RUN,
            state=job_after(self.job.state, JobEvent.RESUME),
            reason=None,
        )
        self.left_for = None

    @invariant()
    def no_more_is_bought_than_the_target_and_one_order(self) -> None:
        size = max(self.job.order_size, Decimal(1)) * Decimal("1.1")
        assert self.bought <= self.job.target.value + size

    @invariant()
    def a_state_fits_its_reason(self) -> None:
        state, reason = self.job.state, self.job.reason
        assert (state is JobState.NEEDS_HUMAN) == (reason in NEEDS_HUMAN)
        assert (state is JobState.WAITING) == (reason is not None and reason not in NEEDS_HUMAN)

    @invariant()
    def a_job_stays_where_it_has_left_for(self) -> None:
        assert self.job.state in ACTIVE or self.job.reason is self.left_for
        assert JobState.FAILED is not self.job.state

    def teardown(self) -> None:
        """In a good market the job reaches its target, or its owner sees why not."""
        if self.job.state in FINISHED:
            return
        if self.job.state not in ACTIVE:
            self.resume()
        self.job = replace(self.job, wish=Wish.RUN)
        self.listed, self.token, self.permission = builders.rules(), builders.token(), Permission()
        self.funding, self.held_elsewhere = Decimal(500), False
        for _ in range(300):
            if self.job.state not in ACTIVE:
                break
            self.tick = builders.tick(received_at=self.now)
            self.take_a_turn()
            self.pass_time(1)
        assert self.job.state is JobState.COMPLETED, self.job.reason


TestOneJob = OneJob.TestCase
TestOneJob.settings = settings(max_examples=100, stateful_step_count=30)
