"""What keeps the loop going and the ledger small."""

from celery import shared_task

from oto.application import refresh
from oto.infrastructure.redis_store.beats import SWEEP
from tasks.house import house

_MOST_WAKES = 500


@shared_task(name="maintenance.sweep", ignore_result=True)
def sweep() -> int:
    """Wake every job whose time is there and whom no turn has."""
    opened = house()
    wakes = opened.ledger.due(_MOST_WAKES)
    for wake in wakes:
        opened.dispatcher.wake(wake)
    opened.beats.beat(SWEEP, opened.clock.now())
    return len(wakes)


@shared_task(name="maintenance.echo", ignore_result=True)
def echo(token: str) -> None:
    """Show that the queue which this came through is read."""
    house().beats.echo(token)


@shared_task(name="maintenance.refresh_balances", ignore_result=True)
def refresh_balances() -> int:
    """Read the wallets of every user whose jobs are active."""
    opened = house()
    return refresh.refresh_balances(opened.users, opened.exchanges, opened.clock)


@shared_task(name="maintenance.prune", ignore_result=True)
def prune() -> int:
    """Drop reports that were applied days ago, and logs of jobs that ended long ago."""
    return house().ledger.prune()
