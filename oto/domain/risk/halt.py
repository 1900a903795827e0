"""No order at all under a halt; the halt itself cancels and flattens."""

from oto.domain.job import Reason
from oto.domain.risk.verdict import Refused, Situation


def check(situation: Situation) -> Refused | None:
    """Refuse while trading is halted for everyone, this user or this token."""
    halted = situation.permission.halted
    return None if halted is None else Refused(Reason.HALTED, halted)
