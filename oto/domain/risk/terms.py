"""No BUY that its user or the exchange has not allowed."""

from oto.domain.job import Reason
from oto.domain.risk.verdict import Refused, Situation


def check(situation: Situation) -> Refused | None:
    """Refuse without the exchange's terms accepted, and live without an acknowledgement."""
    permission = situation.permission
    if not permission.acknowledged:
        return Refused(Reason.NOT_ACKNOWLEDGED, "each user acknowledges live trading once")
    if permission.terms_accepted is False:
        return Refused(Reason.TERMS, "they are accepted in the browser, once")
    return None
