"""What keeps the loop going and the ledger small."""

from celery import shared_task

from oto.application import refresh
from oto.infrastructure.redis_store.beats import SWEEP
from tasks.house import house, servers_may_be_away

_MOST_WAKES = 500


@shared_task(name="maintenance.sweep", ignore_result=True)
def sweep() -> None:
    """Wake every job whose time is there and whom no turn has."""
    with servers_may_be_away():
        for wake in house().ledger.due(_MOST_WAKES):
            house().dispatcher.wake(wake)
        house().beats.beat(SWEEP, house().clock.now())


@shared_task(name="maintenance.echo", ignore_result=True)
def echo(token: str) -> None:
    """Show that the queue which this came through is read."""
    with servers_may_be_away():
        house().beats.echo(token)


@shared_task(name="maintenance.refresh_balances", ignore_result=True)
def refresh_balances() -> None:
    """Read the wallets of every user whose jobs are active."""
    with servers_may_be_away():
        refresh.refresh_balances(house().users, house().exchanges, house().clock)


@shared_task(name="maintenance.prune", ignore_result=True)
def prune() -> None:
    """Drop reports that were applied days ago, and logs of jobs that ended long ago."""
    with servers_may_be_away():
        house().ledger.prune()
