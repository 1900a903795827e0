"""The Celery application: `celery -A workers.app …`."""

from oto.bootstrap import NotRunningError, open_house
from oto.infrastructure.dispatch import make_celery
from workers import lifecycle

_NOWHERE = "redis://127.0.0.1:6379/0"


def _redis_url() -> str:
    try:
        return open_house().urls.redis_url
    except NotRunningError:
        # Help, `celery report` and tests work without servers; anything else says that it cannot
        # connect.
        return _NOWHERE


app = make_celery(_redis_url())
lifecycle.connect()
