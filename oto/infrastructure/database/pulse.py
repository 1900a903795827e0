"""How the loop lives, from outside: turns begun, jobs in it, orders whose fate is not known."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from models import CycleRow, JobRow, OrderRow
from oto.domain.leg import LegKind, LegState
from oto.infrastructure.database.states import ACTIVE_STATES


@dataclass(frozen=True, slots=True)
class Pulse:
    """One look; `unknown` says of each lost order by its row id whether its job is active."""

    turns: int
    active: int
    unknown: Mapping[int, bool]


def pulse(engine: Engine) -> Pulse:
    """Look once."""
    is_active = JobRow.state.in_(ACTIVE_STATES)
    with Session(engine) as session:
        turns, active = session.execute(
            select(func.coalesce(func.sum(JobRow.epoch), 0), func.count().filter(is_active))
        ).one()
        lost = session.execute(
            select(OrderRow.id, is_active)
            .join(CycleRow, CycleRow.id == OrderRow.cycle_id)
            .join(JobRow, JobRow.id == CycleRow.job_id)
            .where(OrderRow.state == LegState.UNKNOWN.value, OrderRow.kind != LegKind.PENDING.value)
        )
        return Pulse(int(turns), active, dict(lost.tuples().all()))
