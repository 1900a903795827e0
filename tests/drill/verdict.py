"""Holds the end of a schedule to its zeros, against the simulator's truth."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from oto.application.audit import UserLedger, audit
from oto.domain.cycle import CyclePhase
from oto.domain.job import JobState, Reason
from oto.domain.leg import LegKind
from oto.simulator.truth import truth_of
from tests.drill.story import Failure

FUNDING = Decimal(10_000)

if TYPE_CHECKING:
    from tests.drill.run import Run

Truth = Mapping[str, Any]


def judge(run: Run) -> None:
    """Write into the story whatever is not as it must be."""
    _judge_rest(run)
    truth = _without(truth_of(run.simulation.exchange), _taken_over(run))
    _judge_adoptions(run)
    _judge_against_truth(run, truth)


def _judge_rest(run: Run) -> None:
    """Flat, or parked with a reason: anything else is no progress."""
    state, story = run.ledger.state, run.story
    cycle = state.unfinished
    parked = cycle is not None and cycle.phase is CyclePhase.PARKED
    ended = state.job.state in {JobState.COMPLETED, JobState.STOPPED}
    story.ending = f"{'flat' if cycle is None else cycle.phase.value}, {state.job.state.value}"
    waits = state.job.state is JobState.WAITING and state.job.reason is Reason.PARKED
    if cycle is not None and not (parked and (ended or waits) and state.job.reason):
        story.fail(Failure.NO_PROGRESS, f"{cycle.phase.value}, {state.job.state.value}")
    elif cycle is None and not ended:
        story.fail(Failure.NO_PROGRESS, f"flat, and {state.job.state.value}, {state.job.reason}")


def _taken_over(run: Run) -> set[int]:
    """Return the orders that a human was called for: what was called absent, and appeared."""
    orders = run.simulation.exchange.orders.values()
    strangers = run.ledger.appeared - {leg.order_id for leg in run.ledger.state.legs}
    appeared = {order for order in orders if str(order.order_id) in strangers}
    lists = {order.list_id for order in appeared if order.list_id is not None}
    return {order.order_id for order in orders if order in appeared or order.list_id in lists}


def _without(truth: dict[str, Any], order_ids: set[int]) -> dict[str, Any]:
    """Return the truth as it were if the human's own orders had never been."""
    theirs = [one for one in truth["orders"] if int(one["order_id"]) in order_ids]
    account = truth["accounts"][0]
    funding = account["funding"]
    for order in theirs:
        quote = sum((Decimal(fill["quote"]) for fill in order["fills"]), Decimal(0))
        fees = sum((Decimal(fill["fee"]) for fill in order["fills"]), Decimal(0))
        executed = Decimal(order["executed"])
        tokens = account["tokens"].get(order["symbol"].removesuffix("USDT"), {"free": "0"})
        buys = order["side"] == "BUY"
        base, cash = (executed - fees, -quote) if buys else (-executed, quote - fees)
        tokens["free"] = str(Decimal(tokens["free"]) - base)
        funding["free"] = str(Decimal(funding["free"]) - cash)
    orders = [one for one in truth["orders"] if int(one["order_id"]) not in order_ids]
    return truth | {"orders": orders}


def _judge_adoptions(run: Run) -> None:
    """Every order belongs to the leg that its POST was sent for."""
    for cycle in run.ledger.state.cycles:
        for leg in cycle.legs:
            if leg.order_id is None:
                continue
            sent_for = cycle.working if leg.kind is LegKind.PENDING else leg
            made_by = run.wire.made_by.get(int(leg.order_id), 0)
            if run.legs_of.get(made_by) != sent_for.leg_id:
                run.story.fail(Failure.MISTAKEN, f"order {leg.order_id}, leg {leg.leg_id}")


def _judge_against_truth(run: Run, truth: Truth) -> None:
    story, symbol = run.story, run.schedule.symbol
    base_asset = symbol.removesuffix("USDT")
    own = UserLedger("ann", symbol, base_asset, FUNDING, run.ledger.state.cycles)
    found = audit(truth, [own])
    for failure, number in (
        (Failure.DUPLICATE, found.duplicates),
        (Failure.ORPHAN, found.orphans),
        (Failure.LEFT_OPEN, found.open_orders),
        (Failure.LOST_FILL, found.lost_fills),
        (Failure.DOUBLED_FILL, found.doubled_fills),
    ):
        for _ in range(number):
            story.fail(failure, "by the audit")
    for difference in found.differences:
        story.fail(Failure.DIFFERENCE, difference)
    if found.volume_difference or found.wear_difference:
        why = f"volume by {found.volume_difference} USDT, wear by {found.wear_difference} USDT"
        story.fail(Failure.FIGURES, why)
