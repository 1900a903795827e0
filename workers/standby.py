"""One active process for each role; others stand by and take over when it falls silent."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

from oto.application.ports import LedgerUnavailableError
from oto.infrastructure.database.roles import Role, Roles

_TRY_EVERY_S = 0.25
_RENEW_EVERY_S = 1.0

_log = structlog.get_logger(__name__)


def _end() -> None:
    # At once: whatever this process still did would be done by two.
    os._exit(1)


@contextmanager
def holding(
    roles: Roles, role: Role, stopping: threading.Event, lost: Callable[[], None] = _end
) -> Iterator[int | None]:
    """Stand by until this process has a role; yield its fencing token, None if `stopping` is first.

    The role is renewed until the block ends, and given back then. A holder that cannot reach the
    database goes on; one that finds another in its place calls `lost`.
    """
    token = _taken(roles, role, stopping)
    if token is None:
        yield None
        return
    _log.info("role_taken", role=role.value, token=token)
    ended = threading.Event()
    keeper = threading.Thread(
        target=_keep, args=(roles, role, token, ended, lost), name="oto-role", daemon=True
    )
    keeper.start()
    try:
        yield token
    finally:
        ended.set()
        keeper.join(_RENEW_EVERY_S)  # a renewal under way would undo the next line
        with suppress(LedgerUnavailableError):
            roles.give_back(role, token)


def _taken(roles: Roles, role: Role, stopping: threading.Event) -> int | None:
    said, away = "", False
    while not stopping.is_set():
        try:
            if away:
                # The holder could not renew either: let it be first.
                roles.holders()
                away = False
                stopping.wait(_RENEW_EVERY_S + _TRY_EVERY_S)
            if (token := roles.take(role)) is not None:
                return token
            sentence = _standing_by(roles, role)
        except LedgerUnavailableError as error:
            sentence, away = str(error), True
        if sentence != said:
            _log.info("stands_by", role=role.value, why=sentence)
            said = sentence
        stopping.wait(_TRY_EVERY_S)
    return None


def _standing_by(roles: Roles, role: Role) -> str:
    return next(str(one) for one in roles.holders() if one.role is role)


def _keep(
    roles: Roles,
    role: Role,
    token: int,
    ended: threading.Event,
    lost: Callable[[], None],
) -> None:
    failing = False
    while not ended.wait(_RENEW_EVERY_S):
        try:
            kept = roles.keep(role, token)
        except LedgerUnavailableError as error:
            if not failing:
                _log.warning("role_not_renewed", role=role.value, error=str(error))
            failing = True
            continue
        failing = False
        if not kept:
            _log.warning("role_lost", role=role.value, why="another process has taken it over")
            lost()
            return
