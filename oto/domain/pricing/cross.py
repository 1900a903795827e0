"""Cross the spread on both sides: a BUY through the ask, a SELL through the bid.

What is paid is what rests there; the distance is room for the market to move in meanwhile.
"""

from decimal import Decimal

from oto.domain.market import SymbolRules
from oto.domain.pricing.profiles import Profile
from oto.domain.pricing.quote import LegPrices, Quote

_BPS = Decimal(10_000)


def prices(profile: Profile, quote: Quote, rules: SymbolRules) -> LegPrices:
    """Return both limits on the tick grid, the SELL at least one tick above zero."""
    ticks = profile.cross_ticks * rules.tick_size
    above = max(ticks, quote.ask * profile.cross_bps / _BPS)
    below = max(ticks, quote.bid * profile.cross_bps / _BPS)
    return LegPrices(
        working=rules.price_ceil(quote.ask + above),
        pending=max(rules.price_floor(max(quote.bid - below, Decimal(0))), rules.least_price),
        expected_buy=quote.ask,
    )
