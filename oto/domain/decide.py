"""What a job does next: one pure function from all that is known to one decision."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import takewhile

from oto.domain import planning
from oto.domain.cycle import Cycle, CyclePhase
from oto.domain.decisions import (
    Cancel,
    Decision,
    End,
    Exit,
    Look,
    Park,
    Place,
    ReadAccount,
    Sleep,
    Unpark,
    View,
)
from oto.domain.job import (
    NEEDS_HUMAN,
    JobEvent,
    Progress,
    Reason,
    Wish,
    next_spend,
    remaining_ceil,
)
from oto.domain.leg import Leg, LegState
from oto.domain.market import SymbolRules
from oto.domain.money import Amount, Price
from oto.domain.orders import OrderNotAllowedError
from oto.domain.planning import NoFingerprintError
from oto.domain.pricing import prices
from oto.domain.pricing.quote import Quote
from oto.domain.risk import chain
from oto.domain.risk.verdict import Approved, Refused, Situation

LOOK_EVERY = timedelta(seconds=1)
"""How often an unfinished cycle is read from the exchange when no report tells of it."""

CANCEL_AGAIN_AFTER = timedelta(seconds=3)
MOST_REFUSED_EXITS = 3
REFUSALS_COUNT_FOR = timedelta(minutes=2)
"""A human who resumes the job later than that has it tried again."""

PARKED_FOR = timedelta(seconds=5)
ACCOUNT_KNOWN_FOR = timedelta(seconds=15)
"""How long the wallet's and the terms' last reading is believed."""

_LEAVING = {Wish.STOP: JobEvent.STOP, Wish.PAUSE: JobEvent.PAUSE}


def decide(view: View) -> Decision:
    """Return what the job does next."""
    if view.cycle is None or view.cycle.finished:
        return _leaving(view) or _next_cycle(view)
    return _within_cycle(view, view.cycle)


def _within_cycle(view: View, cycle: Cycle) -> Decision:
    if any(leg.overfilled for leg in cycle.legs):
        return End(JobEvent.NEED_HUMAN, Reason.AMBIGUOUS, "fills exceed their order")
    if next(cycle.unresolved(), None) is not None:
        return _look_or_sleep(view, cycle, reason=Reason.UNRESOLVED)
    while_in = _WHILE_IN.get(cycle.phase)
    if while_in is None:
        # Planned or sending, and neither by this turn: such a cycle is recovered first.
        return End(JobEvent.FAIL, Reason.FAULT, f"a cycle was left {cycle.phase.value}")
    return while_in(view, cycle)


def _while_buying(view: View, cycle: Cycle) -> Decision:
    working = cycle.working
    if working.state is LegState.ENDED:
        return _while_dying(view, cycle)
    unwanted = view.job.wish is not Wish.RUN or view.situation.permission.halted is not None
    patience = timedelta(0) if unwanted else view.situation.profile.buy_within
    return _while_open(view, cycle, working, cycle.phase_since + patience)


def _while_selling(view: View, cycle: Cycle) -> Decision:
    patience = view.situation.profile.sell_within
    return _while_open(view, cycle, cycle.pending, cycle.phase_since + patience)


def _while_dying(view: View, cycle: Cycle) -> Decision:
    """The working leg ended without a fill, and its pending leg is not seen to have ended too."""
    if cycle.pending.state is LegState.CANCELLING:
        return _while_cancelling(view, cycle, cycle.pending)
    if cycle.looked_at is None or cycle.looked_at < cycle.phase_since:
        return Look()
    return Cancel(cycle.pending)


def _while_open(view: View, cycle: Cycle, leg: Leg, deadline: datetime) -> Decision:
    if leg.state is LegState.CANCELLING:
        return _while_cancelling(view, cycle, leg)
    if leg.final:
        # It ended, and what it executed is not all told yet.
        return _look_or_sleep(view, cycle, at_once=True)
    if view.now >= deadline:
        return Cancel(leg)
    return _look_or_sleep(view, cycle, until=deadline)


def _while_cancelling(view: View, cycle: Cycle, leg: Leg) -> Decision:
    sent_at = leg.cancel_sent_at or view.now
    if _unseen_since(sent_at, view, cycle):
        return Look()
    if view.now >= sent_at + CANCEL_AGAIN_AFTER:
        return Cancel(leg)
    return _look_or_sleep(view, cycle)


def _while_exiting(view: View, cycle: Cycle) -> Decision:
    for leg in cycle.legs:
        if leg.state is LegState.INACTIVE:
            return Cancel(leg)
        if leg.open:
            since = max(cycle.phase_since, leg.sent_at or cycle.phase_since)
            return _while_open(view, cycle, leg, since + view.situation.profile.exit_within)
    if not cycle.fills_complete:
        return _look_or_sleep(view, cycle, at_once=True)
    quote = chain.exit_quote(view.situation)
    if isinstance(quote, Refused):
        return _kept_back(view, quote)
    return _next_exit(view, cycle, quote)


def _kept_back(view: View, refused: Refused) -> Decision:
    if refused.reason in {Reason.NOT_TRADING, Reason.RULES_UNKNOWN}:
        return Park(refused.reason, refused.detail)
    return Sleep(view.now + refused.retry_after, refused.reason, refused.detail)


def _next_exit(view: View, cycle: Cycle, quote: Quote) -> Decision:
    rules, rungs = view.situation.rules, view.situation.profile.exit_rungs_bps
    if rules is None:
        return Park(Reason.RULES_UNKNOWN, "it is not in the lists")
    if _refused_exits(cycle, view.now) >= MOST_REFUSED_EXITS:
        return End(JobEvent.NEED_HUMAN, Reason.AMBIGUOUS, "exits are refused: is it in the wallet?")
    floor = planning.exit_floor_ceil(cycle, view.job.most_slip_bps, rules)
    if quote.bid < floor:
        return Park(Reason.PARKED, f"the bid {quote.bid:f} is below the lowest price {floor:f}")
    if cycle.rung >= len(rungs):
        return Park(Reason.PARKED, f"{len(rungs)} exit orders found no buyer")
    wanted = planning.rung_price_floor(quote.bid, rungs[cycle.rung], rules)
    return _exit(view, cycle, wanted, floor, rules)


def _exit(view: View, cycle: Cycle, wanted: Price, floor: Price, rules: SymbolRules) -> Decision:
    try:
        order = planning.exit_order(cycle, wanted, floor, rules, view.taken)
    except NoFingerprintError:
        return Sleep(view.now + LOOK_EVERY, Reason.NO_FINGERPRINT)
    if order is None:
        return Park(Reason.PARKED, "it is less than the exchange takes at this price")
    return Exit(chain.approve_exit(order))


def _refused_exits(cycle: Cycle, now: datetime) -> int:
    """Count the exits that were refused lately, since the exchange last took one."""
    since = now - REFUSALS_COUNT_FOR
    in_a_row = takewhile(lambda leg: leg.order_id is None, reversed(cycle.exits))
    return sum(
        leg.state is LegState.REFUSED and leg.sent_at is not None and leg.sent_at > since
        for leg in in_a_row
    )


def _while_parked(view: View, cycle: Cycle) -> Decision:
    if event := _LEAVING.get(view.job.wish):
        return End(event, Reason.PARKED)
    until = cycle.phase_since + PARKED_FOR
    quote = chain.exit_quote(view.situation)
    rules = view.situation.rules
    if view.now < until or isinstance(quote, Refused) or rules is None:
        return _stay_parked(view, until, quote)
    floor = planning.exit_floor_ceil(cycle, view.job.most_slip_bps, rules)
    if quote.bid < floor:
        detail = f"the bid {quote.bid:f} is below the lowest price {floor:f}"
        return Sleep(view.now + PARKED_FOR, Reason.PARKED, detail)
    return Unpark()


def _stay_parked(view: View, until: datetime, quote: Quote | Refused) -> Decision:
    detail = quote.reason.words if isinstance(quote, Refused) else ""
    return Sleep(max(until, view.now + LOOK_EVERY), Reason.PARKED, detail)


_WHILE_IN: Mapping[CyclePhase, Callable[[View, Cycle], Decision]] = {
    CyclePhase.OPEN: _while_buying,
    CyclePhase.CANCELLING: _while_buying,
    CyclePhase.BOUGHT: _while_selling,
    CyclePhase.CANCELLING_SELL: _while_selling,
    CyclePhase.EXITING: _while_exiting,
    CyclePhase.PARKED: _while_parked,
}


def _unseen_since(moment: datetime, view: View, cycle: Cycle) -> bool:
    """Tell whether a cycle was not read since a moment; after a set-back of the clock, no.

    Else it would be read without a pause until the clock is there again.
    """
    return moment <= view.now and (cycle.looked_at is None or cycle.looked_at < moment)


def _look_or_sleep(
    view: View,
    cycle: Cycle,
    *,
    until: datetime | None = None,
    reason: Reason | None = None,
    at_once: bool = False,
) -> Decision:
    """Read the exchange if that is due; sleep until it is, or until an earlier time."""
    looked_at = cycle.looked_at
    if at_once and _unseen_since(cycle.phase_since, view, cycle):
        return Look()
    due_at = max(cycle.phase_since, looked_at or cycle.phase_since) + LOOK_EVERY
    if view.now >= due_at:
        return Look()
    return Sleep(due_at if until is None else min(until, due_at), reason)


def _leaving(view: View) -> End | None:
    """Leave the loop if the job is flat and has reached its target or is wanted to end."""
    if event := _LEAVING.get(view.job.wish):
        return End(event)
    reached = not _remaining(view)
    return End(JobEvent.COMPLETE) if reached else None


def _next_cycle(view: View) -> Decision:
    if view.held_elsewhere:
        return Sleep(view.now + PARKED_FOR, Reason.SYMBOL_HELD)
    quote = chain.buy_quote(view.situation)
    if isinstance(quote, Refused):
        return _refused(view, quote)
    return _next_pair(view, quote) if _knows_account(view, ACCOUNT_KNOWN_FOR) else ReadAccount()


def _knows_account(view: View, within: timedelta) -> bool:
    balance = view.situation.balance
    if balance is None or view.situation.permission.terms_accepted is None:
        return False
    return view.now - balance.read_at <= within


def _next_pair(view: View, quote: Quote) -> Decision:
    job, situation, rules = view.job, view.situation, view.situation.rules
    if rules is None:
        return Sleep(view.now + PARKED_FOR, Reason.RULES_UNKNOWN)
    remaining = _remaining(view)
    try:
        order = planning.oto_order(
            prices(situation.profile, quote, rules),
            next_spend(remaining, job.order_size),
            rules,
            view.taken,
        )
    except OrderNotAllowedError as error:
        return End(JobEvent.NEED_HUMAN, Reason.IMPOSSIBLE_ORDER, error.violation.value)
    except NoFingerprintError:
        return Sleep(view.now + PARKED_FOR, Reason.NO_FINGERPRINT)
    verdict = chain.approve_oto(situation, order)
    if isinstance(verdict, Approved):
        return Place(verdict)
    if not _knows_account(view, verdict.retry_after):
        return ReadAccount()
    return _refused(view, verdict)


def _refused(view: View, refused: Refused) -> Decision:
    if refused.reason in NEEDS_HUMAN:
        return End(JobEvent.NEED_HUMAN, refused.reason, refused.detail)
    return Sleep(view.now + refused.retry_after, refused.reason, refused.detail)


def _multiplier(situation: Situation) -> int:
    token = situation.token
    return (token.multiplier if token is not None else None) or 1


def _remaining(view: View) -> Amount:
    progress = view.progress or Progress()
    return remaining_ceil(view.job.target, progress, _multiplier(view.situation))
