"""Signs of life of processes, in Redis, where the doctor finds them."""

from collections.abc import Sequence
from datetime import datetime

import redis

from oto.infrastructure.redis_store.ticks import BEAT_KEPT_S, at_us, in_us

ORDERS = "orders"
"""The order-streamer looked for users whom it has to follow."""
SWEEP = "sweep"
"""A worker took the sweep that beat had sent."""


class Beats:
    """When each process last said that it lives.

    Every call raises `redis.RedisError` where Redis cannot be reached or refuses.
    """

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis

    def beat(self, name: str, at: datetime) -> None:
        """Say that the process of this name was alive at this time."""
        self._redis.set(_key(name), in_us(at), ex=BEAT_KEPT_S)

    def last(self, name: str) -> datetime | None:
        """Return when the process last said that it lives; None after `BEAT_KEPT_S`."""
        stored = self._redis.get(_key(name))
        return at_us(int(stored)) if isinstance(stored, str | bytes) else None

    def echo(self, token: str) -> None:
        """Say that the message with this token has come through."""
        self._redis.set(_echo_key(token), 1, ex=BEAT_KEPT_S)

    def echoed(self, tokens: Sequence[str]) -> frozenset[str]:
        """Return which of the tokens have come through within `BEAT_KEPT_S`."""
        found = self._redis.mget(map(_echo_key, tokens)) if tokens else []
        return frozenset(token for token, one in zip(tokens, found, strict=True) if one)


def _echo_key(token: str) -> str:
    return f"oto:echo:{token}"


def _key(name: str) -> str:
    return f"oto:beat:{name}"
