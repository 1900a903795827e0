"""Compares the ledger with what the exchange says really happened, order by order."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from oto.domain import wear
from oto.domain.cycle import Cycle
from oto.domain.leg import Leg
from oto.domain.orders import Side

Key = tuple[str, str, str]
"""User, symbol and order id: what names an order."""

_Fill: TypeAlias = tuple[Decimal, Decimal, Decimal, Decimal, str]
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class UserLedger:
    """What the ledger has of one user on one symbol; `funding_before` is USDT at the start."""

    user: str
    symbol: str
    base_asset: str
    funding_before: Decimal
    cycles: Sequence[Cycle]


@dataclass(frozen=True, slots=True)
class Audit:
    """What differs; `differences` are sentences, none of them is what it should be.

    A duplicate is an order that stands beside another of the same intent; an orphan one that the
    ledger does not know at all. A lost fill is on the exchange alone, a doubled one in the ledger
    more often than there. Volume and wear differ by so much USDT, all users' differences added.
    """

    placed: int
    duplicates: int
    orphans: int
    open_orders: int
    differences: tuple[str, ...]
    lost_fills: int = 0
    doubled_fills: int = 0
    volume_difference: Decimal = _NOTHING
    wear_difference: Decimal = _NOTHING

    @property
    def equal(self) -> bool:
        return not (self.differences or self.duplicates or self.orphans)


def audit(truth: Mapping[str, Any], ledgers: Iterable[UserLedger]) -> Audit:
    """Compare every order, fill and wallet of the users with the simulator's truth."""
    ledgers = list(ledgers)
    users = {ledger.user for ledger in ledgers}
    real = {_key(order): order for order in truth["orders"] if order["user"] in users}
    legs = dict(_legs(ledgers))
    unknown = [order for key, order in real.items() if key not in legs]
    intents = {(key[0], key[1], leg.price, leg.quantity) for key, leg in legs.items()}
    duplicates = [order for order in unknown if _intent(order) in intents]
    differences = [
        *(f"{key}: the exchange has no such order" for key in legs if key not in real),
        *(
            f"{key}: {text}"
            for key in legs
            if key in real
            for text in _compare(legs[key], real[key])
        ),
        *(text for ledger in ledgers for text in _compare_wallets(ledger, truth)),
    ]
    lost, doubled = _fill_differences(legs, real)
    figures = [_figures(ledger, truth) for ledger in ledgers]
    return Audit(
        lost_fills=lost,
        doubled_fills=doubled,
        volume_difference=sum((volume for volume, _ in figures), _NOTHING),
        wear_difference=sum((cost for _, cost in figures), _NOTHING),
        placed=len({_posted(order) for order in real.values()}),
        duplicates=len(duplicates),
        orphans=len(unknown) - len(duplicates),
        open_orders=sum(
            order["status"] in {"NEW", "PARTIALLY_FILLED", "PENDING"} for order in real.values()
        ),
        differences=tuple(differences),
    )


def _key(order: Mapping[str, Any]) -> Key:
    return order["user"], order["symbol"], order["order_id"]


def _intent(order: Mapping[str, Any]) -> tuple[str, str, Decimal, Decimal]:
    return order["user"], order["symbol"], Decimal(order["price"]), Decimal(order["quantity"])


def _posted(order: Mapping[str, Any]) -> tuple[str, str, str]:
    """Both legs of an OTO came with one POST."""
    return order["user"], order["symbol"], order["order_list_id"] or order["order_id"]


def _legs(ledgers: Iterable[UserLedger]) -> Iterable[tuple[Key, Leg]]:
    for ledger in ledgers:
        for cycle in ledger.cycles:
            for leg in cycle.legs:
                if leg.order_id is not None:
                    yield (ledger.user, ledger.symbol, leg.order_id), leg


def _compare(leg: Leg, order: Mapping[str, Any]) -> list[str]:
    checks = {
        "side": (leg.side.value, order["side"]),
        "price": (leg.price, Decimal(order["price"])),
        "executed": (leg.executed, Decimal(order["executed"])),
        "fills": (_fills_of_leg(leg), _fills_of_order(order)),
    }
    return [
        f"{name}: {mine} in the ledger, {real} on the exchange"
        for name, (mine, real) in checks.items()
        if mine != real
    ]


def _fills_of_leg(leg: Leg) -> Counter[_Fill]:
    return Counter(
        (fill.price, fill.quantity, fill.quote, fill.fee, fill.fee_asset) for fill in leg.fills
    )


def _fills_of_order(order: Mapping[str, Any]) -> Counter[_Fill]:
    return Counter(
        (
            Decimal(fill["price"]),
            Decimal(fill["quantity"]),
            Decimal(fill["quote"]),
            Decimal(fill["fee"]),
            fill["fee_asset"],
        )
        for fill in order["fills"]
    )


def _fill_differences(
    legs: Mapping[Key, Leg], real: Mapping[Key, Mapping[str, Any]]
) -> tuple[int, int]:
    """Return how many fills only the exchange has, and how many the ledger has too many."""
    lost = doubled = 0
    for key in legs.keys() | real.keys():
        ours = _fills_of_leg(legs[key]) if key in legs else Counter[_Fill]()
        theirs = _fills_of_order(real[key]) if key in real else Counter[_Fill]()
        lost += (theirs - ours).total()
        doubled += (ours - theirs).total()
    return lost, doubled


def _figures(ledger: UserLedger, truth: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """Return by how much a user's volume and wear differ from what the exchange's fills make."""
    ours = wear.total(map(wear.of_cycle, ledger.cycles))
    spent = received = _NOTHING
    for order in truth["orders"]:
        if (order["user"], order["symbol"]) != (ledger.user, ledger.symbol):
            continue
        quote = sum((Decimal(fill["quote"]) for fill in order["fills"]), _NOTHING)
        if order["side"] == Side.BUY.value:
            spent += quote
        else:
            fees = (Decimal(fill["fee"]) for fill in order["fills"])
            received += quote - sum(fees, _NOTHING)
    return abs(ours.spent - spent), abs(ours.cost - (spent - received))


def _compare_wallets(ledger: UserLedger, truth: Mapping[str, Any]) -> Iterable[str]:
    account = next(one for one in truth["accounts"] if one["name"] == ledger.user)
    bought = sum((cycle.bought for cycle in ledger.cycles), Decimal(0))
    sold = sum(
        (leg.filled_quote - leg.fees for cycle in ledger.cycles for leg in cycle.sells), Decimal(0)
    )
    held = sum((cycle.exposure for cycle in ledger.cycles), Decimal(0))
    # What was swept to earn is still the user's.
    wallets = [account["funding"], account.get("earn", {})]
    funding = sum((Decimal(one) for wallet in wallets for one in wallet.values()), _NOTHING)
    tokens = account["tokens"].get(ledger.base_asset, {})
    token = sum(map(Decimal, tokens.values()), Decimal(0))
    left = ledger.funding_before - bought + sold
    if left != funding:
        yield f"{ledger.user}: the fills leave {left} USDT, the wallet has {funding}"
    if held != token:
        yield f"{ledger.user}: the fills leave {held} {ledger.base_asset}, the wallet has {token}"
