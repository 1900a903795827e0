"""What a stream says and what we say to it; the one place where a raw frame is read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from oto.domain.errors import UndecodableError, UnexpectedShapeError
from oto.domain.market import (
    AggTrade,
    BookDelta,
    BookTop,
    DayTicker,
    Kline,
    MiniTicker,
    Trade,
)
from oto.domain.orders import ExecutionReport
from oto.domain.tokens import TokenTicker
from oto.infrastructure.alpha.market_events import (
    AggTradeEvent,
    BookTickerEvent,
    DayTickerEvent,
    DepthEvent,
    KlineEvent,
    MiniTickerEvent,
    TradeEvent,
)
from oto.infrastructure.alpha.token_events import TokenTickersEvent
from oto.infrastructure.alpha.user_events import ExecutionReportEvent

PushValue: TypeAlias = (
    AggTrade
    | Trade
    | BookTop
    | BookDelta
    | Kline
    | DayTicker
    | MiniTicker
    | TokenTicker
    | ExecutionReport
)
CommandId: TypeAlias = int | str | None


class Method(Enum):
    SUBSCRIBE = "SUBSCRIBE"
    UNSUBSCRIBE = "UNSUBSCRIBE"
    LIST_SUBSCRIPTION = "LIST_SUBSCRIPTION"


@dataclass(frozen=True, slots=True)
class Ack:
    """A command was accepted, with or without a `result` (PROTOCOL §2.1)."""

    command_id: CommandId


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The answer to LIST_SUBSCRIPTION; a listen key in a name is hidden."""

    command_id: CommandId
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A command was refused; `command_id` is None where the answer does not say which."""

    command_id: CommandId
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class Push:
    """One stream event: several values where the stream sends a list; a listen key is hidden."""

    stream: str
    values: tuple[PushValue, ...]


@dataclass(frozen=True, slots=True)
class ServerShutdown:
    """The server is about to close this connection."""


Frame: TypeAlias = Ack | Subscriptions | Refused | Push | ServerShutdown


class _ShutdownEvent(Struct, tag_field="e", tag="serverShutdown"):
    def values(self) -> tuple[()]:
        return ()


_Event: TypeAlias = (
    AggTradeEvent
    | TradeEvent
    | BookTickerEvent
    | DepthEvent
    | KlineEvent
    | DayTickerEvent
    | MiniTickerEvent
    | TokenTickersEvent
    | ExecutionReportEvent
    | _ShutdownEvent
)


class _CommandError(Struct):
    code: int
    msg: str = ""


class _Envelope(Struct):
    stream: str | UnsetType = UNSET
    data: _Event | list[_Event] | UnsetType = UNSET
    id: CommandId | UnsetType = UNSET
    result: list[str] | None = None
    error: _CommandError | UnsetType = UNSET
    code: int | UnsetType = UNSET
    msg: str = ""
    event: _ShutdownEvent | UnsetType = UNSET
    e: Literal["serverShutdown"] | UnsetType = UNSET


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_LISTEN_KEY = re.compile(r"(?<![\w@])alpha@[^\s\"',\]@]+")
_QUOTED = re.compile(r"'[^']*'(?= - at )")


def command_text(method: Method, command_id: int, names: Iterable[str] = ()) -> str:
    """Write a command as the exchange expects it; a listing names no streams."""
    command: dict[str, object] = {"method": method.value}
    if method is not Method.LIST_SUBSCRIPTION:
        command["params"] = list(names)
    return msgspec.json.encode(command | {"id": command_id}).decode()


def without_listen_key(text: str) -> str:
    """Hide the secret of a user stream's name: who knows the name can read the account."""
    return _LISTEN_KEY.sub("alpha@<hidden>", text)


def parse_frame(raw: str | bytes) -> Frame:
    """Read one frame.

    Raises:
        UnexpectedShapeError: JSON of a shape that we do not know; names the field, not its value.
        UndecodableError: not JSON.
    """
    try:
        envelope = _ENVELOPE.decode(raw)
    except msgspec.ValidationError as error:
        raise UnexpectedShapeError(_QUOTED.sub("here", str(error))) from None
    except (ValueError, RecursionError):
        raise UndecodableError(f"a frame of {len(raw)} characters or bytes is not JSON") from None
    return _push(envelope) or _notice(envelope) or _answer(envelope)


def _push(envelope: _Envelope) -> Push | ServerShutdown | None:
    if envelope.data is UNSET:
        return None
    events = envelope.data if isinstance(envelope.data, list) else [envelope.data]
    if any(isinstance(event, _ShutdownEvent) for event in events):
        return ServerShutdown()
    if envelope.stream is UNSET:
        raise UnexpectedShapeError("$.stream: missing beside data")
    values = tuple(value for event in events for value in event.values())
    return Push(without_listen_key(envelope.stream), values)


def _notice(envelope: _Envelope) -> ServerShutdown | None:
    said = envelope.event is not UNSET or envelope.e is not UNSET
    return ServerShutdown() if said else None


def _answer(envelope: _Envelope) -> Ack | Subscriptions | Refused:
    command_id = None if envelope.id is UNSET else envelope.id
    if envelope.error is not UNSET:
        message = without_listen_key(envelope.error.msg)
        return Refused(command_id, envelope.error.code, message)
    if envelope.code is not UNSET:
        return Refused(command_id, envelope.code, without_listen_key(envelope.msg))
    if envelope.id is UNSET:
        raise UnexpectedShapeError("$: neither a push nor an answer")
    if envelope.result is not None:
        return Subscriptions(command_id, tuple(map(without_listen_key, envelope.result)))
    return Ack(command_id)
