"""No order on a book that nobody can trade against (PROTOCOL §0, fact 9)."""

from decimal import Decimal

from oto.domain.job import Reason
from oto.domain.risk.verdict import Refused, Situation

_BPS = Decimal(10_000)


def check(situation: Situation) -> Refused | None:
    """Refuse a missing or crossed book, and one that stands far off the last trade."""
    tick = situation.tick
    if tick is None or tick.bid is None or tick.ask is None or not tick.trade_price:
        return Refused(Reason.STALE_PRICE, "no book or no trade has come yet")
    bid, ask = tick.bid.price, tick.ask.price
    if not 0 < bid < ask:
        return Refused(Reason.CROSSED_BOOK, f"bid {bid:f}, ask {ask:f}")
    for name, price in (("bid", bid), ("ask", ask)):
        off_bps = abs(price - tick.trade_price) / tick.trade_price * _BPS
        if off_bps > situation.profile.zombie_bps:
            said = f"the {name} is {off_bps:.0f} bps off the last trade"
            return Refused(Reason.ZOMBIE_BOOK, f"{said}, {situation.profile.zombie_bps} at most")
    return None
