"""What the exchange lists."""

from celery import shared_task

from oto.application.refresh import refresh_catalog as refresh
from tasks.house import house, servers_may_be_away


@shared_task(name="market.refresh_catalog", ignore_result=True)
def refresh_catalog() -> None:
    """Read the token list and exchange info, and store every pair."""
    with servers_may_be_away():
        refresh(house().public, house().catalog, house().clock)
