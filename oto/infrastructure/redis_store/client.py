"""How this program connects to Redis."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def redis_client(url: str, answer_within_s: float = 15) -> redis.Redis:
    """Make a client with a pool of its own; it connects with its first command.

    A command is sent once, and fails without an answer within `answer_within_s` seconds: a
    repeated one could act twice. An idle connection that the server
    has closed meanwhile is replaced before the command is sent.

    Raises:
        ValueError: not a Redis URL; the message shows nothing of it, for it may hold a password.
    """
    try:
        return redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=min(5, answer_within_s),
            socket_timeout=answer_within_s,
            socket_keepalive=True,
            health_check_interval=15,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise ValueError(
            "This is not the URL of a Redis server; write it as redis://:password@host:port/0 "
            "and percent-encode special characters of the password."
        ) from None
