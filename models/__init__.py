"""Database rows: every table of the system (docs: the migrations are their history)."""

from models.base import Base
from models.cycle import CycleRow, FillRow, OrderRow
from models.event import EventRow, ReportRow
from models.halt import HaltRow
from models.job import JobRow
from models.role import RoleRow
from models.token import TokenRow
from models.user import BalanceRow, CredentialRow, UserRow

__all__ = [
    "BalanceRow",
    "Base",
    "CredentialRow",
    "CycleRow",
    "EventRow",
    "FillRow",
    "HaltRow",
    "JobRow",
    "OrderRow",
    "ReportRow",
    "RoleRow",
    "TokenRow",
    "UserRow",
]
