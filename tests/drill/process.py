"""The process that takes turns: what can happen to it, and the world as it sees it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from oto.domain.account import AlphaHolding, AssetWallets
from oto.domain.errors import ExchangeError, RefusedError
from oto.domain.leg import LegFill
from oto.domain.market import AlphaId, Symbol
from oto.domain.money import Amount
from oto.domain.orders import LimitOrder, OrderId, OrderRow, OtoOrder, PlacedOto
from oto.domain.risk.verdict import Approved
from oto.infrastructure.alpha.user_exchange import UserExchange
from tests.drill import faults
from tests.drill.agenda import Agenda
from tests.drill.faults import Chance, Fault
from tests.drill.story import Story
from tests.drill.wire import Wire
from tests.memory_ledger import Killed

T = TypeVar("T")

_LATENCY_MS = (2, 150)
_NO_ANSWER_MS = 10_000
_HELD_MS = (5_200, 30_000)
_PLACING_PER_MILLE, _CANCEL_PER_MILLE, _READ_PER_MILLE, _PROCESS_PER_MILLE = 700, 350, 40, 40


@dataclass(slots=True)
class DrillClock:
    """The host's clock: stepped now and then; its monotonic time is not."""

    agenda: Agenda
    skew: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.agenda.now + self.skew

    def monotonic(self) -> float:
        return self.agenda.now_ms / 1000


@dataclass(slots=True)
class Process:
    """What strikes a process between two of its steps; `renew` keeps the lease of its turn."""

    agenda: Agenda
    chance: Chance
    story: Story
    clock: DrillClock
    renew: Callable[[], None] = lambda: None

    def may_suffer(self, weights: Mapping[Fault, int], per_mille: int, where: str) -> Fault | None:
        """Draw a fault, and suffer it if it is one of the process itself.

        Raises:
            Killed: the process is gone.
        """
        fault = self.chance.of(weights, per_mille)
        if fault is None:
            return None
        self.story.strike(fault, where)
        if fault is Fault.KILLED:
            raise Killed
        if fault is Fault.HELD_UP:
            self.agenda.pass_time(self.chance.ms(*_HELD_MS))
        elif fault is Fault.CLOCK_STEPPED:
            self.clock.skew = timedelta(seconds=self.chance.random.choice([-5, 0, 5]))
        return fault

    def wait(self, ms: int) -> None:
        """Let time pass for a process that lives."""
        while ms > 0:
            self.renew()
            self.agenda.pass_time(min(ms, 1_000))
            ms -= 1_000


class FaultyExchange:
    """The port `Exchange`: the real adapter, with faults around and below each call."""

    def __init__(self, real: UserExchange, wire: Wire, process: Process, very_late: int) -> None:
        self._real = real
        self._wire = wire
        self._process = process
        self._chance = process.chance
        self._place_oto = {**faults.WRITE, Fault.VERY_LATE: very_late}

    def place_oto(self, approved: Approved[OtoOrder], may_send: Callable[[], bool]) -> PlacedOto:
        def place() -> PlacedOto:
            return self._real.place_oto(approved, may_send)

        return self._call(place, "place an OTO", self._place_oto, _PLACING_PER_MILLE)

    def place_exit(self, approved: Approved[LimitOrder], may_send: Callable[[], bool]) -> OrderId:
        def place() -> OrderId:
            return self._real.place_exit(approved, may_send)

        try:
            return self._call(place, "place an exit", faults.WRITE, _PLACING_PER_MILLE)
        except RefusedError:
            self._process.story.refused_exits += 1
            raise

    def cancel(self, symbol: Symbol, order_id: OrderId) -> None:
        def cancel() -> None:
            self._real.cancel(symbol, order_id)

        self._call(cancel, f"cancel {order_id}", faults.WRITE, _CANCEL_PER_MILLE)

    def open_orders(self) -> Sequence[OrderRow]:
        return self._read(self._real.open_orders, "open orders")

    def closed_orders(
        self, base_asset: AlphaId | None, start_at: datetime, end_at: datetime
    ) -> Sequence[OrderRow]:
        return self._read(
            lambda: self._real.closed_orders(base_asset, start_at, end_at), "closed orders"
        )

    def fills(self, symbol: Symbol, order_id: OrderId) -> Sequence[LegFill]:
        return self._read(lambda: self._real.fills(symbol, order_id), "fills")

    def usdt_wallets(self) -> AssetWallets:
        return self._read(self._real.usdt_wallets, "wallets")

    def alpha_holdings(self) -> Sequence[AlphaHolding]:
        return self._read(self._real.alpha_holdings, "holdings")

    def terms_accepted(self) -> bool:
        return self._read(self._real.terms_accepted, "terms")

    def counted_today(self) -> Amount:
        return self._read(self._real.counted_today, "counted volume")

    def _read(self, call: Callable[[], T], what: str) -> T:
        return self._call(call, what, faults.READ, _READ_PER_MILLE)

    def _call(
        self, call: Callable[[], T], what: str, weights: Mapping[Fault, int], per_mille: int
    ) -> T:
        process = self._process
        process.may_suffer(faults.PROCESS, _PROCESS_PER_MILLE, f"before: {what}")
        fault = self._chance.of(weights, per_mille)
        try:
            with self._wire.struck(fault):
                answer = call()
        except ExchangeError as error:
            process.story.tell(f"  {what}: {type(error).__name__} {error}")
            self._after(fault, what)
            raise
        self._after(fault, what)
        return answer

    def _after(self, fault: Fault | None, what: str) -> None:
        process = self._process
        if fault is not None:
            process.story.strike(fault, f"at: {what}")
        late = fault in {Fault.LATE, Fault.VERY_LATE}
        process.wait(_NO_ANSWER_MS if late else self._chance.ms(*_LATENCY_MS))
        process.may_suffer(faults.PROCESS, _PROCESS_PER_MILLE, f"after: {what}")


@dataclass(slots=True)
class OneUser:
    exchange: FaultyExchange

    def of(self, user_id: object) -> FaultyExchange:
        del user_id
        return self.exchange


def survives(step: Callable[[], object], story: Story) -> None:
    """Take a step of a process that may be killed in it."""
    with suppress(Killed):
        step()
        return
    story.tell("  the process is gone")
