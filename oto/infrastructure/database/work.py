"""One transaction of a turn: everything under the lock of the job's row."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from models import (
    BalanceRow,
    CycleRow,
    EventRow,
    FillRow,
    HaltRow,
    JobRow,
    OrderRow,
    ReportRow,
    TokenRow,
    UserRow,
)
from oto.domain import placing, points
from oto.domain.account import AssetWallets
from oto.domain.cycle import FINISHED, Cycle, CyclePhase, concluded
from oto.domain.decisions import View
from oto.domain.events import EventKind
from oto.domain.job import (
    FINISHED as FINISHED_JOBS,
)
from oto.domain.job import (
    JobEvent,
    JobState,
    Progress,
    Reason,
    TargetKind,
)
from oto.domain.job import after as job_after
from oto.domain.leg import Leg, LegFill, LegKind, LegState, SeenOrder, with_fill
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import ExecutionReport, LimitOrder, OrderId, OtoOrder, Side
from oto.domain.planning import Fingerprint
from oto.domain.pricing.profiles import PROFILES
from oto.domain.risk.verdict import Balance, Permission, Situation
from oto.domain.tick import Tick
from oto.infrastructure.database import mapping

if TYPE_CHECKING:
    from decimal import Decimal

_FINGERPRINTS_FOR = timedelta(hours=24)
_FINISHED = [phase.value for phase in FINISHED]
