"""What one turn does to the exchange: each request between its intent and its outcome (TRADING §5).

The intent is committed, then *sending*, then one request leaves, then its outcome is committed.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import structlog

from oto.application.looking import look
from oto.application.ports import (
    Clock,
    Exchange,
    Exchanges,
    FencedError,
    NoCredentialsError,
    Turn,
    Work,
)
from oto.application.reasons import trouble
from oto.domain import placing
from oto.domain.cycle import Cycle, CycleEvent
from oto.domain.cycle import after as cycle_after
from oto.domain.decisions import Cancel, Decision, Exit, Look, Park, Place, ReadAccount, Unpark
from oto.domain.errors import ExchangeError, OutcomeUnknownError, RefusedError
from oto.domain.events import EventKind
from oto.domain.job import NEEDS_HUMAN, Reason
from oto.domain.leg import Leg, LegEvent, LegKind
from oto.domain.orders import LimitOrder, OrderId, OtoOrder
from oto.domain.risk.verdict import Approved

SEND_WITHIN_S = 2.0
"""How long after *sending* was committed the POST may begin: a process that was held up longer
may have lost its turn meanwhile, so it does not send."""

ANSWER_WITHIN_S = 10.0
"""How long after that a POST is over: what was not written by then is not written any more."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one turn; `transaction` opens one of the turn, `posting` hears of each POST.

    `exits_pass_halts` is for the halt itself, which sells what is held behind its own fence.
    """

    turn: Turn
    exchanges: Exchanges
    clock: Clock
    transaction: Callable[[], AbstractContextManager[Work]]
    posting: Callable[[], None]
    exits_pass_halts: bool = False

    def intend(self, work: Work, decision: Decision) -> Leg | None:
        """Store what belongs into the transaction of the decision; return a leg to send."""
        match decision:
            case Place(approved):
                return work.plan(approved.order).working
            case Exit(approved):
                return work.plan_exit(approved.order)
            case Cancel(leg):
                work.save(placing.cancelling(_cycle(work), leg, work.now))
                work.note(EventKind.CANCEL_SENT, order_id=leg.order_id, leg=leg.kind)
            case Park():
                work.save(cycle_after(_cycle(work), CycleEvent.PARK, work.now))
            case Unpark():
                work.save(cycle_after(_cycle(work), CycleEvent.UNPARK, work.now))
            case _:
                pass
        return None

    def carry_out(self, decision: Decision, leg: Leg | None) -> bool:
        """Do what a decision asks of the exchange; return False if the turn is over.

        `leg` is what `intend` has returned.

        Raises:
            ExchangeError: it had no effect, and what became of it is stored.
            NoCredentialsError: nothing was sent.
        """
        match decision:
            case Place(approved) | Exit(approved) if leg is not None:
                self._send(leg, approved)
            case Cancel(leg=cancelled):
                self.cancel(cancelled)
            case Look():
                return self._look()
            case ReadAccount():
                self._read_account()
            case _:
                pass
        return True

    def cancel(self, leg: Leg) -> None:
        """Ask for a cancel that is stored already; what is read next tells what became of it.

        Raises:
            ExchangeError: for a reason that needs a human.
        """
        if leg.order_id is None:
            return
        answer = "accepted"
        try:
            self._exchange().cancel(self.turn.symbol, leg.order_id)
        except ExchangeError as error:
            met = trouble(error)
            answer = met.detail
            if met.reason in NEEDS_HUMAN - {Reason.UNKNOWN_ANSWER}:
                raise
        with self.transaction() as work:
            work.note(EventKind.CANCEL_ANSWERED, order_id=leg.order_id, answer=answer)

    def _send(self, leg: Leg, approved: Approved[OtoOrder] | Approved[LimitOrder]) -> None:
        """Send a stored intent, once."""
        # Counted from before the commit: a process can be held up within it too.
        send_before = self.clock.monotonic() + SEND_WITHIN_S
        if not self._mark_sending(leg):
            return
        try:
            exchange = self._exchange()
            self.posting()
            order_ids = _post(exchange, approved, lambda: self.clock.monotonic() < send_before)
        except OutcomeUnknownError as error:
            self._lost(leg, error)
        except ExchangeError as error:
            self._refused(leg, error)
            raise
        except NoCredentialsError:
            self._not_sent(leg, "no credentials")
            raise
        else:
            self._placed(leg, order_ids)

    def _mark_sending(self, leg: Leg) -> bool:
        """Commit that the POST is about to leave, unless a halt stands before it."""
        with self.transaction() as work:
            cycle = work.cycle
            if cycle is None:
                raise FencedError
            if (halted := self._halted(work, leg)) is not None:
                work.save(placing.recovered(cycle, work.now))
                work.note(EventKind.HELD_BACK, why=f"trading is halted ({halted})")
                return False
            work.save(placing.sending(cycle, leg, work.now))
            work.note(EventKind.SENDING, price=leg.price, quantity=leg.quantity, leg=leg.kind)
        return True

    def _halted(self, work: Work, leg: Leg) -> str | None:
        if self.exits_pass_halts and leg.kind is LegKind.EXIT:
            return None
        return work.halted()

    def _placed(self, leg: Leg, order_ids: tuple[OrderId, ...]) -> None:
        with self.transaction() as work:
            if (cycle := work.cycle) is not None:
                work.note(EventKind.PLACED, order_ids=order_ids)
                work.save(placing.accepted(cycle, _current(cycle, leg), order_ids))
                work.apply_waiting_reports()

    def _lost(self, leg: Leg, error: OutcomeUnknownError) -> None:
        met = trouble(error)
        _log.warning(
            "placement_outcome_unknown",
            user=self.turn.user_id,
            job=self.turn.job_id,
            epoch=self.turn.epoch,
            reason=met.reason.name,
        )
        with self.transaction() as work:
            if (cycle := work.cycle) is not None:
                lost = placing.all_legs(cycle, _current(cycle, leg), LegEvent.LOSE)
                work.save(replace(lost, lost_reason=met.reason))
                work.note(EventKind.LOST, why=met.reason, detail=met.detail)

    def _refused(self, leg: Leg, error: ExchangeError) -> None:
        with self.transaction() as work:
            if (cycle := work.cycle) is not None:
                # An exit that was only turned away for now says nothing against the next.
                refused = isinstance(error, RefusedError) or leg.kind is not LegKind.EXIT
                event = LegEvent.REFUSE if refused else LegEvent.DISCARD
                work.save(placing.all_legs(cycle, _current(cycle, leg), event))
                work.note(EventKind.REFUSED, why=trouble(error).reason, detail=str(error))
            work.forget_account()

    def _not_sent(self, leg: Leg, why: str) -> None:
        with self.transaction() as work:
            if (cycle := work.cycle) is not None:
                work.save(placing.all_legs(cycle, _current(cycle, leg), LegEvent.REFUSE))
                work.note(EventKind.HELD_BACK, why=why)

    def _look(self) -> bool:
        with self.transaction() as work:
            cycle, rules = work.cycle, work.rules
        if cycle is None:
            return True
        base_asset = None if rules is None else rules.base_asset
        seen = look(self._exchange(), cycle, self.turn.symbol, base_asset, self.clock.now)
        with self.transaction() as work:
            return seen.apply(work)

    def _read_account(self) -> None:
        exchange, read_at = self._exchange(), self.clock.now()
        wallets, terms = exchange.usdt_wallets(), exchange.terms_accepted()
        with self.transaction() as work:
            work.save_account(wallets, read_at, terms=terms)

    def _exchange(self) -> Exchange:
        return self.exchanges.of(self.turn.user_id)


def _post(
    exchange: Exchange,
    approved: Approved[OtoOrder] | Approved[LimitOrder],
    may_send: Callable[[], bool],
) -> tuple[OrderId, ...]:
    if isinstance(approved.order, OtoOrder):
        placed = exchange.place_oto(Approved(approved.order), may_send)
        return placed.working_order_id, placed.pending_order_id
    return (exchange.place_exit(Approved(approved.order), may_send),)


def _cycle(work: Work) -> Cycle:
    if work.cycle is None:
        raise FencedError
    return work.cycle


def _current(cycle: Cycle, leg: Leg) -> Leg:
    return next(one for one in cycle.legs if one.leg_id == leg.leg_id)
