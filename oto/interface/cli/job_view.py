"""A job as it is shown: in words, in tables, as JSON."""

from collections.abc import Mapping
from decimal import Decimal

from oto.application import jobs
from oto.domain import money, wear
from oto.domain.cycle import Cycle
from oto.domain.job import ACTIVE, Reason, TargetKind, Wish
from oto.domain.leg import Leg
from oto.domain.money import Amount, Price
from oto.domain.wear import Wear
from oto.infrastructure.database.jobs import JobView
from oto.interface.cli.output import Row, Value, usdt

LIST_COLUMNS = ("job", "user", "token", "target", "done_%", "bought", "wear", "bps", "state")
LEG_COLUMNS = ("leg", "side", "order", "state", "price", "quantity", "executed", "quote", "fees")
CYCLE_COLUMNS = ("cycle", "phase", "planned_at", "bought", "received", "wear", "bps", "dust")

_UNITS = {
    TargetKind.VOLUME: "USDT",
    TargetKind.COUNTED: "USDT counted",
    TargetKind.POINTS: "points",
}
_MEANWHILE = {Wish.PAUSE: ", pausing", Wish.STOP: ", stopping", Wish.RUN: ""}
_HUNDRED = Decimal(100)


def price_of(view: JobView, mark: Price | None) -> Price | None:
    """Return what a token that is held is valued at: its mark, else the listed price."""
    listed = None if view.token is None else view.token.price
    return listed if mark is None else mark


def ticker(view: JobView) -> str:
    return view.job.symbol if view.token is None else view.token.ticker


def percent_done(view: JobView) -> Decimal:
    return jobs.share_done(view.job, view.progress, view.multiplier) * _HUNDRED


def state_words(view: JobView) -> str:
    """Say where a job stands, and why."""
    job = view.job
    meanwhile = _MEANWHILE[job.wish] if job.state in ACTIVE else ""
    words = f"{job.state.value.replace('_', ' ')}{meanwhile}"
    why = "" if job.reason is None else f": {job.reason.words}"
    detail = f" ({view.detail})" if view.detail else ""
    return f"{words}{why}{detail}"


def target_words(view: JobView) -> str:
    target = view.job.target
    day = "" if target.day is None else f" on {target.day.isoformat()} UTC"
    return f"{money.trimmed(target.value)} {_UNITS[target.kind]}{day}"


def held_value(view: JobView, price: Price | None) -> Amount:
    """Return what the unfinished cycle's tokens would bring, in USDT; none without a price."""
    if view.cycle is None or price is None:
        return Amount(Decimal(0))
    return Amount(money.half_up_to(price * view.cycle.exposure, 8))


def worn(view: JobView, price: Price | None) -> Wear:
    """Return a job's wear with what its unfinished cycle holds marked at a price; dust is worn."""
    received = view.wear.received + held_value(view, price)
    return Wear(view.wear.spent, Amount(received), view.wear.base_left)


def held_words(view: JobView, price: Price | None) -> str:
    """Say what a job still holds."""
    if view.cycle is None:
        return "flat"
    if not view.cycle.exposure:
        return f"holds no tokens, and its cycle is {_phase(view.cycle)}"
    value = f", worth {usdt(held_value(view, price), 4)} USDT" if price is not None else ""
    return f"holds {money.trimmed(view.cycle.exposure)} {ticker(view)}{value}"


def list_row(view: JobView, price: Price | None) -> Row:
    cost = worn(view, price)
    return {
        "job": view.job.job_id,
        "user": view.user,
        "token": ticker(view),
        "target": target_words(view),
        "done_%": money.half_up_to(percent_done(view), 1),
        "bought": usdt(cost.spent),
        "wear": usdt(cost.cost, 4),
        "bps": cost.bps_half_up(),
        "state": state_words(view),
    }


def fields(view: JobView, price: Price | None) -> Mapping[str, Value]:
    """Return one job as names and values for a person."""
    job, cost = view.job, worn(view, price)
    bps = cost.bps_half_up()
    return {
        "target": target_words(view),
        "progress": (
            f"{money.half_up_to(percent_done(view), 2)} %: {usdt(cost.spent)} USDT bought in "
            f"{view.finished} cycles, {usdt(view.progress.counted)} counted{_for_whom(view)}; "
            f"about {view.cycles_needed} more cycles for {usdt(view.remaining)} USDT"
        ),
        "orders": (
            f"{money.trimmed(job.order_size)} USDT, profile {job.profile}, sold at most "
            f"{job.most_slip_bps} bps below the buy"
        ),
        "state": state_words(view),
        "waits until": job.waits_until,
        "wear": f"{usdt(cost.cost, 4)} USDT" + ("" if bps is None else f", {bps} bps"),
        "dust": f"{money.trimmed(_dust(view))} {ticker(view)}" if _dust(view) else None,
        "inventory": held_words(view, price),
        "started": view.created_at,
        "ended": view.ended_at,
    }


def leg_row(leg: Leg) -> Row:
    return {
        "leg": leg.kind.value,
        "side": leg.side.value,
        "order": leg.order_id,
        "state": leg.state.value,
        "price": money.trimmed(leg.price),
        "quantity": money.trimmed(leg.quantity),
        "executed": money.trimmed(leg.executed),
        "quote": money.trimmed(leg.filled_quote),
        "fees": money.trimmed(leg.fees),
    }


def cycle_row(cycle: Cycle) -> Row:
    cost = wear.of_cycle(cycle)
    done = cycle.finished
    return {
        "cycle": cycle.number,
        "phase": _phase(cycle),
        "planned_at": cycle.planned_at,
        "bought": usdt(cycle.bought, 4),
        "received": usdt(cost.received, 4),
        "wear": usdt(cost.cost, 4) if done else "",
        "bps": cost.bps_half_up() if done else None,
        "dust": money.trimmed(cost.base_left) if done else "",
    }


def job_json(view: JobView, price: Price | None) -> dict[str, object]:
    """Return one job with stable keys."""
    job, cost = view.job, worn(view, price)
    return {
        "job_id": job.job_id,
        "user": view.user,
        "symbol": job.symbol,
        "ticker": ticker(view),
        "target_kind": job.target.kind,
        "target_value": job.target.value,
        "target_day": job.target.day,
        "order_size_usdt": job.order_size,
        "max_slip_bps": job.most_slip_bps,
        "profile": job.profile,
        "state": job.state,
        "wish": job.wish,
        "reason": _reason(job.reason),
        "reason_text": None if job.reason is None else job.reason.words,
        "detail": view.detail or None,
        "waits_until": job.waits_until,
        "created_at": view.created_at,
        "ended_at": view.ended_at,
        "done_percent": money.half_up_to(percent_done(view), 2),
        "bought_usdt": cost.spent,
        "counted_usdt": view.progress.counted,
        "remaining_usdt": view.remaining,
        "cycles": view.finished,
        "cycles_needed": view.cycles_needed,
        "wear_usdt": cost.cost,
        "wear_bps": cost.bps_half_up(),
        "dust": _dust(view),
        "phase": None if view.cycle is None else view.cycle.phase,
        "flat": view.cycle is None,
        "held": Decimal(0) if view.cycle is None else view.cycle.exposure,
        "held_value_usdt": held_value(view, price),
    }


def cycle_json(cycle: Cycle) -> dict[str, object]:
    cost = wear.of_cycle(cycle)
    return {
        "cycle_id": cycle.cycle_id,
        "number": cycle.number,
        "phase": cycle.phase,
        "phase_since": cycle.phase_since,
        "planned_at": cycle.planned_at,
        "multiplier": cycle.multiplier,
        "bought_usdt": cost.spent,
        "received_usdt": cost.received,
        "held": cost.base_left,
        "legs": [_leg_json(leg) for leg in cycle.legs],
    }


def _leg_json(leg: Leg) -> dict[str, object]:
    return {
        "kind": leg.kind,
        "side": leg.side,
        "state": leg.state,
        "order_id": leg.order_id,
        "price": leg.price,
        "quantity": leg.quantity,
        "executed": leg.executed,
        "filled_quote": leg.filled_quote,
        "fees": leg.fees,
        "sent_at": leg.sent_at,
    }


def _reason(reason: Reason | None) -> str | None:
    return None if reason is None else reason.name.lower()


def _for_whom(view: JobView) -> str:
    """Points are counted by account, so that what other jobs bought shows here too."""
    return " for the account" if view.job.target.kind is TargetKind.POINTS else ""


def _dust(view: JobView) -> Decimal:
    held = Decimal(0) if view.cycle is None else view.cycle.exposure
    return view.wear.base_left - held


def _phase(cycle: Cycle) -> str:
    return cycle.phase.value.replace("_", " ")
