"""What the doctor looks at."""

import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property

import redis
from sqlalchemy import text

from oto.application.checks import Check, Found, Result, fresh
from oto.bootstrap import House, open_house
from oto.domain.job import JobState
from oto.infrastructure.alpha.client import Limits
from oto.infrastructure.alpha.server_date import server_date
from oto.infrastructure.database import schema
from oto.infrastructure.database.ledger import reachable
from oto.infrastructure.database.roles import Role
from oto.infrastructure.dispatch import ask_echo, shared_queues
from oto.infrastructure.redis_store.beats import ORDERS, SWEEP, Beats
from oto.infrastructure.redis_store.client import redis_client
from oto.infrastructure.redis_store.ticks import TickStore
from oto.infrastructure.vault import KEY_FILE, VaultError

MOST_SKEW = timedelta(seconds=2)

_STREAM_BEATS_WITHIN = timedelta(seconds=5)
_SWEEP_WITHIN = timedelta(seconds=10)
_REDIS_ANSWERS_WITHIN_S = 3
_ECHO_WITHIN_S = 5
_ECHO_LOOK_EVERY_S = 0.02
_EXCHANGE_LIMITS = Limits(connect_s=3, read_s=4, write_s=3, whole_s=6)
_HALF_A_SECOND = timedelta(seconds=0.5)
_UP = "start the system with `oto up`"
_NAMES_SHOWN = 5


def all_checks(at: "Looks") -> Sequence[Check]:
    """Return every check, each after the one that it needs."""
    return (
        Check("settings", at.settings, advice="mend the variable, or the line in .env"),
        Check("database", at.database, "settings", f"{_UP}, or mend OTO_DATABASE_URL"),
        Check("schema", at.schema, "database", "run `oto db upgrade`"),
        Check("redis", at.redis, "settings", f"{_UP}, or mend OTO_REDIS_URL"),
        Check("keys", at.keys, "schema", "add the key that sealed it, or log the user in again"),
        Check("exchange", at.exchange, "settings", f"{_UP}, or look at OTO_REST_URL"),
        Check("clock", at.clock, "exchange", "let this machine's clock be set by NTP"),
        Check("prices", at.prices, "redis", f"{_UP}, or `oto stream prices`"),
        Check("orders", at.orders, "redis", f"{_UP}, or `oto stream orders`"),
        Check("worker", at.worker, "redis", f"{_UP}, or `oto worker`"),
        Check("beat", at.beat, "redis", f"{_UP}, or `oto beat`"),
        Check("roles", at.roles, "schema", f"{_UP}; it starts one of each"),
        Check("users", at.users, "schema"),
    )


class Looks:
    """Looks that share one house; those of one server need the first of them, which opens it."""

    def close(self) -> None:
        """Give back what looks have opened."""
        opened = self.__dict__
        if "_redis" in opened:
            self._redis.close()
        if "_house" in opened:
            self._house.close()

    @cached_property
    def _house(self) -> House:
        return open_house()

    @cached_property
    def _redis(self) -> redis.Redis:
        return redis_client(self._house.urls.redis_url, _REDIS_ANSWERS_WITHIN_S)

    def settings(self) -> Found:
        chosen = self._house.settings
        return _ok(f"{chosen.home}, exchange: {chosen.exchange.value}")

    def database(self) -> Found:
        with reachable(), self._house.engine.connect() as connection:
            began = time.perf_counter()
            connection.execute(text("SELECT 1"))
            return _ok(f"answers in {_ms_since(began)} ms")

    def schema(self) -> Found:
        with reachable():
            current = schema.current_revision(self._house.engine)
        needed = schema.newest_revision()
        if current == needed:
            return _ok(f"{current}, up to date")
        return Found(Result.FAILED, f"{current or 'empty'}, needed is {needed}")

    def redis(self) -> Found:
        self._redis.ping()
        began = time.perf_counter()
        self._redis.ping()
        detail = f"answers in {_ms_since(began)} ms"
        return Found(Result.OK, detail, self._redis_advice())

    def keys(self) -> Found:
        house = self._house
        if house.settings.master_key is None and not (house.settings.home / KEY_FILE).exists():
            return Found(Result.SKIPPED, "no master key here")
        with reachable():
            sealed = [(one.name, house.users.sealed(one.user_id)) for one in house.users.all()]
        logins = [(name, login) for name, login in sealed if login is not None]
        unopened = [name for name, login in logins if not self._opens(login)]
        if unopened:
            return Found(Result.FAILED, f"do not open the sessions of {_names(unopened)}")
        return _ok(f"open all {len(logins)} stored sessions")

    def exchange(self) -> Found:
        base_url = self._house.exchange_urls.rest
        began = time.perf_counter()
        server_date(base_url, _EXCHANGE_LIMITS)
        return _ok(f"{base_url} answers in {_ms_since(began)} ms")

    def clock(self) -> Found:
        before = self._house.clock.now()
        # The date is cut to whole seconds: the middle of the second is the best guess.
        theirs = server_date(self._house.exchange_urls.rest, _EXCHANGE_LIMITS) + _HALF_A_SECOND
        ours = before + (self._house.clock.now() - before) / 2
        skew_s = (ours - theirs).total_seconds()
        within = abs(skew_s) <= MOST_SKEW.total_seconds()
        detail = f"{abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} the exchange's"
        return Found(Result.OK if within else Result.FAILED, detail)

    def prices(self) -> Found:
        last = TickStore(self._redis).last_beat()
        return fresh(last, self._house.clock.now(), _STREAM_BEATS_WITHIN)

    def orders(self) -> Found:
        last = Beats(self._redis).last(ORDERS)
        return fresh(last, self._house.clock.now(), _STREAM_BEATS_WITHIN)

    def worker(self) -> Found:
        """Send a message through each queue and wait for its echo."""
        app, beats = self._house.celery, Beats(self._redis)
        waiting = {str(uuid.uuid4()): queue for queue in shared_queues(app)}
        began = time.perf_counter()
        for token, queue in waiting.items():
            ask_echo(app, queue, token)
        while waiting and time.perf_counter() - began < _ECHO_WITHIN_S:
            time.sleep(_ECHO_LOOK_EVERY_S)
            for token in beats.echoed([*waiting]):
                del waiting[token]
        if waiting:
            silent = ", ".join(sorted(waiting.values()))
            return Found(Result.FAILED, f"no echo from {silent} within {_ECHO_WITHIN_S:g} s")
        return _ok(f"every queue echoed within {_ms_since(began)} ms")

    def roles(self) -> Found:
        with reachable():
            holders = {one.role: one for one in self._house.roles.holders() if one.held}
        if missing := [role.value for role in Role if role not in holders]:
            return Found(Result.FAILED, f"nobody is {' or '.join(missing)}")
        return _ok("; ".join(str(one) for one in holders.values()))

    def beat(self) -> Found:
        return fresh(Beats(self._redis).last(SWEEP), self._house.clock.now(), _SWEEP_WITHIN)

    def users(self) -> Found:
        with reachable():
            users = self._house.users.all()
            held_up = self._house.jobs.views(states={JobState.NEEDS_HUMAN})
        if held_up:
            why = [f"{one.job.job_id} of {one.user}" for one in held_up]
            return Found(
                Result.FAILED,
                f"jobs that need a human: {_names(why)}",
                "see `oto job show ID`, then `oto job resume ID`",
            )
        if out := [one.name for one in users if one.logged_in_at is None]:
            return Found(
                Result.FAILED, f"no session is stored for {_names(out)}", "run `oto user login`"
            )
        return _ok(f"{len(users)} with sessions" if users else "none yet; `oto user add NAME`")

    def _opens(self, login: bytes) -> bool:
        try:
            self._house.vault.open(login)
        except VaultError:
            return False
        return True

    def _redis_advice(self) -> str:
        """Say what a server of somebody else's should have set otherwise."""
        if self._house.settings.redis_url is None:
            return ""
        try:
            found = self._redis.config_get("appendonly", "maxmemory-policy")
        except redis.ResponseError:  # hosted servers often forbid it
            return ""
        wanted = {"appendonly": "yes", "maxmemory-policy": "noeviction"}
        wrong = [f"{name} {value}" for name, value in wanted.items() if found.get(name) != value]
        return f"set {' and '.join(wrong)} there, or a restart loses wake-ups" if wrong else ""


def _ok(detail: str) -> Found:
    return Found(Result.OK, detail)


def _ms_since(began: float) -> str:
    return f"{(time.perf_counter() - began) * 1000:.1f}"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
