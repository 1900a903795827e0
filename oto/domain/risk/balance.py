"""No BUY that the funding wallet cannot pay."""

from datetime import timedelta
from decimal import Decimal

from oto.domain.job import Reason
from oto.domain.orders import OtoOrder
from oto.domain.risk.verdict import Refused, Situation

RESERVE_USDT = Decimal("0.01")
_LOOK_AGAIN = timedelta(seconds=3)


def check(situation: Situation, order: OtoOrder) -> Refused | None:
    """Refuse an order whose payment and a small reserve are not free in the funding wallet."""
    balance = situation.balance
    if balance is None:
        return Refused(Reason.LOW_BALANCE, "the balance is not known yet")
    needed = order.payment + RESERVE_USDT
    if balance.free < needed:
        said = f"{balance.free:.2f} USDT are free, {needed:.2f} needed"
        return Refused(Reason.LOW_BALANCE, said, _LOOK_AGAIN)
    return None
