"""The simulated exchange: its clock, its markets, its accounts and its books of record.

Nothing here reads a real clock or a socket: `advance` moves time, requests come as method calls,
and what the exchange pushes is collected in `outbox`. Same seed, tapes and calls, same truth.
"""

import heapq
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from oto.domain.market import Symbol
from oto.domain.money import Amount
from oto.simulator.accounts import Account, Wallet
from oto.simulator.bars import MarketTrade
from oto.simulator.faults import FaultBox
from oto.simulator.market import Market
from oto.simulator.orders import Order
from oto.simulator.refusals import Code, Refusal
from oto.simulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Traded:
    """A trade to push to the symbol's market streams."""

    symbol: Symbol
    trade: MarketTrade


@dataclass(frozen=True, slots=True)
class BookMoved:
    """The symbol's book may look different now."""

    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Reported:
    """A report to push to one account's user stream."""

    account: Account
    report: dict[str, Any]


Emission = Traded | BookMoved | Reported


@dataclass(frozen=True, slots=True)
class Post:
    """One placement that arrived, whatever became of it; its symbol is "" if unreadable."""

    at_ms: int
    endpoint: str
    user: str
    symbol: str


class Exchange:
    """Everything that the exchange knows; what happens in it is in `trading` and `playing`."""

    def __init__(self, settings: Settings, *, seed: int, start_ms: int) -> None:
        self.seed = seed
        self.settings = settings
        self.faults = FaultBox(seed)
        self.now_ms = self.start_ms = start_ms
        self.outbox: list[Emission] = []
        self.posts: list[Post] = []
        self.accounts: dict[str, Account] = {}
        self.orders: dict[tuple[Symbol, int], Order] = {}
        self._orders_of: dict[str, list[Order]] = {}
        self.last_event_id = 50_000_000_000 + zlib.crc32(b"%d" % seed)
        self.last_list_id = 1_393_000_000
        self.last_client_id = 0
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._agenda_numbers = count()
        self.markets: dict[Symbol, Market] = {}

    def advance(self, to_ms: int, most_events: int | None = None) -> None:
        """Let everything happen that is due up to a time, in the order of time.

        With a bound it may stop on the way; the clock then stands where it stopped.
        """
        happened = 0
        while self._agenda and self._agenda[0][0] <= to_ms:
            if happened == most_events:
                return
            due_ms, _, act = heapq.heappop(self._agenda)
            self.now_ms = max(self.now_ms, due_ms)
            act()
            happened += 1
        self.now_ms = max(self.now_ms, to_ms)

    @property
    def next_due_ms(self) -> int | None:
        return self._agenda[0][0] if self._agenda else None

    def at(self, due_ms: int, act: Callable[[], None]) -> None:
        """Put something on the agenda; what is due at one time happens in the order it came."""
        heapq.heappush(self._agenda, (due_ms, next(self._agenda_numbers), act))

    def next_event_id(self) -> int:
        self.last_event_id += 1
        return self.last_event_id

    def add_account(self, name: str, balance: Amount) -> Account:
        account = Account(name, 1_000_001 + len(self.accounts), str(self.seed), Wallet(balance))
        self.accounts[account.session_token] = account
        return account

    def market(self, symbol: str) -> Market:
        """Return a listed market.

        Raises:
            Refusal: the symbol is not listed.
        """
        found = self.markets.get(Symbol(symbol))
        if found is None:
            raise Refusal(Code.NOT_FOUND)
        return found

    def orders_of(self, account: Account) -> list[Order]:
        """Return every order of an account, oldest first."""
        return self._orders_of.setdefault(account.name, [])

    def open_orders_of(self, account: Account) -> list[Order]:
        """Return the open orders of an account, oldest first."""
        account.open_orders = [order for order in account.open_orders if order.open]
        return account.open_orders

    def remember(self, order: Order) -> None:
        self.orders[order.symbol, order.order_id] = order
        self.orders_of(order.account).append(order)
        order.account.open_orders.append(order)

    def emit(self, emission: Emission) -> None:
        self.outbox.append(emission)
