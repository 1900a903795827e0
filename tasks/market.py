"""What the exchange lists."""

from celery import shared_task

from oto.application.refresh import refresh_catalog as refresh
from tasks.house import house


@shared_task(name="market.refresh_catalog", ignore_result=True)
def refresh_catalog() -> int:
    """Read the token list and exchange info; return how many pairs were stored."""
    opened = house()
    return refresh(opened.public, opened.catalog, opened.clock)
