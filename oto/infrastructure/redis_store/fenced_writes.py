"""Writes that a process may make only while no newer one has taken over."""

import json
from collections.abc import Sequence

import redis

TOKEN_KEPT_S = 60
"""Longer than a holder is silent; after it a restored database may begin with low tokens again."""

_SCRIPT = """
local stored = tonumber(redis.call('GET', KEYS[1]) or ARGV[1])
if stored > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
for _, command in ipairs(cjson.decode(ARGV[3])) do redis.call(unpack(command)) end
return 1
"""


class OutdatedError(Exception):
    """A process with a higher token has written; nothing of this one may be written any more."""


class FencedWrites:
    """Lets commands through while no higher token than its own is stored."""

    def __init__(self, redis: redis.Redis, key: str, token: int) -> None:
        self._key = key
        self._token = token
        self._script = redis.register_script(_SCRIPT)

    def run(self, commands: Sequence[Sequence[str | int]]) -> None:
        """Run all of them at once, in one round trip, or none.

        Raises:
            OutdatedError: a higher token is stored.
            redis.RedisError: Redis cannot be reached or refuses.
        """
        arguments: list[str | int] = [self._token, TOKEN_KEPT_S, json.dumps(commands)]
        if not self._script(keys=[self._key], args=arguments):
            raise OutdatedError
