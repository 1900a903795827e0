"""Sockets and what they subscribed to: commands in, pushes out."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from oto.simulator import strict_json
from oto.simulator.accounts import Account
from oto.simulator.exchange import BookMoved, Exchange, Reported, Traded
from oto.simulator.faults import Fault, FaultKind
from oto.simulator.feeds import Feed, find_feed
from oto.simulator.wire_streams import trade_payloads

_MOST_NAMES = 1_024
_MOST_QUEUED = 20_000
_SHUTDOWN_GRACE_MS = 10_000  # the official client takes 5 s to move to a new connection
_PRIVATE_PREFIX = "alpha@"
_BOOKKEEPING = frozenset({"LIST_SUBSCRIPTION", "LIST_SUBSCRIPTIONS"})


@dataclass(slots=True, eq=False)
class Connection:
    """One socket; frames wait in a queue of their own, so a slow reader delays nobody else."""

    private: bool
    cut: Callable[[], None]
    fall_silent: Callable[[], None]
    frames: asyncio.Queue[str | None] = field(
        default_factory=lambda: asyncio.Queue(maxsize=_MOST_QUEUED)
    )
    names: set[str] = field(default_factory=set)
    silent: bool = False
    truncate_next: bool = False

    def send(self, frame: str) -> None:
        if self.silent:
            return
        if self.truncate_next:
            self.truncate_next = False
            frame = frame[: len(frame) // 2]
        try:
            self.frames.put_nowait(frame)
        except asyncio.QueueFull:  # a reader that fell so far behind is dropped
            self.silent = True
            self.cut()

    def close(self) -> None:
        """Let the socket be closed after what is queued."""
        if not self.frames.full():
            self.frames.put_nowait(None)


class Hub:
    """All sockets of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        # Ordered, for what strikes or is pushed has to come in the same order each time.
        self.connections: dict[Connection, None] = {}
        self._subscribers: dict[str, dict[Connection, None]] = {}
        self._feeds: dict[str, Feed] = {}

    def join(self, connection: Connection) -> None:
        self.connections[connection] = None

    def leave(self, connection: Connection) -> None:
        self.connections.pop(connection, None)
        self._unsubscribe(connection, list(connection.names))

    def command(self, connection: Connection, text: str) -> None:
        """Obey one command and answer it; what cannot be read is answered with an error."""
        try:
            asked = strict_json.read(text)
        except strict_json.BadJsonError:
            asked = None
        if not isinstance(asked, dict):
            _send(connection, {"error": {"code": 3, "msg": "Invalid JSON"}})
            return
        number = asked.get("id")
        if not _is_id(number):
            _send(connection, {"error": {"code": 2, "msg": "Invalid request: bad id"}})
            return
        names = asked.get("params", [])
        method = str(asked.get("method"))
        if method in _BOOKKEEPING:
            _send(connection, {"result": sorted(connection.names), "id": number})
        elif method in {"SUBSCRIBE", "UNSUBSCRIBE"} and _are_names(names):
            self._obey(connection, method, names)
            self._acknowledge(connection, number)
        else:
            _send(connection, {"error": {"code": 2, "msg": "Invalid request"}, "id": number})

    def push(self) -> None:
        """Push everything that the exchange has emitted since the last time."""
        emissions, self._exchange.outbox = self._exchange.outbox, []
        moved: set[str] = set()
        for emission in emissions:
            match emission:
                case Traded(symbol, trade):
                    market = self._exchange.markets[symbol]
                    pushes = trade_payloads(market, trade, self._exchange.now_ms)
                    for name, payload in pushes.items():
                        self._push(name, payload)
                case BookMoved(symbol):
                    moved.add(symbol)
                case Reported(account, report):
                    self._push(_stream_of(account), report)
        if moved:
            self._push_moved(moved)

    def happen(self, fault: Fault) -> None:
        """Let a socket fault strike the sockets that it is meant for."""
        now_ms = self._exchange.now_ms
        for connection in list(self.connections):
            user = self._user_of(connection)
            kind = "user" if connection.private else "market"
            if self._exchange.faults.hits(fault, kind, user, now_ms):
                self._exchange.faults.record(fault, kind, user, now_ms)
                self._strike(connection, fault.kind)

    def _strike(self, connection: Connection, kind: FaultKind) -> None:
        if kind is FaultKind.SOCKET_CUT:
            connection.silent = True
            connection.cut()
        elif kind is FaultKind.SOCKET_SILENT:
            connection.silent = True
            connection.fall_silent()
        elif kind is FaultKind.TRUNCATED_FRAME:
            connection.truncate_next = True
        else:
            now_ms = self._exchange.now_ms
            _send(connection, {"event": {"e": "serverShutdown", "E": now_ms}})
            self._exchange.at(now_ms + _SHUTDOWN_GRACE_MS, connection.close)

    def _obey(self, connection: Connection, method: str, names: list[str]) -> None:
        if method == "UNSUBSCRIBE":
            self._unsubscribe(connection, names)
            return
        for name in names:
            if connection.private != name.startswith(_PRIVATE_PREFIX + _key_part(name)):
                continue
            if len(connection.names) < _MOST_NAMES:
                connection.names.add(name)
                self._subscribers.setdefault(name, {})[connection] = None
                self._start_feed(name)

    def _unsubscribe(self, connection: Connection, names: Iterable[str]) -> None:
        for name in names:
            connection.names.discard(name)
            listeners = self._subscribers.get(name, {})
            listeners.pop(connection, None)
            if not listeners:
                self._subscribers.pop(name, None)
                self._feeds.pop(name, None)

    def _acknowledge(self, connection: Connection, number: int | str | None) -> None:
        kinds = frozenset({FaultKind.ACK_WITHOUT_RESULT})
        user = self._user_of(connection)
        bare = self._exchange.faults.strike(kinds, "ack", user, self._exchange.now_ms)
        _send(connection, {"id": number} if bare else {"result": None, "id": number})

    def _start_feed(self, name: str) -> None:
        if name in self._feeds:
            return
        feed = find_feed(name, self._exchange)
        if feed is None:
            return
        self._feeds[name] = feed
        if feed.period_ms is not None:
            self._repeat(name, feed, feed.period_ms)
        else:
            self._push_feed(name, feed)

    def _repeat(self, name: str, feed: Feed, period_ms: int) -> None:
        def happen() -> None:
            if self._feeds.get(name) is feed:
                self._push_feed(name, feed)
                self._repeat(name, feed, period_ms)

        self._exchange.at(self._exchange.now_ms + period_ms, happen)

    def _push_moved(self, symbols: set[str]) -> None:
        for name, feed in list(self._feeds.items()):
            if feed.period_ms is None and feed.symbol in symbols:
                self._push_feed(name, feed)

    def _push_feed(self, name: str, feed: Feed) -> None:
        for payload in feed.payloads():
            self._push(name, payload)

    def _push(self, name: str, payload: dict[str, Any]) -> None:
        listeners = self._subscribers.get(name)
        if not listeners:
            return
        frame = msgspec.json.encode({"stream": name, "data": payload}).decode()
        for connection in list(listeners):
            connection.send(frame)

    def _user_of(self, connection: Connection) -> str:
        for account in self._exchange.accounts.values():
            if _stream_of(account) in connection.names:
                return account.name
        return ""


def _stream_of(account: Account) -> str:
    return f"{_PRIVATE_PREFIX}{account.listen_key}" if account.listen_key else ""


def _key_part(name: str) -> str:
    # `alpha@<32 hex>` is a user stream; `alpha_971usdt@…` and `came@…` are not.
    key = name.removeprefix(_PRIVATE_PREFIX)
    return key if "@" not in key else "\0"


def _is_id(number: object) -> bool:
    if isinstance(number, bool):
        return False
    if isinstance(number, int):
        return abs(number) < 1 << 63
    return number is None or (isinstance(number, str) and len(number) <= 36)  # noqa: PLR2004


def _are_names(names: object) -> bool:
    return (
        isinstance(names, list)
        and 0 < len(names) <= _MOST_NAMES
        and all(isinstance(name, str) and len(name) <= 200 for name in names)  # noqa: PLR2004
    )


def _send(connection: Connection, content: dict[str, Any]) -> None:
    connection.send(msgspec.json.encode(content).decode())
