"""What a fault needs below ASGI: to cut a connection, or to fall silent on it."""

import asyncio
from typing import Any, Protocol

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.events import Request

_KEY = "oto.wire"
_MOST_SILENT_S = 300


class Wire(Protocol):
    """The connection below one request or socket."""

    def cut(self) -> None:
        """Close the connection at once, without a word."""

    def fall_silent(self) -> None:
        """Read nothing and ping no more, but keep the connection."""


def wire_of(scope: Scope) -> Wire:
    """Return the connection of a request that came through this program's server."""
    wire: Wire = scope["extensions"][_KEY]
    return wire


class _Transport:
    def __init__(self, protocol: "HttpProtocol | SocketProtocol") -> None:
        self._protocol = protocol

    def cut(self) -> None:
        self._protocol.transport.abort()

    def fall_silent(self) -> None:
        self._protocol.transport.pause_reading()
        # Unread, a client's goodbye would never be seen.
        asyncio.get_running_loop().call_later(_MOST_SILENT_S, self._protocol.transport.abort)
        if isinstance(self._protocol, SocketProtocol):
            self._protocol.stop_keepalive()


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, with its connection within reach of the application."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, Any] = {_KEY: _Transport(self)}
        self.scope["extensions"] = extensions


class SocketProtocol(WSProtocol):
    """uvicorn's WebSocket, with its connection within reach of the application."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        self.scope["extensions"] = {**self.scope.get("extensions", {}), _KEY: _Transport(self)}  # type: ignore[dict-item]
