"""What the streams said last, until Redis has it."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from oto.domain.market import AggTrade, BookLevel, BookTop, Symbol
from oto.domain.tick import Tick


@dataclass(slots=True)
class _Followed:
    """What is known of one symbol; the ids are those of the present connection."""

    tick: Tick | None = None
    trade_id: int = -1
    update_id: int = -1


@dataclass(frozen=True, slots=True)
class Unwritten:
    """What Redis has not got yet; `pushed` are the symbols whose tick brings a new frame.

    What Redis holds of the symbols in `down` is old news, whatever its flag says.
    """

    ticks: list[Tick]
    pushed: frozenset[Symbol]
    down: frozenset[Symbol]


class LatestTicks:
    """The newest tick of each followed symbol, and which of them are still to be written.

    Safe for any number of threads.
    """

    def __init__(self, first_sequence: int) -> None:
        self._lock = threading.Lock()
        self._sequence = count(first_sequence)
        self._followed: dict[Symbol, _Followed] = {}
        self._unwritten: dict[Symbol, bool] = {}
        self._down: set[Symbol] = set()

    def follow(self, wanted: Collection[Symbol]) -> tuple[set[Symbol], set[Symbol]]:
        """Follow these symbols and no others; return those that are new and those that are gone."""
        with self._lock:
            new, gone = set(wanted) - self._followed.keys(), self._followed.keys() - set(wanted)
            for symbol in gone:
                del self._followed[symbol]
                self._unwritten.pop(symbol, None)
            self._followed |= {symbol: _Followed() for symbol in new}
            # The new as well: a process that was killed leaves its ticks flagged as connected.
            self._down |= new | gone
        return new, gone

    def take_trade(self, trade: AggTrade, received_at: datetime) -> None:
        """Note a trade; a bad tick or one older than the last is dropped."""
        with self._lock:
            known = self._followed.get(trade.symbol)
            if known is None or trade.trade_id < known.trade_id:
                return
            if not (trade.price and trade.quantity):
                return
            known.trade_id = trade.trade_id
            tick = self._live(trade.symbol, known.tick, received_at)
            known.tick = replace(tick, trade_price=trade.price, traded_at=trade.traded_at)

    def take_top(self, top: BookTop, received_at: datetime) -> None:
        """Note the best bid and ask; a top older than the last is dropped."""
        with self._lock:
            known = self._followed.get(top.symbol)
            if known is None or top.update_id < known.update_id:
                return
            known.update_id = top.update_id
            tick = self._live(top.symbol, known.tick, received_at)
            bid, ask = _filled(top.bid), _filled(top.ask)
            known.tick = replace(tick, bid=bid, ask=ask, book_changed_at=top.changed_at)

    def lose(self) -> None:
        """Flag every tick as old news, until its symbol's next push."""
        with self._lock:
            for symbol, known in self._followed.items():
                known.trade_id = known.update_id = -1
                if known.tick is not None and known.tick.connected:
                    known.tick = replace(known.tick, connected=False, sequence=next(self._sequence))
                    self._unwritten[symbol] = False

    def take_unwritten(self) -> Unwritten:
        """Return what is to be written now; it counts as written unless it is put back."""
        with self._lock:
            ticks = [tick for one in self._unwritten if (tick := self._followed[one].tick)]
            pushed = frozenset(symbol for symbol, by_push in self._unwritten.items() if by_push)
            down = frozenset(self._down)
            self._unwritten.clear()
            self._down.clear()
        return Unwritten(ticks, pushed, down)

    def put_back(self, failed: Unwritten) -> None:
        """Note that this was not written, and that Redis may have lost the rest meanwhile."""
        with self._lock:
            self._down |= failed.down
            for symbol, known in self._followed.items():
                if known.tick is not None:
                    by_push = known.tick.connected and symbol in failed.pushed
                    self._unwritten[symbol] = self._unwritten.get(symbol, False) or by_push

    def _live(self, symbol: Symbol, known: Tick | None, received_at: datetime) -> Tick:
        self._unwritten[symbol] = True
        sequence = next(self._sequence)
        if known is None:
            return Tick(symbol, sequence, connected=True, received_at=received_at)
        tick = replace(known, sequence=sequence, connected=True, received_at=received_at)
        # A trade stays a dated fact, but a top says what holds now: one from before the
        # connection was lost may have changed unseen.
        gone = not known.connected
        return replace(tick, bid=None, ask=None, book_changed_at=None) if gone else tick


def _filled(level: BookLevel) -> BookLevel | None:
    return level if level.price and level.quantity else None
