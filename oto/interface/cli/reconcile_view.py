"""Both sides of a user as they are shown: tables for a person, JSON for a program."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from oto.application.catch_up import Caught
from oto.application.reconcile import Comparison, TokenSides, waits_until
from oto.domain.comparing import Compared, OwnCycle, Verdict
from oto.domain.cycle import Cycle
from oto.domain.leg import Leg
from oto.domain.market import Symbol
from oto.domain.money import trimmed
from oto.domain.orders import OrderRow
from oto.interface.cli.output import Row, local

ORDER_COLUMNS = ("job", "cycle", "token", "leg", "order", "price", "here", "there", "verdict")
TOKEN_COLUMNS = ("token", "our cycles hold", "dust", "wallet", "rest", "verdict")

_SHORT = "the wallet holds less than our cycles"

_WHAT_TO_DO: Mapping[Verdict, str] = {
    Verdict.AMBIGUOUS: (
        "compare `oto job explain {job}` with the exchange, cancel or sell there what should "
        "not be, then `oto job resume {job}`"
    ),
    Verdict.RISEN: "cancel order {order} on the exchange",
    Verdict.APPEARED: (
        "cancel order {order} on the exchange if it is open there, and sell there what it bought: "
        "no job will"
    ),
    Verdict.AHEAD: (
        "the cycle is finished here and will not be read again: what order {order} executed since "
        "is yours to sell or to buy back on the exchange"
    ),
    Verdict.NOT_SHOWN: (
        "look for order {order} on the exchange; if it is not there either, stop the job and "
        "compare the wallet"
    ),
}


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The unfinished cycles of a user before they were read anew, and what came of that."""

    read: Sequence[tuple[OwnCycle, Caught]] = ()

    def changes(self, found: Comparison) -> list[str]:
        """Say of each cycle what reading it has changed."""
        now = {own.cycle.cycle_id: own.cycle for own in found.cycles}
        return [_change(own, caught, now.get(own.cycle.cycle_id)) for own, caught in self.read]


def _change(before: OwnCycle, caught: Caught, cycle: Cycle | None) -> str:
    which = f"Job {before.job.job_id}, cycle {before.cycle.number}"
    was = _phase(before.cycle)
    if caught is not Caught.READ:
        return f"{which} is {was} and was not read: {caught.value}."
    now = "finished" if cycle is None else _phase(cycle)
    return f"{which} was {was} and is {now}." if now != was else f"{which} is still {was}."


@dataclass(frozen=True, slots=True)
class UserSides:
    """What one user's reconciliation came to; `problem` says why there is no comparison."""

    user: str
    read_at: datetime
    comparison: Comparison | None
    changes: Sequence[str] = ()
    problem: str = ""

    @property
    def needs_human(self) -> bool:
        return self.comparison is None or self.comparison.needs_human


def worth_showing(one: Compared) -> bool:
    """Tell whether a person wants to see an order: it is open, lost, or something is the matter."""
    if one.verdict is Verdict.AGREES:
        return one.own is None or not one.own.cycle.finished
    return one.verdict is not Verdict.NOT_OURS or (one.row is not None and not one.row.ended)


def order_row(one: Compared, tickers: Mapping[Symbol, str]) -> Row:
    leg, row = one.leg, one.row
    price = row.price if leg is None and row is not None else None if leg is None else leg.price
    return {
        "job": None if one.own is None else one.own.job.job_id,
        "cycle": None if one.own is None else one.own.cycle.number,
        "token": tickers.get(one.symbol, one.symbol),
        "leg": _kind(leg, row),
        "order": _order_id(one),
        "price": "" if price is None else trimmed(price),
        "here": "" if leg is None else _here(leg),
        "there": "" if row is None else _there(row),
        "verdict": verdict_words(one),
    }


def verdict_words(one: Compared) -> str:
    """Say how an order stands on both sides."""
    until = waits_until(one)
    detail = one.detail if until is None else f"until {local(until)} at the earliest"
    return f"{one.verdict.words} ({detail})" if detail else one.verdict.words


def token_row(one: TokenSides) -> Row:
    return {
        "token": one.ticker,
        "our cycles hold": trimmed(one.held),
        "dust": trimmed(one.dust),
        "wallet": trimmed(one.wallet),
        "rest": trimmed(one.rest),
        "verdict": _token_words(one),
    }


def sentences(sides: UserSides) -> Iterator[str]:
    """Say what a person has to do, if anything."""
    if sides.comparison is None:
        yield f"{sides.user} was not compared: {sides.problem}."
        return
    agreeing = [one for one in sides.comparison.orders if not worth_showing(one)]
    if agreeing:
        yield f"{sides.user}: {_counted(agreeing)} not shown above."
    for one in sides.comparison.orders:
        if one.needs_human:
            yield f"{sides.user}, {one.symbol}: {verdict_words(one)}. To do: {_advice(one)}."
    for token in sides.comparison.tokens:
        if token.short:
            yield (
                f"{sides.user}, {token.ticker}: {_SHORT}: {trimmed(token.wallet)} instead of "
                f"{trimmed(token.held)}. To do: if you sold or moved them by hand, "
                "`oto job write-off`; its help says how."
            )


def sides_json(sides: UserSides) -> dict[str, object]:
    """Return one user with stable keys."""
    found = sides.comparison
    return {
        "user": sides.user,
        "read_at": sides.read_at,
        "problem": sides.problem or None,
        "needs_human": sides.needs_human,
        "changes": list(sides.changes),
        "orders": [] if found is None else [_order_json(one) for one in found.orders],
        "tokens": [] if found is None else [_token_json(one) for one in found.tokens],
    }


def _counted(orders: Sequence[Compared]) -> str:
    foreign = sum(one.verdict is Verdict.NOT_OURS for one in orders)
    ours = len(orders) - foreign
    parts = [f"{ours} finished orders of the last day agree"] if ours else []
    parts += [f"{foreign} past orders are not ours"] if foreign else []
    return " and ".join(parts) + ("; they are" if len(orders) > 1 else "; it is")


def _phase(cycle: Cycle) -> str:
    return cycle.phase.value.replace("_", " ")


def _advice(one: Compared) -> str:
    job = "" if one.own is None else str(one.own.job.job_id)
    return _WHAT_TO_DO[one.verdict].format(job=job, order=_order_id(one))


def _order_id(one: Compared) -> str:
    if one.row is not None:
        return one.row.order_id
    return "" if one.leg is None else one.leg.order_id or ""


def _kind(leg: Leg | None, row: OrderRow | None) -> str:
    if leg is not None:
        return f"{leg.kind.value} {leg.side.value}"
    return "" if row is None else row.side.value


def _here(leg: Leg) -> str:
    return f"{leg.state.value} {trimmed(leg.filled_quantity)}/{trimmed(leg.quantity)}"


def _there(row: OrderRow) -> str:
    return f"{row.status.value} {trimmed(row.executed_quantity)}/{trimmed(row.quantity)}"


def _token_words(one: TokenSides) -> str:
    if one.short:
        return _SHORT
    return "agrees" if one.rest <= 0 else "agrees; the rest is not ours, or unexplained"


def _order_json(one: Compared) -> dict[str, object]:
    own, leg, row = one.own, one.leg, one.row
    return {
        "symbol": one.symbol,
        "order_id": _order_id(one) or None,
        "verdict": one.verdict,
        "words": verdict_words(one),
        "needs_human": one.needs_human,
        "settles_at": waits_until(one),
        "job_id": None if own is None else own.job.job_id,
        "cycle": None if own is None else own.cycle.number,
        "kind": None if leg is None else leg.kind,
        "state_here": None if leg is None else leg.state,
        "told_here": None if leg is None else leg.filled_quantity,
        "status_there": None if row is None else row.status,
        "executed_there": None if row is None else row.executed_quantity,
    }


def _token_json(one: TokenSides) -> dict[str, object]:
    return {
        "alpha_id": one.alpha_id,
        "ticker": one.ticker,
        "held_by_cycles": one.held,
        "dust": one.dust,
        "wallet": one.wallet,
        "rest": one.rest,
        "short": one.short,
    }
