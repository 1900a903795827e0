"""A bound on a whole HTTP exchange: no drip of bytes keeps a request alive beyond it.

httpx bounds each read. A server that sends a header's byte now and then would hold a thread for
ever, so every read and write of the connection is given only what is left until the deadline.
"""

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx


class Deadline:
    """When the exchange that the calling thread makes has to be over."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Bound everything that the block does on connections of this deadline."""
        self._of_thread.at = time.monotonic() + seconds
        try:
            yield
        finally:
            del self._of_thread.at

    @property
    def over(self) -> bool:
        at: float | None = getattr(self._of_thread, "at", None)
        return at is not None and time.monotonic() >= at

    def left(self, timeout: float | None) -> float | None:
        """Return the lesser of a timeout and what is left; nothing left is a tick, not for ever."""
        at: float | None = getattr(self._of_thread, "at", None)
        if at is None:
            return timeout
        left_s = max(at - time.monotonic(), 1e-6)
        return left_s if timeout is None else min(timeout, left_s)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # A socket takes bytes whatever the timeout; a process that was held up must not send.
        if self._deadline.over:
            raise httpcore.WriteTimeout
        self._stream.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _Stream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the library's own signature
        return self._stream.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left_s = self._deadline.left(timeout)
        stream = super().connect_tcp(host, port, left_s, local_address, socket_options)
        return _Stream(stream, self._deadline)


def bounded_transport(deadline: Deadline) -> httpx.HTTPTransport:
    """Return httpx's own transport, without proxies, over connections that know the deadline."""
    transport = httpx.HTTPTransport(trust_env=False, retries=0)
    # httpx passes no backend on, though its pool takes one.
    transport._pool._network_backend = _Backend(deadline)  # noqa: SLF001
    return transport
