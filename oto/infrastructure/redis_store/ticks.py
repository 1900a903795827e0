"""The latest tick of each symbol in Redis, where every worker finds it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TypeAlias, TypeVar

import redis

from oto.domain import money
from oto.domain.market import BookLevel, Symbol
from oto.domain.tick import Tick
from oto.infrastructure.redis_store.fenced_writes import FencedWrites

KEPT_S = 300
BEAT_KEPT_S = 60

_BEAT = "oto:price-streamer:beat"
_TOKEN = "oto:price-streamer:token"  # noqa: S105 - a fencing token, no secret
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS = (
    "sequence",
    "connected",
    "received_at",
    "trade_price",
    "traded_at",
    "bid_price",
    "bid_quantity",
    "ask_price",
    "ask_quantity",
    "book_changed_at",
)
_Stored: TypeAlias = bytes | str | None
_Value = TypeVar("_Value")


class TickStore:
    """Ticks as hashes `oto:tick:{symbol}`, and the sign of life of the process that writes them.

    Every call raises `redis.RedisError` where Redis cannot be reached or refuses; every write
    raises `OutdatedError` after one with a higher token.
    """

    def __init__(self, redis: redis.Redis, token: int = 0) -> None:
        self._redis = redis
        self._fence = FencedWrites(redis, _TOKEN, token)

    def write(self, ticks: Iterable[Tick]) -> None:
        """Replace the ticks of these symbols in one round trip; of two for one, the later stays.

        A tick that is not replaced vanishes after `KEPT_S`.
        """
        commands: list[tuple[str | int, ...]] = []
        for tick in ticks:
            key = _key(tick.symbol)
            fields = chain.from_iterable(zip(_FIELDS, _written(tick), strict=True))
            commands += [("HSET", key, *fields), ("EXPIRE", key, KEPT_S)]
        self._run(commands)

    def read(self, symbol: Symbol) -> Tick | None:
        """Return the latest tick, or None where there is none or it has grown old."""
        return _read(symbol, self._redis.hmget(_key(symbol), _FIELDS))

    def read_many(self, symbols: Collection[Symbol]) -> dict[Symbol, Tick]:
        """Return the latest ticks in one round trip; a symbol without one is left out."""
        pipeline = self._redis.pipeline(transaction=False)
        for symbol in symbols:
            pipeline.hmget(_key(symbol), _FIELDS)
        found = zip(symbols, pipeline.execute(), strict=True)
        ticks = (_read(symbol, stored) for symbol, stored in found)
        return {tick.symbol: tick for tick in ticks if tick is not None}

    def mark_disconnected(self, symbols: Iterable[Symbol]) -> None:
        """Flag what is stored of these symbols as old news, and change nothing else of it."""
        commands: list[tuple[str | int, ...]] = []
        for symbol in symbols:
            # Where no tick was stored, this flag alone is now: it must vanish too.
            expire = ("EXPIRE", _key(symbol), KEPT_S, "NX")
            commands += [("HSET", _key(symbol), "connected", "0"), expire]
        self._run(commands)

    def beat(self, at: datetime) -> None:
        """Say that the process that writes ticks was alive at this time."""
        self._run([("SET", _BEAT, str(in_us(at)), "EX", BEAT_KEPT_S)])

    def last_beat(self) -> datetime | None:
        """Return when the writing process last said that it lives; None after `BEAT_KEPT_S`."""
        return _optional(self._redis.get(_BEAT), _moment)

    def _run(self, commands: Sequence[Sequence[str | int]]) -> None:
        if commands:
            self._fence.run(commands)


def at_us(microseconds: int) -> datetime:
    """Turn Unix microseconds into aware UTC, exactly."""
    return _EPOCH + timedelta(microseconds=microseconds)


def in_us(moment: datetime) -> int:
    """Turn aware time into Unix microseconds, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _key(symbol: Symbol) -> str:
    return f"oto:tick:{symbol}"


def _written(tick: Tick) -> tuple[str, ...]:
    return (
        str(tick.sequence),
        "1" if tick.connected else "0",
        _time_text(tick.received_at),
        "" if tick.trade_price is None else money.plain(tick.trade_price),
        _time_text(tick.traded_at),
        *_level_texts(tick.bid),
        *_level_texts(tick.ask),
        _time_text(tick.book_changed_at),
    )


def _time_text(moment: datetime | None) -> str:
    return "" if moment is None else str(in_us(moment))


def _level_texts(level: BookLevel | None) -> tuple[str, str]:
    if level is None:
        return "", ""
    return money.plain(level.price), money.plain(level.quantity)


def _read(symbol: Symbol, stored: Iterable[_Stored]) -> Tick | None:
    values = dict(zip(_FIELDS, stored, strict=True))
    sequence = _optional(values["sequence"], int)
    received_at = _optional(values["received_at"], _moment)
    if sequence is None or received_at is None:
        return None
    return Tick(
        symbol=symbol,
        sequence=sequence,
        connected=_optional(values["connected"], int) == 1,
        received_at=received_at,
        trade_price=_optional(values["trade_price"], money.price),
        traded_at=_optional(values["traded_at"], _moment),
        bid=_level(values["bid_price"], values["bid_quantity"]),
        ask=_level(values["ask_price"], values["ask_quantity"]),
        book_changed_at=_optional(values["book_changed_at"], _moment),
    )


def _level(price: _Stored, quantity: _Stored) -> BookLevel | None:
    at, of = _optional(price, money.price), _optional(quantity, money.quantity)
    return None if at is None or of is None else BookLevel(at, of)


def _moment(text: str) -> datetime:
    return at_us(int(text))


def _optional(stored: _Stored, read: Callable[[str], _Value]) -> _Value | None:
    text = stored.decode() if isinstance(stored, bytes) else stored
    return read(text) if text else None
