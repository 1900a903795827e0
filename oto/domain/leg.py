"""One order of a cycle: what it can be, what can happen to it, what was seen of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import NewType

from oto.domain.errors import ExchangeError
from oto.domain.money import Amount, Price, Quantity
from oto.domain.orders import OrderId, OrderListId, OrderStatus, Side

LegId = NewType("LegId", int)

_NO_BASE = Quantity(Decimal(0))
_NO_QUOTE = Amount(Decimal(0))


class LegKind(Enum):
    """What an order is for in its cycle."""

    WORKING = "working"
    PENDING = "pending"
    EXIT = "exit"

    @property
    def side(self) -> Side:
        return Side.BUY if self is LegKind.WORKING else Side.SELL


class LegState(Enum):
    """What we know of an order; the words are for a person."""

    PLANNED = "planned"
    """The intent is stored; nothing was sent."""
    SENDING = "sending"
    """One POST is under way, or its answer was lost with the process that sent it."""
    UNKNOWN = "unknown"
    """The POST may or may not have had its effect."""
    INACTIVE = "inactive"
    """A pending leg that its working leg has not triggered."""
    LIVE = "live"
    """Among the exchange's open orders, and can be filled."""
    CANCELLING = "cancelling"
    """A cancel was sent; the executed quantity may still grow."""
    FILLED = "filled"
    """Executed whole."""
    ENDED = "ended"
    """Cancelled, expired or rejected by the exchange; what it executed is final."""
    REFUSED = "refused"
    """Refused by the exchange, or held back before it was sent: nothing was placed."""
    ABSENT = "absent"
    """Proven never to have reached the exchange."""
    DISCARDED = "discarded"
    """Never sent, or turned away for now: nothing was placed."""


OPEN = frozenset({LegState.INACTIVE, LegState.LIVE, LegState.CANCELLING})
"""States of an order that the exchange still has among its open orders."""

UNRESOLVED = frozenset({LegState.SENDING, LegState.UNKNOWN})

FINAL = frozenset(
    {
        LegState.FILLED,
        LegState.ENDED,
        LegState.REFUSED,
        LegState.ABSENT,
        LegState.DISCARDED,
    }
)


class LegEvent(Enum):
    SEND = "send"
    ACCEPT = "accept"
    REFUSE = "refuse"
    LOSE = "lose"
    PROVE_ABSENT = "prove absent"
    DISCARD = "discard"
    HOLD = "hold"
    """Accepted as a pending leg: it waits for its working leg."""
    ACTIVATE = "activate"
    CANCEL = "cancel"
    FILL = "fill"
    END = "end"


_S, _E = LegState, LegEvent

TRANSITIONS: Mapping[tuple[LegState, LegEvent], LegState] = {
    (_S.PLANNED, _E.SEND): _S.SENDING,
    (_S.PLANNED, _E.DISCARD): _S.DISCARDED,
    # It was turned away for now, or not sent at all: the same may be tried again.
    (_S.SENDING, _E.DISCARD): _S.DISCARDED,
    (_S.SENDING, _E.ACCEPT): _S.LIVE,
    (_S.SENDING, _E.HOLD): _S.INACTIVE,
    (_S.SENDING, _E.REFUSE): _S.REFUSED,
    (_S.SENDING, _E.LOSE): _S.UNKNOWN,
    (_S.UNKNOWN, _E.ACCEPT): _S.LIVE,
    (_S.UNKNOWN, _E.HOLD): _S.INACTIVE,
    (_S.UNKNOWN, _E.PROVE_ABSENT): _S.ABSENT,
    (_S.INACTIVE, _E.ACTIVATE): _S.LIVE,
    # A pending leg can be seen filled without having been seen live: the reports between are lost.
    (_S.INACTIVE, _E.FILL): _S.FILLED,
    (_S.INACTIVE, _E.CANCEL): _S.CANCELLING,
    (_S.INACTIVE, _E.END): _S.ENDED,
    (_S.LIVE, _E.CANCEL): _S.CANCELLING,
    (_S.LIVE, _E.FILL): _S.FILLED,
    (_S.LIVE, _E.END): _S.ENDED,
    # The cancel was late.
    (_S.CANCELLING, _E.FILL): _S.FILLED,
    (_S.CANCELLING, _E.END): _S.ENDED,
}


class ImpossibleTransitionError(ValueError):
    """Something happened that cannot happen in that state."""

    def __init__(self, state: str, event: str) -> None:
        super().__init__(state, event)
        self.state = state
        self.event = event

    def __str__(self) -> str:
        return f"{self.event!r} cannot happen in state {self.state!r}"


class StrangeStatusError(ExchangeError):
    """An order stands in a status that nobody has documented."""


@dataclass(frozen=True, slots=True)
class LegFill:
    """One fill of a leg; `fee` is base for a BUY and quote for a SELL.

    A fill is told by a report (`event_id`), by a REST row (`page_id`), or by both.
    """

    trade_id: str
    price: Price
    quantity: Quantity
    quote: Amount
    fee: Decimal
    fee_asset: str
    filled_at: datetime
    event_id: int | None = None
    page_id: str | None = None

    def same_execution(self, other: "LegFill") -> bool:
        """Tell whether two tellings can be of one execution: all that both tell is equal."""
        return (self.trade_id, self.price, self.quantity, self.quote, self.fee) == (
            other.trade_id,
            other.price,
            other.quantity,
            other.quote,
            other.fee,
        )


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """What a report or a row of REST says of an order at one moment."""

    order_id: OrderId
    list_id: OrderListId | None
    status: OrderStatus
    quantity: Quantity
    executed: Quantity


@dataclass(frozen=True, slots=True)
class Leg:
    """One order of a cycle.

    `executed` is the highest cumulative quantity that was seen; `fills` may lag behind it.
    `quantity` of a pending leg is what the exchange gave it, zero until it is active.
    """

    leg_id: LegId
    kind: LegKind
    price: Price
    quantity: Quantity
    state: LegState = LegState.PLANNED
    order_id: OrderId | None = None
    list_id: OrderListId | None = None
    executed: Quantity = _NO_BASE
    sent_at: datetime | None = None
    cancel_sent_at: datetime | None = None
    clean_reads: int = 0
    fills: tuple[LegFill, ...] = ()

    @property
    def side(self) -> Side:
        return self.kind.side

    @property
    def filled_quantity(self) -> Quantity:
        return Quantity(sum((fill.quantity for fill in self.fills), _NO_BASE))

    @property
    def filled_quote(self) -> Amount:
        return Amount(sum((fill.quote for fill in self.fills), _NO_QUOTE))

    @property
    def fees(self) -> Decimal:
        """Sum of the fees: base for a BUY, quote for a SELL."""
        return sum((fill.fee for fill in self.fills), Decimal(0))

    @property
    def fills_complete(self) -> bool:
        return self.filled_quantity == self.executed

    @property
    def overfilled(self) -> bool:
        """Tell whether a final leg's fills exceed what it executed.

        Then two tellings of one fill were not paired.
        """
        return self.final and self.filled_quantity > self.executed

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def final(self) -> bool:
        return self.state in FINAL


def after(leg: Leg, event: LegEvent) -> Leg:
    """Return the leg after an event.

    Raises:
        ImpossibleTransitionError: the event cannot happen in the leg's state.
    """
    following = TRANSITIONS.get((leg.state, event))
    if following is None:
        raise ImpossibleTransitionError(leg.state.value, event.value)
    return replace(leg, state=following)


_ENDED = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED})


def seen(leg: Leg, order: SeenOrder) -> Leg:
    """Return the leg after what was seen of it; old news and repetitions change nothing.

    Reports come doubled and out of order, and REST rows lag behind reports, so the executed
    quantity only grows and a final state stays.

    Raises:
        StrangeStatusError: a status that we do not know.
    """
    if order.status is OrderStatus.UNKNOWN:
        raise StrangeStatusError(f"order {order.order_id} stands in a status that is not known")
    grown = replace(
        leg,
        order_id=order.order_id,
        list_id=leg.list_id or order.list_id,
        executed=max(leg.executed, order.executed),
        # Only the exchange knows how much a pending leg sells.
        quantity=max(leg.quantity, order.quantity) if leg.kind is LegKind.PENDING else leg.quantity,
    )
    event = _event_of(grown, order.status)
    return grown if event is None else after(grown, event)


def _event_of(leg: Leg, status: OrderStatus) -> LegEvent | None:
    if leg.state in FINAL or leg.state not in OPEN:
        return None
    if status is OrderStatus.FILLED:
        return LegEvent.FILL
    if status in _ENDED:
        return LegEvent.END
    if leg.state is LegState.INACTIVE and status is not OrderStatus.PENDING:
        return LegEvent.ACTIVATE
    return None


def with_fill(leg: Leg, told: LegFill) -> Leg:
    """Return the leg with one told fill: new, or the other telling of one that is there.

    Sub-fills of one trade can be equal in every figure, so each telling is paired with at most one
    of the other kind; a second telling by the same report or row changes nothing.
    """
    if any(_told_by_same(fill, told) for fill in leg.fills):
        return leg
    for place, fill in enumerate(leg.fills):
        if fill.same_execution(told) and _completes(fill, told):
            both = replace(
                fill,
                event_id=fill.event_id if told.event_id is None else told.event_id,
                page_id=fill.page_id if told.page_id is None else told.page_id,
            )
            return replace(leg, fills=(*leg.fills[:place], both, *leg.fills[place + 1 :]))
    return replace(leg, fills=(*leg.fills, told))


def _told_by_same(fill: LegFill, told: LegFill) -> bool:
    same_event = told.event_id is not None and fill.event_id == told.event_id
    return same_event or (told.page_id is not None and fill.page_id == told.page_id)


def _completes(fill: LegFill, told: LegFill) -> bool:
    return (fill.event_id is None) != (told.event_id is None) and (fill.page_id is None) != (
        told.page_id is None
    )
