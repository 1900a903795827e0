"""Users' exchanges, made when they are first needed and kept until the session changes."""

import threading
from dataclasses import dataclass
from datetime import datetime

from oto.application.ports import NoCredentialsError
from oto.application.steps import ANSWER_WITHIN_S
from oto.domain.job import UserId
from oto.infrastructure.alpha.client import Limits
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.transport import Settings
from oto.infrastructure.alpha.user_exchange import UserExchange
from oto.infrastructure.database.ledger import reachable
from oto.infrastructure.database.users import Users
from oto.infrastructure.vault import Vault

_SETTINGS = Settings(
    limits=Limits(connect_s=3, read_s=8, write_s=5, pool_s=2, whole_s=ANSWER_WITHIN_S),
    budget_wait_s=2,
)


@dataclass(frozen=True, slots=True)
class _Kept:
    sealed_at: datetime
    alpha: PrivateAlpha


class KeptExchanges:
    """Opens a user's sealed credentials here, and only here."""

    def __init__(self, base_url: str, users: Users, vault: Vault) -> None:
        self._base_url = base_url
        self._users = users
        self._vault = vault
        self._lock = threading.Lock()
        self._kept: dict[UserId, _Kept] = {}

    def of(self, user_id: UserId) -> UserExchange:
        return UserExchange(self.alpha(user_id))

    def alpha(self, user_id: UserId) -> PrivateAlpha:
        """Return a user's whole private half of the exchange.

        Raises:
            NoCredentialsError: nothing is stored to log in with.
            VaultError: what is stored cannot be opened.
        """
        with reachable():
            sealed_at = self._users.sealed_at(user_id)
        if sealed_at is None:
            raise NoCredentialsError
        with self._lock:
            kept = self._kept.get(user_id)
            if kept is None or kept.sealed_at != sealed_at:
                kept = _Kept(sealed_at, self._made(user_id))
                # The one before is not closed: a thread may be in the middle of a request.
                self._kept[user_id] = kept
        return kept.alpha

    def close(self) -> None:
        with self._lock:
            for kept in self._kept.values():
                kept.alpha.close()
            self._kept.clear()

    def _made(self, user_id: UserId) -> PrivateAlpha:
        with reachable():
            sealed = self._users.sealed(user_id)
        if sealed is None:
            raise NoCredentialsError
        return PrivateAlpha(self._base_url, self._vault.open(sealed), settings=_SETTINGS)
