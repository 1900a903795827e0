"""Why a decision was what it was, in sentences made of what it was made of."""

from datetime import datetime, timedelta
from decimal import Decimal

from oto.application.explain.words import average, base, bps, span, target, ticker, usdt
from oto.domain import money, planning
from oto.domain.cycle import Cycle
from oto.domain.decisions import Cancel, Decision, Exit, Park, Place, Unpark, View
from oto.domain.job import Progress, TargetKind, Wish, remaining_ceil
from oto.domain.leg import Leg, LegKind, LegState
from oto.domain.orders import LimitOrder, OtoOrder
from oto.domain.tick import Tick

ORDER_OF = {LegKind.WORKING: "buy", LegKind.PENDING: "sale", LegKind.EXIT: "exit order"}

_AT_ONCE = timedelta(0)


def why(view: View, decision: Decision) -> list[str]:
    """Return the sentences about a decision; those that only look or wait have none."""
    cycle = view.cycle
    match decision:
        case Place(approved):
            return [_market(view), _pair(view, approved.order)]
        case Exit(approved) if cycle is not None:
            return [_exit(view, cycle, approved.order)]
        case Cancel(leg) if cycle is not None:
            return [_cancel(view, cycle, leg)]
        case Park(reason, detail) if cycle is not None:
            return [f"{_held(view, cycle)} were kept (parked): {detail or reason.words}."]
        case Unpark() if cycle is not None:
            return [f"{_held(view, cycle)} could be sold again: {_bid_and_floor(view, cycle)}."]
        case _:
            return []


def _market(view: View) -> str:
    situation = view.situation
    free = "" if situation.balance is None else f"; {usdt(situation.balance.free)} were free to pay"
    return (
        f"{_left_to_buy(view)}. {_prices(situation.tick, view.now)}{free}. No rule spoke against "
        "a buy."
    )


def _left_to_buy(view: View) -> str:
    token = view.situation.token
    multiplier = (token.multiplier if token is not None else None) or 1
    left = remaining_ceil(view.job.target, view.progress or Progress(), multiplier)
    counts = multiplier > 1 and view.job.target.kind is not TargetKind.VOLUME
    counted = f", which count {multiplier} times," if counts else ""
    return f"{usdt(left)}{counted} were left to buy of the target of {target(view.job)}"


def _prices(tick: Tick | None, now: datetime) -> str:
    if tick is None or tick.bid is None or tick.ask is None:
        return "There were no prices"
    bid, ask = tick.bid.price, tick.ask.price
    last = "" if tick.trade_price is None else f", last trade {money.trimmed(tick.trade_price)}"
    return (
        f"Bid {money.trimmed(bid)}, ask {money.trimmed(ask)} (spread {bps(ask - bid, bid)}){last}, "
        f"as of {_age(tick.age(now))}"
    )


def _age(age: timedelta) -> str:
    return "that moment" if age < timedelta(milliseconds=1) else f"{span(age)} before"


def _pair(view: View, order: OtoOrder) -> str:
    name, tick = ticker(view), view.situation.tick
    ask = None if tick is None or tick.ask is None else tick.ask.price
    bid = None if tick is None or tick.bid is None else tick.bid.price
    above = "" if ask is None else f", {bps(order.working_price - ask, ask)} above the ask"
    below = "" if bid is None else f" ({bps(bid - order.pending_price, bid)} below the bid)"
    return (
        f"So it planned a pair: buy {base(order.working_quantity, name)} at "
        f"{money.trimmed(order.working_price)} or less ({usdt(order.payment)} at most{above}), "
        f"then sell them at {money.trimmed(order.pending_price)} or more{below}."
        f"{_told_apart(view)}"
    )


def _told_apart(view: View) -> str:
    if not view.taken:
        return ""
    return " Price or quantity were moved a little, to tell it from an order of the last 24 h."


def _exit(view: View, cycle: Cycle, order: LimitOrder) -> str:
    rungs, tick = view.situation.profile.exit_rungs_bps, view.situation.tick
    bid = None if tick is None or tick.bid is None else tick.bid.price
    below = "" if bid is None else f", {_from_bid(order.price, bid)}"
    what = f"{base(order.quantity, ticker(view))} at {money.trimmed(order.price)} or more"
    return (
        f"{_held(view, cycle)} had to be sold. Exit order {cycle.rung + 1} of {len(rungs)} at "
        f"most: {what}{below}; {_floor(view, cycle)}."
    )


def _from_bid(price: Decimal, bid: Decimal) -> str:
    way = "below" if price <= bid else "above"
    return f"{bps(abs(bid - price), bid)} {way} the bid of {money.trimmed(bid)}"


def _held(view: View, cycle: Cycle) -> str:
    paid = average(cycle.working.filled_quote, cycle.working.filled_quantity)
    return f"{base(cycle.exposure, ticker(view))}, bought at {paid} on average,"


def _floor(view: View, cycle: Cycle) -> str:
    rules = view.situation.rules
    if rules is None:
        return "its lowest price is not known"
    floor = planning.exit_floor_ceil(cycle, view.job.most_slip_bps, rules)
    return f"the lowest allowed is {money.trimmed(floor)} ({view.job.most_slip_bps} bps below cost)"


def _bid_and_floor(view: View, cycle: Cycle) -> str:
    tick = view.situation.tick
    bid = "?" if tick is None or tick.bid is None else money.trimmed(tick.bid.price)
    return f"the bid was {bid}, and {_floor(view, cycle)}"


def _cancel(view: View, cycle: Cycle, leg: Leg) -> str:
    order = ORDER_OF[leg.kind]
    if leg.state is LegState.CANCELLING:
        waited = span(view.now - (leg.cancel_sent_at or view.now))
        return f"The {order} was still open {waited} after the cancel, so it was cancelled again."
    if leg.state is LegState.INACTIVE:
        return f"The buy has ended, so the {order} that waited for it was cancelled."
    done = f"{money.trimmed(leg.executed)} of {base(leg.quantity, ticker(view))} were filled"
    return f"The {order} was cancelled: {_because(view, cycle, leg)}, {done}."


def _because(view: View, cycle: Cycle, leg: Leg) -> str:
    if leg.kind is LegKind.WORKING and view.job.wish is not Wish.RUN:
        return f"the owner wished the job to {view.job.wish.value}"
    halted = view.situation.permission.halted
    if leg.kind is LegKind.WORKING and halted is not None:
        return f"trading is halted ({halted})"
    profile = view.situation.profile
    within = {
        LegKind.WORKING: profile.buy_within,
        LegKind.PENDING: profile.sell_within,
        LegKind.EXIT: profile.exit_within,
    }[leg.kind]
    if within <= _AT_ONCE:
        return "a halt takes every order out of the market"
    since = max(cycle.phase_since, leg.sent_at or cycle.phase_since)
    return f"it had rested for {span(view.now - since)} ({span(within)} at most)"
