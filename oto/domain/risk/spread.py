"""No BUY across a spread that costs more than it should."""

from decimal import Decimal

from oto.domain.job import Reason
from oto.domain.risk.verdict import Refused, Situation

_BPS = Decimal(10_000)


def check(situation: Situation) -> Refused | None:
    """Refuse while the spread, in bps of the bid, is above the profile's limit."""
    tick = situation.tick
    if tick is None or tick.bid is None or tick.ask is None or not tick.bid.price:
        return Refused(Reason.STALE_PRICE, "no book has come yet")
    spread_bps = (tick.ask.price - tick.bid.price) / tick.bid.price * _BPS
    if spread_bps > situation.profile.most_spread_bps:
        limit = situation.profile.most_spread_bps
        return Refused(Reason.WIDE_SPREAD, f"{spread_bps:.1f} bps, {limit} at most")
    return None
