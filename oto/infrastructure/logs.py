"""Logging, set up once per process: to stderr, with secrets blanked and no locals shown."""

import logging
import os
import sys
from collections.abc import Mapping

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"

_SECRET_KEYS = frozenset(
    {
        "authorization",
        "cookie",
        "cookies",
        "cr00",
        "credentials",
        "csrftoken",
        "headers",
        "listenkey",
        "p20t",
        "password",
        "r20t",
        "secret",
        "setcookie",
        "xpassthroughtoken",
    }
)
# At their finer levels these write the headers of every request.
_WRITES_HEADERS = ("httpx", "httpcore", "hpack", "websocket")


def configure_logging(*, json: bool, level: str = "INFO") -> None:
    """Send log lines to stderr, as JSON or for a terminal; those of libraries likewise.

    Lines go through the standard library's handler: a stderr that cannot be written to any more
    never ends what was being logged.

    Raises:
        ValueError: there is no such level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"there is no log level {level!r}")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=_FIRST,
            processors=[ProcessorFormatter.remove_processors_meta, *_renderers(json=json)],
        )
    )
    logging.basicConfig(level=number, handlers=[handler], force=True)
    for name in _WRITES_HEADERS:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    structlog.configure(
        processors=[*_FIRST, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _renderers(*, json: bool) -> list[Processor]:
    if json:
        # Tracebacks as one text: the structured ones show locals.
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    colors = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Blank every value whose key names a secret, however deep it lies."""
    for key in list(event):
        event[key] = _redacted(event[key]) if not _is_secret(key) else REDACTED
    return event


def _redacted(value: object) -> object:
    if isinstance(value, Mapping):
        return {k: REDACTED if _is_secret(k) else _redacted(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(entry) for entry in value]
    return value


def _is_secret(key: object) -> bool:
    return str(key).lower().replace("-", "").replace("_", "") in _SECRET_KEYS


_FIRST: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    redact,
]
