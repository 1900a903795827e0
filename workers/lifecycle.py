"""What Celery's signals do to this system."""

import logging
from typing import Any

from celery.signals import setup_logging, worker_process_shutdown, worker_shutdown

from oto.infrastructure.logs import configure_logging
from oto.infrastructure.settings import load_settings
from tasks.house import close_house


def connect() -> None:
    """Take over logging and close what tasks have opened when a worker ends."""
    setup_logging.connect(_configure_logging, weak=False)
    worker_shutdown.connect(_close, weak=False)
    worker_process_shutdown.connect(_close, weak=False)


def _configure_logging(**_: Any) -> None:  # noqa: ANN401 - what Celery passes is not ours
    settings = load_settings()
    configure_logging(json=settings.log_json, level=settings.log_level)
    # Two lines for each task say nothing that the ledger does not, and cost a tenth of the speed.
    logging.getLogger("celery").setLevel(logging.WARNING)


def _close(**_: Any) -> None:  # noqa: ANN401
    close_house()
