"""What was sent and what came of it, in sentences."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from oto.application.explain.words import span
from oto.domain import matching

Body = Mapping[str, Any]


def placed(body: Body, order: str, after: timedelta | None) -> str:
    took = f" within {span(after)}" if after else " at once"
    return f"The {order} was sent, and the exchange took it{took} as {_orders(body)}."


def lost(body: Body, order: str) -> str:
    """Say that nobody can know whether an order exists."""
    return (
        f"The {order} was sent, and its answer was lost: {body['detail']}. Only the exchange could "
        "tell whether it was placed, so nothing else was placed on this token until that was clear."
    )


def adopted(body: Body, after: timedelta | None) -> str:
    return f"Reading the exchange showed it as {_orders(body)}{_after(after)}. It was taken over."


def absent(after: timedelta | None) -> str:
    return (
        f"At least {matching.CLEAN_READS} reads of the exchange in a row did not show it, and it "
        f"was settled{_after(after)} that it had never got there."
    )


def ambiguous(body: Body) -> str:
    """Say that what was lost cannot be told apart."""
    ids = ", ".join(body["order_ids"])
    return f"What the exchange shows cannot be matched with what was sent (orders {ids})."


def refused(body: Body, order: str) -> str:
    return f"The {order} was sent, and the exchange did not take it: {body['detail']}."


def held_back(body: Body) -> str:
    return f"Nothing was sent: {body['why']}."


def cancel(body: Body) -> str | None:
    """Say what the exchange answered to a cancel, if that is worth a sentence."""
    if body["answer"] == "accepted":
        return None
    return f"To the cancel of order {body['order_id']} the exchange answered: {body['answer']}."


def _orders(body: Body) -> str:
    ids = body["order_ids"]
    return f"order {ids[0]}" if len(ids) == 1 else f"orders {ids[0]} (buy) and {ids[1]} (sale)"


def _after(length: timedelta | None) -> str:
    return "" if length is None else f" {span(length)} after it was sent"
