"""No BUY of a token that could not be sold again."""

from datetime import timedelta

from oto.domain.job import Reason
from oto.domain.market import SymbolStatus
from oto.domain.risk.verdict import Refused, Situation

_LOOK_AGAIN = timedelta(seconds=5)


def check(situation: Situation) -> Refused | None:
    """Refuse a token that is unlisted, offline, halted, closed for selling or not TRADING."""
    rules, token = situation.rules, situation.token
    if rules is None or token is None:
        return Refused(Reason.RULES_UNKNOWN, "it is not in the lists", _LOOK_AGAIN)
    if rules.status is not SymbolStatus.TRADING:
        return Refused(Reason.NOT_TRADING, f"its status is {rules.status.value}", _LOOK_AGAIN)
    states = {
        "it is offline": token.offline,
        "selling it is closed": token.sell_closed,
        "it is halted": token.halted,
    }
    said = next((words for words, holds in states.items() if holds), None)
    return Refused(Reason.NOT_TRADING, said, _LOOK_AGAIN) if said else None
