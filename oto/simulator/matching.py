"""Price-time matching of users' orders against each other, the book and the tape.

Orders of one account do not meet each other: how the real exchange treats that is unknown.
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

from oto.domain.money import Price, Quantity
from oto.domain.orders import Side
from oto.simulator.liquidity import Liquidity
from oto.simulator.orders import Execution, Order
from oto.simulator.tape import TapeTrade

_NOTHING = Quantity(Decimal(0))


def other(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


@dataclass(slots=True)
class Matcher:
    """One symbol's matching; it changes `ahead` and liquidity, never an order's fills.

    Who settles an execution adds it to the orders before asking for the next one: every method
    yields one execution at a time and reads the orders anew.
    """

    liquidity: Liquidity
    resting: dict[Side, list[Order]] = field(default_factory=lambda: {Side.BUY: [], Side.SELL: []})
    last_trade_id: int = 0

    def arrive(self, order: Order, now_ms: int) -> Iterator[Execution]:
        """Let an order take what it accepts, best price first, then rest with what remains."""
        passive = other(order.side)
        self.remove(order)  # a growing pending leg arrives again with each part
        while order.live and order.remaining:
            best = self._best_for(order, passive)
            if best is None or not order.accepts(best):
                break
            yield from self._take_level(order, passive, best, now_ms)
        if order.live and order.remaining:
            ahead = self._external(order.side, order.price)
            order.ahead = Quantity(sum(ahead, _NOTHING))
            self._rest(order)

    def _take_level(
        self, order: Order, passive: Side, price: Price, now_ms: int
    ) -> Iterator[Execution]:
        # All fills of one arrival at one price share a trade id (PROTOCOL §1.5, user trades).
        trade_id = self.next_trade_id()
        for maker, offered in self._queue(order, passive, price):
            quantity = min(offered, order.remaining)
            if not (quantity and order.live):
                break
            if maker is None:
                self.liquidity.take(passive, price, quantity, now_ms)
                self._advance_queue(passive, price, quantity)
            yield Execution(trade_id, price, quantity, order.side, order, maker)

    def print_trade(self, trade: TapeTrade) -> Iterator[Execution]:
        """Let a trade of the tape meet the users' orders that stood before it."""
        trade_id = self.next_trade_id()
        taker_side = Side.SELL if trade.buyer_is_maker else Side.BUY
        passive = other(taker_side)
        left = trade.quantity
        for maker in list(self.resting[passive]):
            if maker.price != trade.price and maker.accepts(trade.price) and left:
                quantity = min(left, maker.remaining)
                left = Quantity(left - quantity)
                yield Execution(
                    trade_id, maker.price, quantity, taker_side, None, maker, on_tape=True
                )
        passed = _NOTHING
        for maker in [one for one in self.resting[passive] if one.price == trade.price]:
            before = min(left, max(_NOTHING, Quantity(maker.ahead - passed)))
            left, passed = Quantity(left - before), Quantity(passed + before)
            quantity = min(left, maker.remaining)
            left = Quantity(left - quantity)
            if quantity:
                yield Execution(
                    trade_id, maker.price, quantity, taker_side, None, maker, on_tape=True
                )
        self._advance_queue(passive, trade.price, Quantity(passed + left))

    def uncross(self, now_ms: int) -> Iterator[Execution]:
        """Fill users' orders that the moved book now crosses, at the price at which they rest."""
        for side in (Side.BUY, Side.SELL):
            for maker in list(self.resting[side]):
                best = next(self.liquidity.levels(other(side)), None)
                if best is None or not maker.accepts(best[0]):
                    break
                yield from self._meet(maker, now_ms)

    def _meet(self, maker: Order, now_ms: int) -> Iterator[Execution]:
        taker_side = other(maker.side)
        for price, orders in list(self.liquidity.levels(taker_side)):
            if not (maker.live and maker.remaining and maker.accepts(price)):
                return
            trade_id = self.next_trade_id()
            quantity = min(Quantity(sum(orders, _NOTHING)), maker.remaining)
            self.liquidity.take(taker_side, price, quantity, now_ms)
            yield Execution(trade_id, maker.price, quantity, taker_side, None, maker)

    def remove(self, order: Order) -> None:
        if order in self.resting[order.side]:
            self.resting[order.side].remove(order)

    def next_trade_id(self) -> int:
        self.last_trade_id += 1
        return self.last_trade_id

    def _rest(self, order: Order) -> None:
        falling = order.side is Side.BUY
        # At one price the earlier order stays first.
        insort(
            self.resting[order.side],
            order,
            key=lambda one: one.price.copy_negate() if falling else one.price,
        )

    def _best_for(self, taker: Order, side: Side) -> Price | None:
        others = (one.price for one in self.resting[side] if one.account is not taker.account)
        found = list(islice(others, 1))
        found += [price for price, _ in islice(self.liquidity.levels(side), 1)]
        if not found:
            return None
        return max(found) if side is Side.BUY else min(found)

    def _external(self, side: Side, price: Price) -> list[Quantity]:
        levels = self.liquidity.levels(side)
        return next((list(orders) for at, orders in levels if at == price), [])

    def _queue(self, taker: Order, side: Side, price: Price) -> list[tuple[Order | None, Quantity]]:
        """Return who rests at a price, in order of time; None is the rest of the world."""
        external = self._external(side, price)
        queue: list[tuple[Order | None, Quantity]] = []
        passed = _NOTHING
        for order in [one for one in self.resting[side] if one.price == price]:
            while external and passed < order.ahead:
                part = min(external[0], Quantity(order.ahead - passed))
                queue.append((None, part))
                passed = Quantity(passed + part)
                external[0] = Quantity(external[0] - part)
                if not external[0]:
                    external.pop(0)
            if order.account is not taker.account:
                queue.append((order, order.remaining))
        return queue + [(None, part) for part in external]

    def _advance_queue(self, side: Side, price: Price, quantity: Quantity) -> None:
        for order in self.resting[side]:
            if order.price == price:
                order.ahead = max(_NOTHING, Quantity(order.ahead - quantity))
