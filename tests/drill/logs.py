"""The application logs what it meets; a drill meets a great deal."""

import logging

import structlog


def quiet() -> None:
    """Drop what this process logs."""
    level = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=level)
