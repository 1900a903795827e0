"""A best bid and ask that the risk rules found fit to price from."""

from dataclasses import dataclass

from oto.domain.money import Price


@dataclass(frozen=True, slots=True)
class Quote:
    """Best prices, not crossed."""

    bid: Price
    ask: Price

    def __post_init__(self) -> None:
        if not 0 < self.bid < self.ask:
            raise ValueError("A quote's bid is above zero and below its ask.")


@dataclass(frozen=True, slots=True)
class LegPrices:
    """The limits of both legs; limits that cross are worst cases, fills come at resting prices.

    `expected_buy` is what the BUY is likely to pay.
    """

    working: Price
    pending: Price
    expected_buy: Price
