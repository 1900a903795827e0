"""Invariants of the simulated exchange, whatever is asked of it in whatever order.

Money is neither made nor lost: what an account holds is what it brought, less what its fills cost,
plus what they brought, to the last digit. Nothing locked remains without an open order. No order
executes more than its quantity or at a worse price than its limit. Cancelled is cancelled.
The same seed and requests give the same truth, byte for byte.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oto.domain import money
from oto.domain.market import Symbol
from oto.domain.orders import Side
from oto.simulator.accounts import Account
from oto.simulator.playing import Program
from oto.simulator.refusals import Refusal
from oto.simulator.settings import PartialFillPolicy, Settings
from oto.simulator.simulation import Simulation
from oto.simulator.tape import MOODS
from oto.simulator.trading import Asked
from oto.simulator.truth import truth_bytes
from tests.simulated import AITECH, NEX, silent_plan

pytestmark = pytest.mark.unit

START = Decimal(100_000)


def simulation(policy: PartialFillPolicy, mood: str = "choppy") -> Simulation:
    choices = Settings(policy, match_delay_ms=[3], report_delay_ms=[2])
    plan = silent_plan(settings=choices, program=Program(mood=MOODS[mood]))
    simulated = Simulation(plan)
    for name in ("ann", "bob"):
        account = simulated.exchange.add_account(name, money.Amount(START))
        for asset in ("ALPHA_971", "ALPHA_373"):
            account.token(asset).free = START
    return simulated


class Step(NamedTuple):
    """One thing asked of the exchange; `away` is the price in 1/100 % off the market."""

    kind: str
    user: int
    symbol: Symbol
    away: int
    usdt: int
    ms: int


actions = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from(
            ["oto", "oto_sell", "buy", "sell", "cancel", "cancel_all", "step", "sweep"]
        ),
        user=st.integers(min_value=0, max_value=1),
        symbol=st.sampled_from([NEX, AITECH]),
        away=st.integers(min_value=-40, max_value=40),
        usdt=st.integers(min_value=1, max_value=5_000),
        ms=st.integers(min_value=1, max_value=3_000),
    ),
    max_size=40,
)


def act(simulated: Simulation, steps: Sequence[Step]) -> None:
    accounts = list(simulated.exchange.accounts.values())
    for step in steps:
        try:
            do(simulated, accounts[step.user], step)
        except Refusal:
            continue
        simulated.catch_up()
    simulated.step(5_000)


def do(simulated: Simulation, account: Account, step: Step) -> None:
    trading = simulated.trading
    match step.kind:
        case "step":
            simulated.step(step.ms)
        case "sweep":
            account.sweep_to_earn()
        case "cancel_all":
            trading.cancel_all(account)
        case "cancel":
            mine = simulated.exchange.orders_of(account)
            if mine:
                chosen = mine[step.ms % len(mine)]
                trading.cancel(account, chosen.symbol, chosen.order_id)
        case _:
            order(simulated, account, step)


def order(simulated: Simulation, account: Account, step: Step) -> None:
    market = simulated.exchange.market(step.symbol)
    rules = market.listing.rules
    price = rules.price_floor(market.last_price * (10_000 + step.away) / 10_000)
    quantity = rules.quantity_for_amount_floor(money.Amount(Decimal(step.usdt)), price)
    side = Side.SELL if step.kind.endswith("sell") else Side.BUY
    due = rules.buy_amount_floor(price, quantity) if side is Side.BUY else quantity
    wallet = "CARD" if side is Side.BUY else "ALPHA"
    asked = Asked(step.symbol, side, price, quantity, due, wallet)
    if step.kind.startswith("oto"):
        pending = rules.price_floor(price * (10_000 - step.away) / 10_000)
        simulated.trading.place_oto(account, asked, pending)
    else:
        simulated.trading.place(account, asked)


@settings(max_examples=60)
@given(steps=actions, policy=st.sampled_from(PartialFillPolicy))
def test_money_is_neither_made_nor_lost(steps: list[Step], policy: PartialFillPolicy) -> None:
    simulated = simulation(policy)
    act(simulated, steps)

    for account in simulated.exchange.accounts.values():
        usdt, tokens = START, {"ALPHA_971": START, "ALPHA_373": START}
        for placed in simulated.exchange.orders_of(account):
            base = placed.listing.rules.base_asset
            for fill in placed.fills:
                if placed.side is Side.BUY:
                    usdt -= fill.quote
                    tokens[base] += fill.quantity - fill.fee
                else:
                    usdt += fill.quote - fill.fee
                    tokens[base] -= fill.quantity
        held = account.funding.free + account.funding.locked + account.earn.free
        assert held == usdt
        for asset, wallet in account.tokens.items():
            assert wallet.free + wallet.locked == tokens[asset]
            assert wallet.free >= 0
        assert account.funding.free >= 0


@settings(max_examples=60)
@given(steps=actions, policy=st.sampled_from(PartialFillPolicy))
def test_nothing_locked_remains_without_an_open_order(
    steps: list[Step], policy: PartialFillPolicy
) -> None:
    simulated = simulation(policy)
    act(simulated, steps)

    for account in simulated.exchange.accounts.values():
        for _ in range(2):
            simulated.trading.cancel_all(account)
        assert account.funding.locked == 0
        assert all(wallet.locked == 0 for wallet in account.tokens.values())
        assert not simulated.exchange.open_orders_of(account)


@settings(max_examples=60)
@given(steps=actions, policy=st.sampled_from(PartialFillPolicy))
def test_no_order_executes_beyond_its_quantity_or_its_limit(
    steps: list[Step], policy: PartialFillPolicy
) -> None:
    simulated = simulation(policy)
    act(simulated, steps)

    page_ids = []
    for placed in simulated.exchange.orders.values():
        assert sum((fill.quantity for fill in placed.fills), Decimal(0)) == placed.executed
        assert placed.executed <= placed.quantity
        assert all(placed.accepts(fill.price) for fill in placed.fills)
        page_ids += [fill.page_id for fill in placed.fills]
    assert len(page_ids) == len(set(page_ids))


@settings(max_examples=25)
@given(steps=actions, mood=st.sampled_from(sorted(MOODS)))
def test_the_same_seed_and_requests_give_the_same_truth_byte_for_byte(
    steps: list[Step], mood: str
) -> None:
    truths = []
    for _ in range(2):
        simulated = simulation(PartialFillPolicy.PENDING_ON_FULL_FILL, mood)
        act(simulated, steps)
        truths.append(truth_bytes(simulated.exchange))

    assert truths[0] == truths[1]
    assert json.loads(truths[0])["seed"] == 1
