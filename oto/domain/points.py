"""Volume points: what the exchange gives for a UTC day's counted volume (PROTOCOL §6)."""

from datetime import UTC, date, datetime
from decimal import Decimal

from oto.domain.money import Amount


def volume_points_floor(counted: Amount) -> int:
    """Return floor(log2(counted USD)), zero below 2 USD."""
    return max(int(counted).bit_length() - 1, 0)


def counted_for(points: int) -> Amount:
    """Return the counted USD of one UTC day that give so many volume points."""
    return Amount(Decimal(2) ** points) if points > 0 else Amount(Decimal(0))


def day_of(moment: datetime) -> date:
    """Return the UTC day of a moment."""
    return moment.astimezone(UTC).date()


def day_began_at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
