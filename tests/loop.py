"""The trading loop in a test: real PostgreSQL, a stepped exchange over HTTP, time by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, text

from oto.application.advance_job import Advance, Outcome
from oto.application.audit import Audit, UserLedger, audit
from oto.application.ports import Wake
from oto.application.refresh import refresh_catalog
from oto.domain.cycle import Cycle
from oto.domain.job import Job, JobId, Target, TargetKind, UserId, Wish
from oto.domain.market import BookLevel, Symbol
from oto.domain.money import Amount, price, quantity
from oto.domain.tick import Tick
from oto.infrastructure.alpha.client import Limits
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.public import PublicAlpha
from oto.infrastructure.alpha.transport import Settings
from oto.infrastructure.alpha.user_exchange import UserExchange
from oto.infrastructure.database.catalog import Catalog
from oto.infrastructure.database.engine import make_engine
from oto.infrastructure.database.jobs import Jobs, JobView
from oto.infrastructure.database.leases import Leases
from oto.infrastructure.database.ledger import SqlLedger
from oto.infrastructure.database.users import Users
from tests.simulated import AITECH, Exchange

ONCE = Settings(limits=Limits(read_s=2, whole_s=5), attempts=1)
FUNDING = Decimal(1000)


@dataclass(slots=True)
class HandClock:
    """Time that the test moves."""

    time: datetime

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


@dataclass(slots=True)
class HandMarket:
    """Prices that the test sets; fresh for ever unless it says otherwise."""

    clock: HandClock
    bid: str = "0.22690"
    ask: str = "0.22700"
    silent_since: datetime | None = None

    def read(self, symbol: Symbol) -> Tick | None:
        return Tick(
            symbol=symbol,
            sequence=1,
            connected=True,
            received_at=self.silent_since or self.clock.now(),
            trade_price=price(self.bid),
            traded_at=self.clock.now(),
            bid=BookLevel(price(self.bid), quantity("1000000")),
            ask=BookLevel(price(self.ask), quantity("1000000")),
        )


@dataclass(slots=True)
class Wakes:
    """Takes wake-ups and delivers none: the test says when a turn is taken."""

    sent: list[Wake] = field(default_factory=list)

    def wake(self, wake: Wake, delay_s: float = 0) -> None:
        del delay_s
        self.sent.append(wake)


class NoMeter:
    def record(self, name: str, milliseconds: float) -> None:
        """Forget it."""


@dataclass(slots=True)
class OneExchange:
    alpha: PrivateAlpha
    port: Any = None

    def of(self, user_id: UserId) -> Any:  # noqa: ANN401 - a port that a test may replace
        del user_id
        return self.port or UserExchange(self.alpha)


class Altered:
    """A user's exchange of which a test replaces some calls."""

    def __init__(self, real: Any, **calls: Any) -> None:  # noqa: ANN401 - ports and callables
        self._real = real
        self._calls = calls

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return self._calls.get(name) or getattr(self._real, name)


@dataclass(slots=True)
class Loop:
    """One user, one job at a time, and everything that a test does to them."""

    exchange: Exchange
    engine: Engine
    clock: HandClock
    market: HandMarket
    wakes: Wakes
    ledger: SqlLedger
    jobs: Jobs
    users: Users
    user_id: UserId
    exchanges: OneExchange
    advance: Advance
    job_id: JobId

    def book(self, bid: str, ask: str, depth: str = "1000000") -> None:
        """Set the market: the exchange's book, and what the streams say of it."""
        self.exchange.set_book(AITECH, bids=[[bid, depth]], asks=[[ask, depth]])
        self.market.bid, self.market.ask = bid, ask

    def start(self, volume: str = "20", order_size: str = "20", **changes: Any) -> JobId:  # noqa: ANN401
        job = Job(
            JobId(0),
            self.user_id,
            AITECH,
            Target(TargetKind.VOLUME, Decimal(volume)),
            Amount(Decimal(order_size)),
            "cross",
            300,
        )
        self.job_id = self.jobs.start(replace(job, **changes)).job_id
        with self.engine.begin() as connection:
            # The test's time is not the database's.
            connection.execute(text("UPDATE jobs SET created_at = :at"), {"at": self.clock.now()})
        return self.job_id

    def turn(self) -> Outcome:
        """Take the job's next turn now, whenever it would be due."""
        with self.engine.begin() as connection:
            epoch = connection.execute(
                text("UPDATE jobs SET due_at = now() WHERE id = :id RETURNING epoch"),
                {"id": self.job_id},
            ).scalar_one()
        return self.advance(Wake(self.job_id, epoch))

    def pass_time(self, seconds: float) -> None:
        """Move the exchange's clock and ours."""
        self.exchange.step(int(seconds * 1000))
        self.clock.time += timedelta(seconds=seconds)

    def turns(self, number: int, apart_s: float = 1.0) -> None:
        for _ in range(number):
            self.turn()
            self.pass_time(apart_s)

    def buy_before_a_fall(self, turns: int) -> None:
        """Let the first buy fill and the market fall by an eighth, then take turns."""
        self.exchange.set_book(AITECH, bids=[["0.20000000", "9000"]], asks=[["0.22700000", "9000"]])
        self.turn()
        self.book("0.20000000", "0.20010000")
        self.turns(turns)

    def until(self, state: str, most_s: int = 120) -> JobView:
        """Take a turn each second until the job stands in a state."""
        for _ in range(most_s):
            if self.view().job.state.value == state:
                return self.view()
            self.turn()
            self.pass_time(1)
        raise AssertionError(f"not {state} but {self.view()}")

    def wish(self, wish: Wish) -> None:
        self.jobs.wish(self.job_id, wish)

    def view(self) -> JobView:
        return self.jobs.view(self.job_id)

    def cycles(self) -> list[Cycle]:
        return self.jobs.cycles(self.job_id)

    def audit(self) -> Audit:
        view = self.view()
        own = UserLedger("ann", view.job.symbol, "ALPHA_373", FUNDING, self.cycles())
        return audit(self.exchange.truth(), [own])


@contextmanager
def running_loop(database_url: str, exchange: Exchange) -> Iterator[Loop]:
    """Give a user a funded account, a market and a loop that trades it."""
    engine = make_engine(database_url)
    now_ms = exchange.http.get("/sim/health").json()["now_ms"]
    clock = HandClock(datetime.fromtimestamp(now_ms / 1000, UTC))
    users, leases = Users(engine), Leases(engine)
    ledger = SqlLedger(engine, leases, live=False)
    given = exchange.credentials("ann", funding=str(FUNDING))
    alpha = PrivateAlpha(
        exchange.rest, Credentials(given["headers"], given["cookies"]), settings=ONCE
    )
    with PublicAlpha(exchange.rest, settings=ONCE) as public, alpha:
        refresh_catalog(public, Catalog(engine), clock)
        market, wakes, exchanges = HandMarket(clock), Wakes(), OneExchange(alpha)
        loop = Loop(
            exchange=exchange,
            engine=engine,
            clock=clock,
            market=market,
            wakes=wakes,
            ledger=ledger,
            jobs=Jobs(engine),
            users=users,
            user_id=users.add("ann").user_id,
            exchanges=exchanges,
            advance=Advance(ledger, market, exchanges, wakes, clock, NoMeter()),
            job_id=JobId(0),
        )
        loop.book("0.22690000", "0.22700000")
        yield loop
    engine.dispose()
