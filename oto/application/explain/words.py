"""Figures and spans of time as a person reads them, with their units."""

from datetime import timedelta
from decimal import Decimal

from oto.domain import money
from oto.domain.decisions import View
from oto.domain.job import Job, TargetKind

_MINUTE_S, _HOUR_S = 60, 3600
_AT_ONCE = timedelta(milliseconds=1)
_DIGITS = 7

_COUNTED_IN = {
    TargetKind.VOLUME: "USDT",
    TargetKind.COUNTED: "USDT counted",
    TargetKind.POINTS: "points of the day",
}


def span(length: timedelta) -> str:
    """Write how long something took, as exactly as one wants to know it."""
    seconds = max(length.total_seconds(), 0.0)
    if seconds >= _HOUR_S:
        return f"{seconds // _HOUR_S:.0f} h {seconds % _HOUR_S / _MINUTE_S:.0f} min"
    if seconds >= _MINUTE_S:
        return f"{seconds // _MINUTE_S:.0f} min {seconds % _MINUTE_S:.0f} s"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return "less than 1 ms" if length < _AT_ONCE else f"{seconds * 1000:.0f} ms"


def usdt(value: Decimal, decimals: int = 6) -> str:
    """Write an amount, rounded, without zeros that say nothing."""
    return f"{money.trimmed(money.half_up_to(value, decimals))} USDT"


def base(value: Decimal, ticker: str) -> str:
    return f"{money.trimmed(value)} {ticker}"


def average(spent: Decimal, quantity: Decimal) -> str:
    """Write the average price of fills, to seven digits."""
    if not quantity or not spent:
        return "?"
    price = spent / quantity
    return money.trimmed(money.half_up_to(price, max(_DIGITS - 1 - price.adjusted(), 0)))


def bps(part: Decimal, whole: Decimal) -> str:
    """Write a part of a whole in basis points."""
    if not whole:
        return "? bps"
    return f"{money.trimmed(money.half_up_to(part / whole * 10_000, 2))} bps"


def ticker(view: View) -> str:
    token = view.situation.token
    return view.job.symbol if token is None else token.ticker


def target(job: Job) -> str:
    """Write what a job is to reach."""
    day = "" if job.target.day is None else f" ({job.target.day.isoformat()} UTC)"
    return f"{money.trimmed(job.target.value)} {_COUNTED_IN[job.target.kind]}{day}"
