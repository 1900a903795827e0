"""Valkey as the project runs it: on loopback, behind a password, with a log of every change."""

import json
import secrets
import signal
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from oto.infrastructure.servers.binaries import valkey_server
from oto.infrastructure.servers.guard import Server


class Valkey:
    """A Valkey on `home/valkey`; each has a new password."""

    name = "valkey"
    setting = "OTO_REDIS_URL"
    fds: tuple[int, ...] = ()

    def __init__(self, home: Path, *, durable: bool) -> None:
        self.log = home / "valkey.log"
        self._program = valkey_server()
        self._folder = home / self.name
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.temporary = [] if durable else [self._folder, self.log]
        self._durable = durable
        self._password = secrets.token_urlsafe(24)

    def server(self, port: int) -> Server:
        return Server(
            name=self.name,
            argv=[str(self._program), "-"],
            log=str(self.log),
            stop_signal=signal.SIGTERM,
            config=self._config(port),
        )

    def _config(self, port: int) -> str:
        settings = {
            "bind": "127.0.0.1",
            "port": port,
            "protected-mode": "yes",
            "requirepass": self._password,
            "databases": 16,
            "dir": json.dumps(str(self._folder), ensure_ascii=False),
            "maxmemory-policy": "noeviction",
            "save": '""',
            "appendonly": "yes" if self._durable else "no",
            "appendfsync": "everysec",
            "tcp-backlog": 128,  # no more than systems allow by default, or it warns
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def url(self, port: int) -> str:
        return f"redis://:{self._password}@127.0.0.1:{port}/0"

    def is_ready(self, port: int) -> bool:
        """Say whether it answers; it does not while it loads what it had stored."""
        once = Retry(NoBackoff(), 0)
        with redis.Redis.from_url(self.url(port), retry=once, socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False
