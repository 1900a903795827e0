"""A real HTTP server on the loopback that answers as it is told, and remembers what came."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias


@dataclass(frozen=True, repr=False)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Behaviour: TypeAlias = Reply | Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True, repr=False)
class Seen:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(repr=False)
class Exchange:
    """The stand-in: `script` is answered in order, its last entry again and again."""

    base_url: str = ""
    script: list[Behaviour] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def next(self) -> Behaviour:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


def ok(data: object, total: int | None = None) -> Reply:
    envelope = {"code": "000000", "message": None, "data": data, "success": True}
    return Reply(body=json.dumps(envelope | ({} if total is None else {"total": total})).encode())


def refusal(code: str, message: str) -> Reply:
    return Reply(body=json.dumps({"code": code, "message": message, "success": False}).encode())


def html(status: int) -> Reply:
    return Reply(status, b"<!DOCTYPE html><html>no</html>", {"content-type": "text/html"})


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def half(handler: BaseHTTPRequestHandler) -> None:
    """Promise a body and close in the middle of it."""
    handler.send_response(200)
    handler.send_header("content-length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"code":"000000"')
    handler.close_connection = True


def silence(until: threading.Event) -> Behaviour:
    """Never answer, until the test is over."""

    def wait(handler: BaseHTTPRequestHandler) -> None:
        until.wait(10)
        handler.close_connection = True

    return wait


def trickle(answer: bytes, until: threading.Event) -> Behaviour:
    """Send the same piece of an answer's head again and again, until the client hangs up."""

    def go_on(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(answer)
            while not until.wait(0.05):
                handler.wfile.write(answer[-25:])

    return go_on


class QuietServer(ThreadingHTTPServer):
    """A client that hangs up is what many of these tests are about."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet."""


@contextmanager
def serving() -> Iterator[Exchange]:
    exchange = Exchange()
    server = QuietServer(("127.0.0.1", 0), _handler(exchange))
    exchange.base_url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield exchange
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(exchange: Exchange) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            exchange.seen.append(Seen(self.command, self.path, headers, body))
            behaviour = exchange.next()
            if isinstance(behaviour, Reply):
                self.reply(behaviour)
            else:
                behaviour(self)

        def reply(self, reply: Reply) -> None:
            # The server's own date, unless the reply has one.
            dated = "date" in reply.headers
            (self.send_response_only if dated else self.send_response)(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = answer  # noqa: N815
        do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    return Handler
