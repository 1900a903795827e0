"""What drives a market: recorded trades, a recorded socket, or a seeded generator.

A tape is an iterator of events with rising times; it is read as it is played, so its length costs
no memory. Times are milliseconds of the tape itself; the exchange maps them to its own clock.
"""

import csv
import gzip
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from oto.domain import money
from oto.domain.market import SymbolRules
from oto.domain.money import Price, Quantity

# A crash recorded within one ms would otherwise repeat faster than any exchange could follow.
_LEAST_LOOP_MS = 500

Levels = tuple[tuple[Price, Quantity], ...]


class BadTapeError(ValueError):
    """A tape file that cannot be played."""


@dataclass(frozen=True, slots=True)
class TapeTrade:
    """One trade; zero price or quantity is a recorded bad tick and moves nothing."""

    at_ms: int
    price: Price
    quantity: Quantity
    buyer_is_maker: bool


@dataclass(frozen=True, slots=True)
class TapeBook:
    """Changed levels of a recorded book; `whole` replaces everything."""

    at_ms: int
    bids: Levels
    asks: Levels
    whole: bool


TapeEvent = TapeTrade | TapeBook


@dataclass(frozen=True, slots=True)
class TapeFile:
    """A tape on disk; `price_scale` multiplies its prices, for tokens in another unit."""

    path: Path
    price_scale: Decimal = Decimal(1)
    loop: bool = False

    @property
    def has_book(self) -> bool:
        """Tell whether the file records the book too, or trades only."""
        return ".jsonl" in self.path.suffixes

    def check(self, rules: SymbolRules) -> None:
        """Read the file through once, so that a bad line is found before anything plays.

        Raises:
            BadTapeError: the file or one of its lines cannot be read.
        """
        for _ in replace(self, loop=False).events(rules):
            pass

    def events(self, rules: SymbolRules) -> Iterator[TapeEvent]:
        """Play the file on a symbol's grid, again and again if looped.

        Raises:
            BadTapeError: the file or one of its lines cannot be read.
        """
        read = _socket_events if self.has_book else _csv_events
        shift = 0
        while True:
            first = last = None
            for event in read(self, rules, shift):
                first = event.at_ms if first is None else first
                last = event.at_ms
                yield event
            if first is None or last is None:
                raise BadTapeError(f"{self.path} holds no event")
            if not self.loop:
                return
            shift += max(last - first + 1, _LEAST_LOOP_MS)


def _open(path: Path) -> TextIO:
    try:
        return gzip.open(path, "rt") if path.suffix == ".gz" else path.open()
    except OSError as error:
        raise BadTapeError(f"cannot open tape {path}: {error.strerror}") from error


def _csv_events(tape: TapeFile, rules: SymbolRules, shift: int) -> Iterator[TapeEvent]:
    line = 1
    try:
        with _open(tape.path) as file:
            for row in csv.DictReader(file):
                line += 1
                yield TapeTrade(
                    int(row["ts_ms"]) + shift,
                    _on_tick(rules, row["price"], tape.price_scale),
                    _on_step(rules, row["qty"]),
                    row["is_buyer_maker"].strip().lower() in {"true", "1"},
                )
    except (KeyError, TypeError, ValueError, OSError, AttributeError, EOFError) as error:
        wanted = "ts_ms,price,qty,is_buyer_maker"
        raise BadTapeError(f"{tape.path} line {line}: expected {wanted} ({error})") from error


def _socket_events(tape: TapeFile, rules: SymbolRules, shift: int) -> Iterator[TapeEvent]:
    line = 0
    try:
        with _open(tape.path) as file:
            for row in file:
                line += 1
                local_ns, _, text = row.partition(" ")
                at_ms = int(local_ns) // 1_000_000 + shift
                found = _socket_event(json.loads(text), at_ms, rules, tape.price_scale)
                if found is not None:
                    yield found
    except (KeyError, TypeError, ValueError, OSError, AttributeError, EOFError) as error:
        wanted = "`local_ns {json}`"
        raise BadTapeError(f"{tape.path} line {line}: expected {wanted} ({error})") from error


def _socket_event(
    message: dict[str, Any], at_ms: int, rules: SymbolRules, scale: Decimal
) -> TapeEvent | None:
    if "lastUpdateId" in message:
        bids, asks = (_levels(rules, message[side], scale) for side in ("bids", "asks"))
        return TapeBook(at_ms, bids, asks, whole=True)
    push = message["data"]
    match push.get("e"):
        case "depthUpdate":
            bids, asks = (_levels(rules, push[side], scale) for side in ("b", "a"))
            return TapeBook(at_ms, bids, asks, whole=False)
        case "trade" | "aggTrade":
            price, quantity = _on_tick(rules, push["p"], scale), _on_step(rules, push["q"])
            return TapeTrade(at_ms, price, quantity, push["m"])
        case _:
            return None  # a bookTicker repeats what depth and trades tell


def _levels(rules: SymbolRules, rows: Iterable[list[str]], scale: Decimal) -> Levels:
    # Levels that fall on one tick after scaling are one level.
    merged: dict[Price, Quantity] = {}
    for at, of in rows:
        price = _on_tick(rules, at, scale)
        quantity = rules.quantity_floor(money.decimal_from_text(of))
        merged[price] = Quantity(merged.get(price, Quantity(Decimal(0))) + quantity)
    return tuple(merged.items())


def _on_tick(rules: SymbolRules, text: str, scale: Decimal) -> Price:
    return rules.price_floor(money.price(text) * scale)


def _on_step(rules: SymbolRules, text: str) -> Quantity:
    exact = money.quantity(text)
    return max(rules.quantity_floor(exact), Quantity(rules.lot_step)) if exact else exact


@dataclass(frozen=True, slots=True)
class Mood:
    """How a generated market behaves; moves are in millionths of the price per trade.

    Origin: by eye, against the recorded tapes (quiet: ±0.05 % a minute; crash: -35 % in seconds).
    """

    move: int
    pause_ms: int
    fall: int = 0
    fall_every: int = 0
    gap_every: int = 0
    gap_ms: int = 0


MOODS = {
    "calm": Mood(move=30, pause_ms=400),
    "choppy": Mood(move=600, pause_ms=250),
    "crash": Mood(move=60, pause_ms=250, fall=350_000, fall_every=600),
    "gap": Mood(move=60, pause_ms=400, gap_every=300, gap_ms=90_000),
}


def generated(mood: Mood, rules: SymbolRules, start: Price, seed: str) -> Iterator[TapeEvent]:
    """Walk around a first price for ever, the same way for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a market, not a secret
    anchor = ticks = max(1, int(start / rules.tick_size))
    at_ms = 0
    fallen = 0
    for number in count(1):
        at_ms += chance.randint(1, 2 * mood.pause_ms)
        if mood.gap_every and number % mood.gap_every == 0:
            at_ms += mood.gap_ms
        if mood.fall_every and number % mood.fall_every == 0:
            fallen = 8
        span = max(1, ticks * mood.move // 1_000_000)
        # A pull towards the anchor keeps the walk from wandering off in a long run.
        pull = (anchor - ticks) // 2_000
        ticks = max(1, ticks + chance.randint(-span, span) + pull)
        if fallen:
            ticks = max(1, ticks - ticks * mood.fall // 8 // 1_000_000)
            fallen -= 1
        price = Price(ticks * rules.tick_size)
        notional = Decimal(chance.choice((5, 20, 60, 200, 800)) * chance.randint(50, 150)) / 100
        quantity = max(rules.quantity_floor(notional / price), Quantity(rules.lot_step))
        yield TapeTrade(at_ms, price, quantity, chance.random() < 0.5)  # noqa: PLR2004 - a coin
