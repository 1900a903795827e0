"""Which prices an OTO pair is placed at: one file per strategy, named profiles."""

from oto.domain.market import SymbolRules
from oto.domain.pricing import cross
from oto.domain.pricing.profiles import Profile, Strategy
from oto.domain.pricing.quote import LegPrices, Quote


def prices(profile: Profile, quote: Quote, rules: SymbolRules) -> LegPrices:
    """Return where the profile's strategy puts both legs, on the tick grid."""
    match profile.strategy:
        case Strategy.CROSS:
            return cross.prices(profile, quote, rules)
