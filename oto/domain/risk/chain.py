"""All rules in the order in which they are asked."""

from collections.abc import Callable, Sequence

from oto.domain.job import Reason
from oto.domain.orders import LimitOrder, OtoOrder
from oto.domain.pricing.quote import Quote
from oto.domain.risk import (
    balance,
    book_sanity,
    halt,
    spread,
    stale_price,
    terms,
    token_state,
)
from oto.domain.risk.verdict import Approved, Refused, Situation

Rule = Callable[[Situation], Refused | None]

BUY_RULES: Sequence[Rule] = (
    halt.check,
    terms.check,
    token_state.check,
    stale_price.check,
    book_sanity.check,
    spread.check,
)
ORDER_RULES: Sequence[Callable[[Situation, OtoOrder], Refused | None]] = (balance.check,)

EXIT_RULES: Sequence[Rule] = (
    halt.check,
    token_state.check,
    stale_price.check,
    book_sanity.check,
)
"""What an exit must pass: a wide spread or missing terms are no reason to keep a token."""


def buy_quote(situation: Situation) -> Quote | Refused:
    """Return the best prices if every rule lets a BUY be priced from them."""
    return _quote(BUY_RULES, situation)


def exit_quote(situation: Situation) -> Quote | Refused:
    """Return the best prices if every rule lets a SELL be priced from them."""
    return _quote(EXIT_RULES, situation)


def approve_oto(situation: Situation, order: OtoOrder) -> Approved[OtoOrder] | Refused:
    """Let an OTO order through, or say why not; the market rules have been asked already."""
    for check in ORDER_RULES:
        if refused := check(situation, order):
            return refused
    return Approved(order)


def approve_exit(order: LimitOrder) -> Approved[LimitOrder]:
    """Let a SELL of what we hold through."""
    return Approved(order)


def _quote(rules: Sequence[Rule], situation: Situation) -> Quote | Refused:
    for check in rules:
        if refused := check(situation):
            return refused
    tick = situation.tick
    if tick is None or tick.bid is None or tick.ask is None:
        return Refused(Reason.STALE_PRICE, "no book has come yet")
    return Quote(tick.bid.price, tick.ask.price)
