"""Valkey and PostgreSQL from wheels, under a guard that leaves no orphan."""

from oto.infrastructure.servers.errors import AlreadyRunningError, ServersError
from oto.infrastructure.servers.home import ServerUrls
from oto.infrastructure.servers.launch import running, started

__all__ = ["AlreadyRunningError", "ServerUrls", "ServersError", "running", "started"]
