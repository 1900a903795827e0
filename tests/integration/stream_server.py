"""A small real WebSocket server on loopback that misbehaves on demand."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)

PATIENCE_S = 10.0

Reply = Callable[[dict[str, Any]], str | None]


def ack(command: dict[str, Any]) -> str:
    return json.dumps({"result": None, "id": command["id"]})


def bare_ack(command: dict[str, Any]) -> str:
    return json.dumps({"id": command["id"]})


def no_ack(_command: dict[str, Any]) -> None:
    return None


def refusal(command: dict[str, Any]) -> str:
    message = f"Invalid stream {command['params'][0]}"
    return json.dumps({"error": {"code": 2, "msg": message}, "id": command["id"]})


class Peer:
    """One client's connection, as the server sees it."""

    def __init__(self, server: "StreamServer", client: socket.socket) -> None:
        self.server = server
        self.client = client
        self.path = ""
        self.header_names: set[str] = set()
        self.commands: list[dict[str, Any]] = []
        self.pings = 0
        self.gone = False
        self._wire = WSConnection(ConnectionType.SERVER)
        self._sending = threading.Lock()

    def say(self, event: Event) -> None:
        with self._sending, suppress(OSError):
            self.client.sendall(self._wire.send(event))

    def text(self, text: str) -> None:
        self.say(TextMessage(data=text))

    def json(self, value: object) -> None:
        self.text(json.dumps(value))

    def binary(self, data: bytes) -> None:
        self.say(BytesMessage(data=data))

    def raw(self, data: bytes) -> None:
        with self._sending:
            self.client.sendall(data)

    def close(self, code: int = 1001) -> None:
        self.say(CloseConnection(code=code))

    def drop(self) -> None:
        with suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        with self.client:
            while data := self._read():
                self._wire.receive_data(data)
                for event in self._wire.events():
                    self._react(event)
        with self.server.changed:
            self.gone = True
            self.server.changed.notify_all()

    def _read(self) -> bytes:
        try:
            return self.client.recv(65536)
        except OSError:
            return b""

    def _react(self, event: Event) -> None:
        with self.server.changed:
            self._note(event)
            self.server.changed.notify_all()
        match event:
            case Request() if self.server.status == 101:
                self.say(AcceptConnection())
                with self.server.changed:
                    self.server.peers.append(self)
                    self.server.changed.notify_all()
            case Request():
                self.say(RejectConnection(status_code=self.server.status))
                self.drop()
            case Ping() if self.server.answers_pings:
                self.say(event.response())
            case TextMessage():
                if (reply := self.server.reply(json.loads(event.data))) is not None:
                    self.text(reply)
            case CloseConnection():
                with suppress(Exception):
                    self.say(event.response())
                self.drop()
            case _:
                pass

    def _note(self, event: Event) -> None:
        match event:
            case Request():
                self.path = event.target
                self.header_names = {name.decode().lower() for name, _ in event.extra_headers}
            case Ping():
                self.pings += 1
            case TextMessage():
                self.commands.append(json.loads(event.data))
            case _:
                pass


class StreamServer:
    """Accepts on loopback; `peers` are the clients that finished the handshake."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.peers: list[Peer] = []
        self.reply: Reply = ack
        self.answers_pings = True
        self.status = 101
        self.mute = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self.accepted = 0
        self._clients: list[tuple[socket.socket, threading.Thread | None]] = []
        self._thread = threading.Thread(target=self._accept, name="stream-server")
        self._thread.start()

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for client, thread in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            if thread is not None:
                thread.join()
            client.close()

    def wait(self, met: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(met, PATIENCE_S), "the server waited in vain"

    def peer(self, number: int = 0) -> Peer:
        self.wait(lambda: len(self.peers) > number)
        return self.peers[number]

    def commands(self, peer: int, at_least: int) -> list[dict[str, Any]]:
        client = self.peer(peer)
        self.wait(lambda: len(client.commands) >= at_least)
        return list(client.commands)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = None if self.mute else threading.Thread(target=Peer(self, client).serve)
            self._clients.append((client, thread))
            if thread is not None:
                thread.start()
            with self.changed:
                self.accepted += 1
                self.changed.notify_all()


@contextmanager
def stream_server() -> Iterator[StreamServer]:
    server = StreamServer()
    try:
        yield server
    finally:
        server.stop()


class Handshaker:
    """A TCP server that answers one handshake with given bytes and keeps what it was sent."""

    def __init__(self, answer: bytes, secure: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._secure = secure
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.heard: list[bytes] = []
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = self._listening.accept()
                with suppress(OSError), client:  # the client gave up
                    self._answer_one(client)

    def _answer_one(self, client: socket.socket) -> None:
        if self._secure:
            client = self._secure.wrap_socket(client, server_side=True)
        with client:
            self.heard.append(client.recv(65_536))
            client.sendall(self._answer)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def elapsed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began
