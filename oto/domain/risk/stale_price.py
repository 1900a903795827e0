"""No order on old prices."""

from oto.domain.job import Reason
from oto.domain.risk.verdict import Refused, Situation


def check(situation: Situation) -> Refused | None:
    """Refuse while the stream is down or has said nothing of the symbol for too long."""
    tick, limit = situation.tick, situation.profile.stale_after
    if tick is None:
        return Refused(Reason.STALE_PRICE, "no price has come yet")
    if not tick.connected:
        return Refused(Reason.STALE_PRICE, "the market stream is down")
    age = tick.age(situation.now)
    if age > limit:
        said = (
            f"the last push is {age.total_seconds():.1f} s old, {limit.total_seconds():g} s at most"
        )
        return Refused(Reason.STALE_PRICE, said)
    return None
