"""A halt: what it covers, and how it sees a job that it takes out of the market (TRADING §6)."""

from dataclasses import dataclass, replace
from datetime import timedelta

from oto.domain import planning
from oto.domain.cycle import Cycle, CyclePhase
from oto.domain.decisions import View
from oto.domain.job import UserId, Wish
from oto.domain.market import Symbol
from oto.domain.risk import chain
from oto.domain.risk.verdict import Refused

_AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything, or one user, or one symbol."""

    user_id: UserId | None = None
    symbol: Symbol | None = None

    def __post_init__(self) -> None:
        if self.user_id is not None and self.symbol is not None:
            raise ValueError("A halt covers everything, one user, or one symbol.")


def under_halt(view: View, most_slip_bps: int | None) -> View:
    """Return a job as a halt sees it: what is open is cancelled at once, whatever was wished.

    With a slip the inventory is then sold, no further below its buy price than that; None leaves
    it as it is.
    """
    job, situation = replace(view.job, wish=Wish.RUN), view.situation
    if most_slip_bps is not None:
        job = replace(job, most_slip_bps=most_slip_bps)
    profile = situation.profile
    impatient = replace(
        profile,
        buy_within=_AT_ONCE,
        sell_within=_AT_ONCE,
        exit_within=_AT_ONCE if most_slip_bps is None else profile.exit_within,
    )
    permission = replace(situation.permission, halted=None)
    situation = replace(situation, profile=impatient, permission=permission)
    return replace(view, job=job, situation=situation)


def out_of_the_market(cycle: Cycle) -> bool:
    """Tell whether nothing of a cycle is open, and all that was executed is told."""
    return all(leg.final for leg in cycle.legs) and cycle.fills_complete


def stays_parked(view: View, cycle: Cycle) -> bool:
    """Tell whether parked inventory cannot be sold now within the job's slip."""
    quote, rules = chain.exit_quote(view.situation), view.situation.rules
    if cycle.phase is not CyclePhase.PARKED or isinstance(quote, Refused) or rules is None:
        return False
    return quote.bid < planning.exit_floor_ceil(cycle, view.job.most_slip_bps, rules)
