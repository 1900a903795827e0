"""Users' exchanges, made when they are first needed and kept until the session changes."""

import threading
from datetime import datetime

from oto.application.ports import NoCredentialsError
from oto.domain.job import UserId
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.user_exchange import UserExchange
from oto.infrastructure.database.ledger import reachable
from oto.infrastructure.database.users import Users
from oto.infrastructure.vault import Vault


class KeptExchanges:
    """Opens a user's sealed credentials here, and only here."""

    def __init__(self, base_url: str, users: Users, vault: Vault) -> None:
        self._base_url = base_url
        self._users = users
        self._vault = vault
        self._lock = threading.Lock()
        self._kept: dict[UserId, tuple[datetime, PrivateAlpha]] = {}

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
            if kept is None or kept[0] != sealed_at:
                kept = sealed_at, self._made(user_id)
                # The one before is not closed: a thread may be in the middle of a request.
                self._kept[user_id] = kept
        return kept[1]

    def close(self) -> None:
        with self._lock:
            for _, alpha in self._kept.values():
                alpha.close()
            self._kept.clear()

    def _made(self, user_id: UserId) -> PrivateAlpha:
        with reachable():
            sealed = self._users.sealed(user_id)
        if sealed is None:
            raise NoCredentialsError
        return PrivateAlpha(self._base_url, self._vault.open(sealed))
