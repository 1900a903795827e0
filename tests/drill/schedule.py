"""What one number stands for, drawn before anything happens."""

from dataclasses import dataclass
from decimal import Decimal

from oto.domain.job import Job, JobId, JobState, Target, TargetKind, UserId, Wish
from oto.domain.market import Symbol
from oto.domain.money import Amount
from oto.simulator.settings import PartialFillPolicy
from oto.simulator.settings import Settings as ExchangeSettings
from tests.drill.faults import Chance
from tests.drill.market import SYMBOLS

USER = UserId(1)

_STILL = 0.15
"""How often prices stand still, so that orders come to be alike."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What one number stands for, drawn before anything happens."""

    symbol: Symbol
    job: Job
    exchange: ExchangeSettings
    ending: Wish
    swing_bps: int
    fallen_bps: int
    very_late: int
    """The weight of the rarest fault, which matters most where prices stand still."""


def drawn(chance: Chance) -> Schedule:
    """Draw a market, a policy for partial fills, a job of a few cycles and an ending."""
    pick, number = chance.random.choice, chance.random.randint
    symbol, size = pick(SYMBOLS), Decimal(number(20, 120))
    volume = size * number(2, 6) - number(0, 5)
    job = Job(
        job_id=JobId(1),
        user_id=USER,
        symbol=symbol,
        target=Target(TargetKind.VOLUME, volume),
        order_size=Amount(size),
        profile="cross",
        most_slip_bps=pick([10, 30, 100, 300]),
        state=JobState.RUNNING,
    )
    settings = ExchangeSettings(
        partial_fill=pick(list(PartialFillPolicy)),
        match_delay_ms=[pick([0, 0, 0, 300, 1_500, 4_000])],
        report_delay_ms=[pick([0, 0, 50, 500])],
        history_delay_ms=pick([0, 0, 1_000, 3_000]),
        zombie_per_mille=0,
        crossed_per_mille=0,
    )
    still = chance.random.random() < _STILL
    return Schedule(
        symbol=symbol,
        job=job,
        exchange=settings,
        ending=pick([Wish.RUN, Wish.STOP]),
        swing_bps=0 if still else 15,
        fallen_bps=pick([0, 0, 20, 500]),
        very_late=8 if still else 1,
    )
