"""Moments as the exchange writes them."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_ms(moment: datetime) -> int:
    """Turn aware time into whole Unix milliseconds, cut down.

    Raises:
        ValueError: the time has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be sent")
    return (moment - _EPOCH) // timedelta(milliseconds=1)
