"""Jobs that meet one kind of trouble after the other; their logs are the stored corpus."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from oto.application.catch_up import CatchUp
from oto.application.write_off import Said, WriteOff
from oto.domain.job import JobState, Reason, Target, TargetKind, Wish
from oto.domain.market import Symbol
from oto.domain.money import Amount
from oto.domain.points import day_of
from oto.domain.tick import Tick
from tests.loop import Altered, Loop
from tests.simulated import AITECH

Scenario = Callable[[Loop], None]

_OUT_OF_REACH = {"bids": [["0.20000000", "9"]], "asks": [["0.30000000", "9"]]}
_BACK = ("0.22690000", "0.22700000")
_TROUBLED = (JobState.NEEDS_HUMAN, JobState.PAUSED)


class DiedError(BaseException):
    """A process ended where it stood."""


def live(loop: Loop, seconds: int) -> None:
    """Take a turn each second, with a human who resumes at once."""
    for _ in range(seconds):
        state = loop.view().job.state
        if state is JobState.COMPLETED:
            return
        if state in _TROUBLED:
            loop.wish(Wish.RUN)
        loop.turn()
        loop.pass_time(1)


def live_through(loop: Loop) -> None:
    """Go on until no order's fate is unknown any more, and a little longer."""
    live(loop, 2)
    while loop.view().job.reason is Reason.UNRESOLVED:
        live(loop, 1)
    live(loop, 2)


def finish(loop: Loop) -> None:
    """Go on until the job is completed."""
    live(loop, 120)
    assert loop.view().job.state is JobState.COMPLETED, loop.view()


def stop(loop: Loop) -> None:
    """End the job before its target."""
    live(loop, 2)
    loop.wish(Wish.STOP)
    loop.until("stopped")


def quiet(loop: Loop) -> None:
    loop.start(volume="60")
    finish(loop)


def answers_lost(loop: Loop) -> None:
    """Answers lost before and after the order was placed: absent, adopted, seen late."""
    loop.start(volume="1000")
    for kind in ("answer_lost_before", "answer_lost_after", "not_json", "missing_fields"):
        loop.exchange.fault(kind, endpoint="place_oto", count=1)
        live_through(loop)
    for after in (False, True):
        loop.exchange.fault("server_error", status=502, after=after, endpoint="place_oto", count=1)
        live_through(loop)
    stop(loop)


def seen_late(loop: Loop) -> None:
    loop.exchange.fault("late_history", delay_ms=6000, count=1)
    loop.exchange.fault("answer_lost_after", endpoint="place_oto", count=1)
    loop.start()
    finish(loop)


def partial(policy: str) -> Scenario:
    """Return the scenario of a buy that fills in part and is cancelled."""

    def scenario(loop: Loop) -> None:
        loop.exchange.control("settings", {"partial_fill": policy})
        loop.exchange.set_book(AITECH, bids=[["0.22690000", "100000"]], asks=[["0.22700000", "30"]])
        loop.start()
        loop.turns(7)
        loop.book(*_BACK)
        finish(loop)

    return scenario


def cancel_crosses_fill(loop: Loop) -> None:
    """The buy fills while its cancel is on the way."""
    real = loop.exchanges.of(loop.user_id)

    def late(*order: Any) -> Any:  # noqa: ANN401 - as the port
        loop.book(*_BACK)
        return real.cancel(*order)

    loop.exchanges.port = Altered(real, cancel=late)
    loop.exchange.set_book(AITECH, **_OUT_OF_REACH)
    loop.start()
    finish(loop)


def cancel_lost(loop: Loop) -> None:
    """Nobody sells to the buy, and the answers to its cancels are lost."""
    loop.exchange.fault("answer_lost_before", endpoint="cancel", count=2)
    loop.exchange.set_book(AITECH, **_OUT_OF_REACH)
    loop.start()
    loop.turns(14)
    loop.book(*_BACK)
    finish(loop)


def ladder(loop: Loop) -> None:
    """The market leaves the sale behind, and the first exits too."""
    loop.start()
    loop.exchange.set_book(AITECH, bids=[["0.22400000", "9"]], asks=[["0.22700000", "9000"]])
    loop.market.bid = "0.22690000"
    loop.turns(14)
    loop.exchange.fault("answer_lost_before", endpoint="place", count=1)
    loop.turns(30)
    loop.book("0.22600000", "0.22610000")
    finish(loop)


def parked(loop: Loop) -> None:
    """Tokens below the stated loss are kept, over a stop too, and sold when the price is back."""
    loop.start()
    loop.buy_before_a_fall(turns=15)
    loop.wish(Wish.STOP)
    loop.turns(2)
    loop.wish(Wish.RUN)
    loop.turns(8)
    loop.book(*_BACK)
    finish(loop)


class HaltsMidway:
    """A market that a halt comes over between the intent of the first pair and its sending."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._reads = 0

    def read(self, symbol: Symbol) -> Tick | None:
        # A turn reads before each transaction: two for the account, one for the intent.
        self._reads += 1
        if self._reads == 4:
            _halt(self._loop)
        return self._loop.market.read(symbol)


def halted(loop: Loop) -> None:
    """A halt that comes between an intent and its sending, and one while a buy is open."""
    undisturbed = loop.advance
    loop.advance = replace(undisturbed, market=HaltsMidway(loop))
    loop.exchange.set_book(AITECH, **_OUT_OF_REACH)
    loop.start()
    loop.turns(3)
    loop.advance = undisturbed
    _lift(loop)
    loop.turn()
    _halt(loop)
    loop.turns(4)
    _lift(loop)
    loop.book(*_BACK)
    finish(loop)


def paused(loop: Loop) -> None:
    loop.exchange.set_book(AITECH, **_OUT_OF_REACH)
    loop.start(volume="60")
    loop.turn()
    loop.wish(Wish.PAUSE)
    loop.until("paused")
    loop.book(*_BACK)
    finish(loop)


def new_day(loop: Loop) -> None:
    """A target in points, of which the exchange has counted some of yesterday."""
    yesterday = day_of(loop.clock.now()) - timedelta(days=1)
    loop.start(target=Target(TargetKind.POINTS, Decimal(5), Amount(Decimal(30)), yesterday))
    finish(loop)


def kept_waiting(loop: Loop) -> None:
    """Every kind of market and account that is waited out, and what the exchange refuses."""
    loop.market.silent_since = loop.clock.now() - timedelta(seconds=6)
    loop.start(volume="1000")
    loop.turns(2)
    loop.market.silent_since = None
    for bid, ask in (("0.2270", "0.2269"), ("0.2269", "0.2300"), ("0.2260", "0.2277")):
        loop.market.bid, loop.market.ask = bid, ask
        loop.turns(2)
    loop.book(*_BACK)
    loop.turns(2)
    loop.exchange.control("accounts/ann", {"funding": "5"})
    loop.turns(6)
    loop.exchange.control("accounts/ann", {"funding": "1000"})
    loop.exchange.fault("rate_limited", retry_after_s=2, endpoint="place_oto", count=1)
    loop.turns(8)
    _sql(loop, "UPDATE tokens SET halted = true")
    loop.turns(3)
    _sql(loop, "UPDATE tokens SET halted = false")
    stop(loop)


def needing_a_human(loop: Loop) -> None:
    loop.start(volume="60")
    for kind in ("session_expired", "challenge", "firewall"):
        fault = loop.exchange.fault(kind)
        loop.until("needs_human")
        loop.exchange.http.delete(f"/sim/faults?id={fault}")
        loop.wish(Wish.RUN)
    loop.exchange.fault("unknown_code", code="999777", endpoint="place_oto", count=1)
    finish(loop)


def senders_died(loop: Loop) -> None:
    """A process ends after its POST, another before it, and one is held up too long to send."""
    real = loop.exchanges.of(loop.user_id)

    def dies_after(*order: Any) -> None:  # noqa: ANN401 - as the port
        real.place_oto(*order)
        raise DiedError

    def dies_before(*_: Any) -> None:  # noqa: ANN401 - as the port
        raise DiedError

    def is_held_up(*order: Any) -> Any:  # noqa: ANN401 - as the port
        loop.clock.time += timedelta(seconds=3)
        return real.place_oto(*order)

    loop.start(volume="1000")
    for place in (dies_after, dies_before, is_held_up):
        loop.exchanges.port = Altered(real, place_oto=place)
        for _ in range(2):
            with suppress(DiedError):
                loop.turn()
            loop.pass_time(1)
        loop.exchanges.port = None
        _sql(loop, "UPDATE jobs SET lease_until = now() - interval '1 second'")
        live_through(loop)
    stop(loop)


def sold_by_hand(loop: Loop) -> None:
    """What was bought is gone from the wallet: exits are refused, and a human writes it off."""
    loop.start()
    loop.buy_before_a_fall(turns=12)
    loop.exchange.control("accounts/ann", {"tokens": {"ALPHA_373": "0"}})
    loop.book(*_BACK)
    loop.until("needs_human")
    catching = CatchUp(loop.ledger, loop.exchanges, loop.clock, loop.pass_time)
    WriteOff(catching)(loop.job_id, Said("ann", "sold in the app"))


def _halt(loop: Loop) -> None:
    _sql(loop, "INSERT INTO halts (why) VALUES ('a drill')")


def _lift(loop: Loop) -> None:
    _sql(loop, "UPDATE halts SET lifted_at = now()")


def _sql(loop: Loop, statement: str) -> None:
    with loop.engine.begin() as connection:
        connection.exec_driver_sql(statement)


SCENARIOS: Mapping[str, Scenario] = {
    "quiet": quiet,
    "answers_lost": answers_lost,
    "seen_late": seen_late,
    "partial_pending_on_full_fill": partial("pending_on_full_fill"),
    "partial_pending_on_partial": partial("pending_on_partial"),
    "partial_void_on_cancel": partial("void_on_cancel"),
    "cancel_crosses_fill": cancel_crosses_fill,
    "cancel_lost": cancel_lost,
    "ladder": ladder,
    "parked": parked,
    "halted": halted,
    "paused": paused,
    "new_day": new_day,
    "kept_waiting": kept_waiting,
    "needing_a_human": needing_a_human,
    "senders_died": senders_died,
    "sold_by_hand": sold_by_hand,
}
