"""The composition root: from settings to everything that a process needs."""

import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import redis
from celery import Celery
from pydantic import SecretStr
from sqlalchemy import Engine

from oto.application.advance_job import Advance
from oto.application.clearing import Means
from oto.application.halt import Halt
from oto.domain.errors import SentenceError
from oto.infrastructure import sabotage, servers
from oto.infrastructure.alpha.public import PublicAlpha
from oto.infrastructure.alpha.rest_market import RestMarket
from oto.infrastructure.clock import SystemClock
from oto.infrastructure.database.catalog import Catalog
from oto.infrastructure.database.engine import make_engine
from oto.infrastructure.database.halts import Halts
from oto.infrastructure.database.jobs import Jobs
from oto.infrastructure.database.leases import Leases
from oto.infrastructure.database.ledger import SqlLedger
from oto.infrastructure.database.roles import Roles
from oto.infrastructure.database.sides import Sides
from oto.infrastructure.database.users import Users
from oto.infrastructure.dispatch import CeleryDispatcher, make_celery
from oto.infrastructure.exchanges import KeptExchanges
from oto.infrastructure.redis_store.beats import Beats
from oto.infrastructure.redis_store.client import redis_client
from oto.infrastructure.redis_store.latency import Latencies
from oto.infrastructure.redis_store.market import RedisMarket
from oto.infrastructure.redis_store.ticks import TickStore
from oto.infrastructure.settings import Exchange, ExchangeUrls, Settings, load_settings
from oto.infrastructure.vault import Vault, open_vault

SIMULATOR_FILE = "simulator.json"
"""Where a running simulator of this home writes its URLs."""


class NotRunningError(SentenceError):
    """Something that must run does not; the message says what to start."""


@dataclass(frozen=True)
class House:
    """Everything of one process, each part made when it is first asked for."""

    settings: Settings

    @cached_property
    def urls(self) -> servers.ServerUrls:
        """Return where PostgreSQL and Redis are.

        Raises:
            NotRunningError: an embedded server is needed and none runs.
        """
        given = self.settings
        running = servers.running(given.home)
        database = given.database_url or (running and running.database_url)
        cache = given.redis_url or (running and running.redis_url)
        if not database or not cache:
            raise NotRunningError(
                "The system is not running here. Start it with `oto up`, or set OTO_DATABASE_URL "
                "and OTO_REDIS_URL to servers of your own."
            )
        return servers.ServerUrls(plain(database), plain(cache))

    @cached_property
    def exchange_urls(self) -> ExchangeUrls:
        """Return where the exchange is.

        Raises:
            NotRunningError: it is the simulator, and none runs.
        """
        if (chosen := self.settings.exchange_urls) is not None:
            return chosen
        try:
            found = json.loads((self.settings.home / SIMULATOR_FILE).read_text())
            return ExchangeUrls(found["rest"], found["ws"])
        except (OSError, ValueError, KeyError):
            raise NotRunningError(
                "No simulated exchange runs here. Start one with `oto up`, or set OTO_REST_URL and "
                "OTO_WS_URL."
            ) from None

    @property
    def live(self) -> bool:
        return self.settings.exchange is Exchange.LIVE

    @cached_property
    def engine(self) -> Engine:
        return make_engine(self.urls.database_url)

    @cached_property
    def redis(self) -> redis.Redis:
        return redis_client(self.urls.redis_url)

    @cached_property
    def celery(self) -> Celery:
        return make_celery(self.urls.redis_url)

    @cached_property
    def vault(self) -> Vault:
        return open_vault(self.settings.home, self.settings.master_key)

    @cached_property
    def users(self) -> Users:
        return Users(self.engine)

    @cached_property
    def jobs(self) -> Jobs:
        return Jobs(self.engine)

    @cached_property
    def catalog(self) -> Catalog:
        return Catalog(self.engine)

    @cached_property
    def roles(self) -> Roles:
        return Roles(self.engine)

    @cached_property
    def ticks(self) -> TickStore:
        return TickStore(self.redis)

    @cached_property
    def latencies(self) -> Latencies:
        return Latencies(self.redis)

    @cached_property
    def beats(self) -> Beats:
        return Beats(self.redis)

    @cached_property
    def leases(self) -> Leases:
        """Return the leases of this process, renewed until it is closed."""
        leases = Leases(self.engine)
        leases.start()
        return leases

    @cached_property
    def ledger(self) -> SqlLedger:
        return SqlLedger(self.engine, self.leases, live=self.live)

    @cached_property
    def sides(self) -> Sides:
        return Sides(self.engine)

    @cached_property
    def exchanges(self) -> KeptExchanges:
        return KeptExchanges(self.exchange_urls.rest, self.users, self.vault)

    @cached_property
    def public(self) -> PublicAlpha:
        return PublicAlpha(self.exchange_urls.rest)

    @cached_property
    def dispatcher(self) -> CeleryDispatcher:
        return CeleryDispatcher(self.celery)

    @cached_property
    def clock(self) -> SystemClock:
        return SystemClock()

    @cached_property
    def advance(self) -> Advance:
        """Return the trading loop of this process, its meter running."""
        self.latencies.start()
        return Advance(
            ledger=self.ledger,
            market=RedisMarket(self.ticks),
            exchanges=self.exchanges,
            dispatcher=self.dispatcher,
            clock=self.clock,
            meter=self.latencies,
        )

    @cached_property
    def halts(self) -> Halts:
        return Halts(self.engine)

    def halt(self) -> Halt:
        """Return what halts trading; it needs neither Redis nor workers."""
        market = RestMarket(self.public, self.clock)
        means = Means(self.ledger, market, self.exchanges, self.clock, time.sleep)
        return Halt(self.halts, means)

    def close(self) -> None:
        """Give back what this process has opened."""
        made = self.__dict__
        for name in ("leases", "latencies"):
            if name in made:
                made[name].stop()
        for name in ("exchanges", "public", "celery", "redis"):
            if name in made:
                made[name].close()
        if "engine" in made:
            self.engine.dispose()


@dataclass(frozen=True)
class DrilledHouse(House):
    """A house whose parts the drill in that folder disturbs."""

    folder: Path

    @cached_property
    def _crashes(self) -> sabotage.Crashes:
        return sabotage.Crashes(self.folder)

    @cached_property
    def ledger(self) -> SqlLedger:
        return sabotage.SabotagedLedger(self.engine, self.leases, self._crashes)

    @cached_property
    def exchanges(self) -> KeptExchanges:
        urls = self.exchange_urls
        return sabotage.SabotagedExchanges(urls.rest, self.users, self.vault, self._crashes)

    @cached_property
    def dispatcher(self) -> CeleryDispatcher:
        return sabotage.UnreliableDispatcher(self.celery, self.folder, self._crashes)

    @cached_property
    def clock(self) -> SystemClock:
        return sabotage.SteppedClock(self.folder)


def open_house(settings: Settings | None = None) -> House:
    """Return what this process needs, by its settings.

    Raises:
        SettingsError: a setting is wrong.
    """
    settings = settings or load_settings()
    return House(settings) if settings.drill is None else DrilledHouse(settings, settings.drill)


def simulator_file(home: Path) -> Path:
    return home / SIMULATOR_FILE


def plain(url: SecretStr | str | None) -> str:
    """Return an address as the libraries that connect want it, empty for none."""
    return url.get_secret_value() if isinstance(url, SecretStr) else url or ""
