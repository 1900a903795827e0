"""What a cycle cost, from its fills (TRADING §9)."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from oto.domain import money
from oto.domain.cycle import Cycle
from oto.domain.money import Amount, Quantity

_BPS = Decimal(10_000)
_NOTHING = Amount(Decimal(0))
_NO_BASE = Quantity(Decimal(0))


@dataclass(frozen=True, slots=True)
class Wear:
    """Quote spent and received (net of the SELL fee), and the base that is left.

    `base_left` is dust once a cycle is finished, inventory before; its value is shown apart.
    """

    spent: Amount = _NOTHING
    received: Amount = _NOTHING
    base_left: Quantity = _NO_BASE

    @property
    def cost(self) -> Decimal:
        """What trading took so far, as if what is left were worth nothing."""
        return self.spent - self.received

    def bps_half_up(self, decimals: int = 2) -> Decimal | None:
        """Return the cost in basis points of what was spent; None before the first fill."""
        if not self.spent:
            return None
        return money.half_up_to(self.cost * _BPS / self.spent, decimals)

    def __add__(self, other: "Wear") -> "Wear":
        return Wear(
            Amount(self.spent + other.spent),
            Amount(self.received + other.received),
            Quantity(self.base_left + other.base_left),
        )


def of_cycle(cycle: Cycle) -> Wear:
    """Return a cycle's wear from its fills; the BUY fee shows as base that never came."""
    net = [leg.filled_quote - leg.fees for leg in cycle.sells]
    return Wear(cycle.bought, Amount(sum(net, _NOTHING)), cycle.exposure)


def total(wears: Iterable[Wear]) -> Wear:
    return sum(wears, Wear())
