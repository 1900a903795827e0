"""The loop by polling alone, against the exchange's own truth, one trouble after the other."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from oto.application.advance_job import Outcome
from oto.application.job_log import first_amiss, from_lines, to_lines
from oto.application.ports import FencedError, Wake
from oto.application.replay import replay
from oto.domain.cycle import CyclePhase
from oto.domain.errors import OutcomeUnknownError
from oto.domain.job import JobState, Reason, Target, TargetKind, Wish
from oto.domain.leg import LegState
from oto.domain.market import AlphaId
from oto.domain.money import Amount, amount, price, quantity
from oto.domain.orders import (
    ExecutionReport,
    ExecutionType,
    LegRole,
    OrderId,
    OrderListId,
    OrderStatus,
    OtoMembership,
    Side,
)
from oto.domain.points import day_of
from tests.loop import Altered, Loop, running_loop
from tests.simulated import AITECH, Exchange

pytestmark = pytest.mark.integration


@pytest.fixture
def loop(database_url: str, exchange: Exchange) -> Iterator[Loop]:
    with running_loop(database_url, exchange) as made:
        yield made
        assert_logs_tell_the_truth(made)


def assert_logs_tell_the_truth(loop: Loop) -> None:
    """Every log is whole, and every decision in it comes out the same again."""
    for view in loop.jobs.views():
        log = loop.jobs.whole_log(view.job.job_id)
        assert first_amiss(log) is None
        assert replay(log.entries).differences == ()
        assert from_lines(to_lines(log)) == log


def assert_nothing_amiss(loop: Loop) -> None:
    found = loop.audit()
    assert (found.differences, found.duplicates, found.orphans, found.open_orders) == ((), 0, 0, 0)


def test_a_job_buys_its_target_ends_flat_and_the_ledger_equals_the_exchange(loop: Loop) -> None:
    loop.start(volume="60", order_size="20")

    done = loop.until("completed")

    assert done.progress.bought >= 60
    assert [cycle.phase for cycle in loop.cycles()] == [CyclePhase.SETTLED] * 3
    assert_nothing_amiss(loop)


def test_a_counted_target_needs_less_of_a_token_with_a_multiplier(loop: Loop) -> None:
    loop.exchange.control(f"symbols/{AITECH}", {"token": {"mulPoint": 4}})
    loop.start(target=Target(TargetKind.COUNTED, Decimal(40)), order_size="20")
    with loop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE tokens SET multiplier = 4")

    done = loop.until("completed")

    assert 10 <= done.progress.bought < 11
    assert done.progress.counted == done.progress.bought * 4


def test_a_target_in_points_counts_what_the_day_had_before(loop: Loop) -> None:
    target = Target(TargetKind.POINTS, Decimal(5), Amount(Decimal(20)), day_of(loop.clock.now()))
    loop.start(target=target, order_size="20")

    done = loop.until("completed")

    assert 12 <= done.progress.counted < 13  # 2^5 - 20


def test_points_begin_anew_with_the_utc_day(loop: Loop) -> None:
    yesterday = day_of(loop.clock.now()) - timedelta(days=1)
    loop.start(target=Target(TargetKind.POINTS, Decimal(5), Amount(Decimal(30)), yesterday))

    done = loop.until("completed")

    assert done.progress.counted >= 32
    assert done.job.target.baseline == 0


def test_a_buy_that_nobody_fills_is_cancelled_and_tried_again(loop: Loop) -> None:
    loop.exchange.set_book(AITECH, bids=[["0.20000000", "10"]], asks=[["0.30000000", "10"]])
    loop.start()

    loop.turns(8)
    assert loop.cycles()[0].phase is CyclePhase.ABANDONED
    assert not loop.cycles()[0].bought
    loop.book("0.22690000", "0.22700000")

    loop.until("completed")
    assert_nothing_amiss(loop)


@pytest.mark.parametrize("policy", ["pending_on_full_fill", "pending_on_partial", "void_on_cancel"])
def test_a_buy_that_fills_in_part_ends_flat_under_every_policy(loop: Loop, policy: str) -> None:
    loop.exchange.control("settings", {"partial_fill": policy})
    loop.exchange.set_book(AITECH, bids=[["0.22690000", "100000"]], asks=[["0.22700000", "30"]])
    loop.start()
    loop.turns(7)
    loop.book("0.22690000", "0.22700000")

    loop.until("completed")

    assert 0 < loop.cycles()[0].bought < 20
    assert loop.cycles()[0].phase is CyclePhase.SETTLED
    assert_nothing_amiss(loop)


def test_a_sell_that_the_market_left_behind_is_sold_down_the_ladder(loop: Loop) -> None:
    loop.start()
    loop.exchange.set_book(
        AITECH, bids=[["0.22600000", "1000000"]], asks=[["0.22700000", "1000000"]]
    )
    loop.market.bid = "0.22690000"
    loop.turn()
    loop.book("0.22600000", "0.22610000")
    loop.market.ask = "0.22700000"

    loop.until("completed")

    cycle = loop.cycles()[0]
    assert cycle.phase is CyclePhase.SETTLED
    assert len(cycle.exits) >= 1
    assert_nothing_amiss(loop)


def test_tokens_below_the_stated_loss_are_parked_and_sold_when_the_price_is_back(
    loop: Loop,
) -> None:
    loop.start()
    loop.exchange.set_book(AITECH, bids=[["0.20000000", "9000"]], asks=[["0.22700000", "9000"]])
    loop.turn()
    loop.book("0.20000000", "0.20010000")

    loop.turns(15)
    parked = loop.view()
    assert parked.job.reason is Reason.PARKED
    assert parked.cycle is not None
    assert parked.cycle.phase is CyclePhase.PARKED
    loop.book("0.22690000", "0.22700000")

    loop.until("completed")
    assert_nothing_amiss(loop)


def test_a_stop_sells_first_and_leaves_nothing_open(loop: Loop) -> None:
    loop.start(volume="100")
    loop.exchange.set_book(AITECH, bids=[["0.20000000", "9"]], asks=[["0.30000000", "9"]])
    loop.turn()
    loop.wish(Wish.STOP)

    stopped = loop.until("stopped")

    assert stopped.cycle is None
    assert_nothing_amiss(loop)


def test_a_paused_job_is_flat_and_goes_on_when_resumed(loop: Loop) -> None:
    loop.start(volume="60")
    loop.turns(2)
    loop.wish(Wish.PAUSE)
    assert loop.until("paused").cycle is None

    loop.wish(Wish.RUN)

    loop.until("completed")
    assert_nothing_amiss(loop)


def test_a_stop_with_parked_tokens_says_so_and_a_resume_takes_them_up(loop: Loop) -> None:
    loop.start()
    loop.buy_before_a_fall(turns=12)
    loop.wish(Wish.STOP)

    stopped = loop.until("stopped")
    assert stopped.job.reason is Reason.PARKED
    assert stopped.cycle is not None
    loop.book("0.22690000", "0.22700000")
    loop.wish(Wish.RUN)

    loop.until("completed")
    assert_nothing_amiss(loop)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("answer_lost_before", {}),
        ("answer_lost_after", {}),
        ("server_error", {"status": 502}),
        ("server_error", {"status": 502, "after": True}),
        ("not_json", {}),
        ("missing_fields", {}),
    ],
)
def test_a_lost_answer_is_resolved_by_looking_and_nothing_is_placed_twice(
    loop: Loop, kind: str, options: dict[str, Any]
) -> None:
    loop.exchange.fault(kind, endpoint="place_oto", count=1, **options)
    loop.start()
    loop.turn()
    assert loop.cycles()[0].phase is CyclePhase.UNKNOWN

    for _ in range(40):
        if loop.view().job.state is JobState.NEEDS_HUMAN:
            loop.wish(Wish.RUN)
        loop.turn()
        loop.pass_time(1)
        if loop.view().job.state is JobState.COMPLETED:
            break

    assert loop.view().job.state is JobState.COMPLETED
    assert_nothing_amiss(loop)


def test_a_stopped_job_that_is_stopped_again_keeps_its_log(loop: Loop) -> None:
    loop.start()
    loop.turn()
    loop.wish(Wish.STOP)
    loop.until("stopped")
    with loop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET ended_at = now() - interval '1 year'")

    loop.wish(Wish.STOP)
    loop.ledger.prune()

    assert loop.view().job.state is JobState.RUNNING
    assert loop.jobs.whole_log(loop.job_id).entries


def test_an_order_that_shows_up_late_is_still_ours(loop: Loop) -> None:
    loop.exchange.fault("late_history", delay_ms=6000, count=1)
    loop.exchange.fault("answer_lost_after", endpoint="place_oto", count=1)
    loop.start()

    loop.until("completed")

    assert len(loop.cycles()) == 1
    assert_nothing_amiss(loop)


def test_nothing_else_is_placed_while_an_outcome_is_unknown(loop: Loop) -> None:
    loop.exchange.fault("answer_lost_before", endpoint="place_oto", count=1)
    loop.start(volume="100")
    loop.turns(9)

    assert loop.exchange.orders() == []
    assert loop.view().job.reason is Reason.UNRESOLVED


def test_an_unknown_code_calls_for_a_human_once_nothing_is_open(loop: Loop) -> None:
    loop.exchange.fault("unknown_code", code="999777", endpoint="place_oto", count=1)
    loop.start()

    stopped = loop.until("needs_human")

    assert stopped.job.reason is Reason.UNKNOWN_ANSWER
    assert stopped.cycle is None
    assert loop.exchange.orders() == []


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("session_expired", Reason.SESSION_OVER), ("challenge", Reason.VERIFICATION)],
)
def test_what_only_a_human_can_clear_stops_the_job_and_a_resume_carries_it_on(
    loop: Loop, kind: str, reason: Reason
) -> None:
    fault = loop.exchange.fault(kind)
    loop.start()
    assert loop.until("needs_human").job.reason is reason
    assert loop.turn() is Outcome.STALE
    loop.exchange.http.delete(f"/sim/faults?id={fault}")

    loop.wish(Wish.RUN)

    loop.until("completed")
    assert_nothing_amiss(loop)


def test_a_wait_for_balance_heals_by_itself(loop: Loop) -> None:
    loop.exchange.control("accounts/ann", {"funding": "5"})
    loop.start()
    loop.turns(3)
    assert loop.view().job.reason is Reason.LOW_BALANCE
    assert loop.exchange.orders() == []

    loop.exchange.control("accounts/ann", {"funding": "1000"})

    loop.until("completed")


@pytest.mark.parametrize(
    ("bid", "ask", "reason"),
    [
        ("0.2270", "0.2269", Reason.CROSSED_BOOK),
        ("0.2269", "0.2300", Reason.ZOMBIE_BOOK),
        ("0.2260", "0.2277", Reason.WIDE_SPREAD),
    ],
)
def test_a_book_that_cannot_be_priced_from_is_waited_out(
    loop: Loop, bid: str, ask: str, reason: Reason
) -> None:
    loop.market.bid, loop.market.ask = bid, ask
    loop.start()
    loop.turns(2)
    assert loop.view().job.reason is reason
    assert loop.exchange.orders() == []

    loop.book("0.22690000", "0.22700000")

    loop.until("completed")


def test_a_silent_stream_is_waited_out(loop: Loop) -> None:
    loop.market.silent_since = loop.clock.now() - timedelta(seconds=6)
    loop.start()
    loop.turn()

    assert loop.view().job.reason is Reason.STALE_PRICE
    assert loop.exchange.orders() == []


def test_a_halted_token_is_not_bought(loop: Loop) -> None:
    with loop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE tokens SET halted = true")
    loop.start()
    loop.turn()

    assert loop.view().job.reason is Reason.NOT_TRADING


def test_a_halt_in_the_database_stands_before_every_placement(loop: Loop) -> None:
    with loop.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO halts (why) VALUES ('a drill')")
    loop.start()
    loop.turns(2)

    assert loop.view().job.reason is Reason.HALTED
    assert loop.exchange.orders() == []


def test_a_doubled_wake_up_takes_one_turn(loop: Loop) -> None:
    loop.start()
    assert loop.advance(Wake(loop.job_id, 0)) is Outcome.ADVANCED

    assert loop.advance(Wake(loop.job_id, 0)) is Outcome.STALE
    assert len(loop.exchange.orders()) == 2  # both legs of one OTO


def test_a_turn_that_was_overtaken_writes_nothing(loop: Loop) -> None:
    loop.start()
    turn = loop.ledger.claim(Wake(loop.job_id, 0))
    assert turn is not None
    with loop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET lease_until = now() - interval '1 second'")
    assert loop.ledger.claim(Wake(loop.job_id, 1)) is not None

    with pytest.raises(FencedError), loop.ledger.work(turn, loop.clock.now(), None):
        pass


def test_an_order_whose_sender_died_is_adopted_by_the_next_turn(loop: Loop) -> None:
    """The process ends between the POST and the outcome: the intent and *sending* are stored."""

    class Died(BaseException):
        pass

    class DiesAfterPost:
        def __init__(self, real: Any) -> None:  # noqa: ANN401
            self._real = real

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401
            return getattr(self._real, name)

        def place_oto(self, approved: Any, may_send: Any) -> None:  # noqa: ANN401
            self._real.place_oto(approved, may_send)
            raise Died

    loop.exchanges.port = DiesAfterPost(loop.exchanges.of(loop.user_id))
    loop.start()
    with pytest.raises(Died):
        loop.turn()
    loop.exchanges.port = None
    assert loop.cycles()[0].working.state is LegState.SENDING
    with loop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET lease_until = now() - interval '1 second'")

    loop.until("completed")

    assert len(loop.cycles()) == 1
    assert_nothing_amiss(loop)


def test_a_process_that_was_held_up_before_its_post_does_not_send(loop: Loop) -> None:
    """It may have lost its turn meanwhile, and another may have placed."""
    real = loop.exchanges.of(loop.user_id)

    def held_up(approved: Any, may_send: Any) -> Any:  # noqa: ANN401
        loop.clock.time += timedelta(seconds=3)
        return real.place_oto(approved, may_send)

    loop.exchanges.port = Altered(real, place_oto=held_up)
    loop.start()
    loop.turn()

    assert loop.exchange.orders() == []
    assert loop.cycles()[0].phase is CyclePhase.REFUSED
    loop.exchanges.port = None
    loop.until("completed")


def test_an_order_that_only_a_report_tells_of_is_not_called_absent(loop: Loop) -> None:
    """The answer is lost and history lags beyond the settling time: the stream knows better."""
    loop.exchange.fault("late_history", delay_ms=60_000, count=1)
    loop.exchange.fault("answer_lost_after", endpoint="place_oto", count=1)
    loop.exchange.set_book(AITECH, bids=[["0.20000000", "9"]], asks=[["0.30000000", "9"]])
    loop.start()
    loop.turn()
    for order in loop.exchange.orders():
        loop.ledger.take_report(loop.user_id, new_report(order, loop), loop.clock.now())

    loop.turns(30)

    assert CyclePhase.ABSENT not in {cycle.phase for cycle in loop.cycles()}
    assert loop.audit().orphans == 0


def new_report(order: dict[str, Any], loop: Loop) -> ExecutionReport:
    role = LegRole.WORKING if order["leg"] == "working" else LegRole.PENDING
    return ExecutionReport(
        event_id=int(order["order_id"]),
        symbol=AITECH,
        order_id=OrderId(order["order_id"]),
        client_order_id="web_0",
        side=Side(order["side"]),
        execution=ExecutionType.NEW,
        status=OrderStatus(order["status"]),
        price=price(order["price"]),
        average_price=price("0"),
        quantity=quantity(order["quantity"]),
        cumulative_quantity=quantity("0"),
        cumulative_quote=amount("0"),
        base_asset=AlphaId("ALPHA_373"),
        quote_asset="USDT",
        oto=OtoMembership(OrderListId(order["order_list_id"]), role),
        fill=None,
        created_at=loop.clock.now(),
        transacted_at=loop.clock.now(),
        emitted_at=loop.clock.now(),
    )


@pytest.mark.parametrize("skew_s", [-600, 600])
def test_a_clock_that_is_minutes_off_loses_no_order(loop: Loop, skew_s: int) -> None:
    loop.clock.time += timedelta(seconds=skew_s)
    loop.exchange.fault("answer_lost_after", endpoint="place_oto", count=1)
    loop.start()

    loop.until("completed")

    assert len(loop.cycles()) == 1
    assert_nothing_amiss(loop)


def test_without_reports_an_absent_order_that_appears_is_seen_by_the_next_look(loop: Loop) -> None:
    real = loop.exchanges.of(loop.user_id)
    lost: list[Any] = []

    def lose(approved: Any, _: object) -> None:  # noqa: ANN401
        lost.append(approved)
        raise OutcomeUnknownError("lost")

    loop.book("0.22690000", "0.30000000")
    loop.market.ask = "0.22700000"
    loop.start()
    loop.exchanges.port = Altered(real, place_oto=lose)
    loop.turn()
    loop.exchanges.port = None
    loop.turns(25)
    assert loop.cycles()[0].phase is CyclePhase.ABSENT

    late = real.place_oto(lost[0], lambda: True)
    loop.turns(3)

    view = loop.view()
    assert (view.job.state, view.job.reason) == (JobState.NEEDS_HUMAN, Reason.AMBIGUOUS)
    assert late.working_order_id in view.detail


def test_a_fault_of_our_own_leaves_no_buy_that_nobody_watches(loop: Loop) -> None:
    def fail() -> None:
        raise RuntimeError("of ours")

    loop.exchange.set_book(AITECH, bids=[["0.20000000", "10"]], asks=[["0.30000000", "10"]])
    loop.start()
    loop.turn()
    loop.exchanges.port = Altered(loop.exchanges.of(loop.user_id), open_orders=fail)
    loop.pass_time(1)
    with pytest.raises(RuntimeError, match="of ours"):
        loop.turn()

    assert loop.view().job.reason is Reason.FAULT
    assert loop.audit().open_orders == 0


def test_a_status_that_nobody_knows_stops_the_job_and_forgets_no_order(loop: Loop) -> None:
    real = loop.exchanges.of(loop.user_id)

    def strange(*arguments: Any) -> list[Any]:  # noqa: ANN401
        return [replace(row, status=OrderStatus.UNKNOWN) for row in real.open_orders(*arguments)]

    loop.exchanges.port = Altered(real, open_orders=strange)
    loop.exchange.set_book(AITECH, bids=[["0.20000000", "9"]], asks=[["0.30000000", "9"]])
    loop.start()
    assert loop.until("needs_human").job.reason is Reason.UNKNOWN_ANSWER
    # The BUY that nobody watches any more was taken back.
    assert {order["status"] for order in loop.exchange.orders()} == {"CANCELED"}
    loop.exchanges.port = None
    loop.book("0.22690000", "0.22700000")
    loop.wish(Wish.RUN)

    loop.until("completed")
    assert_nothing_amiss(loop)


def test_a_pending_leg_that_is_listed_nowhere_does_not_hold_the_bought_part(loop: Loop) -> None:
    loop.exchange.control("settings", {"partial_fill": "void_on_cancel"})
    real = loop.exchanges.of(loop.user_id)

    def without_pending(rows: Any) -> list[Any]:  # noqa: ANN401
        return [row for row in rows if row.oto is None or row.oto.role is LegRole.WORKING]

    loop.exchanges.port = Altered(
        real,
        open_orders=lambda: without_pending(real.open_orders()),
        closed_orders=lambda *window: without_pending(real.closed_orders(*window)),
    )
    loop.exchange.set_book(AITECH, bids=[["0.22690000", "100000"]], asks=[["0.22700000", "30"]])
    loop.start()
    loop.turns(40)

    assert loop.cycles()[0].phase is CyclePhase.SETTLED
    assert 0 < loop.cycles()[0].bought < 20


def test_tokens_that_someone_sold_by_hand_call_for_a_human(loop: Loop) -> None:
    loop.start()
    loop.buy_before_a_fall(turns=12)
    loop.exchange.control("accounts/ann", {"tokens": {"ALPHA_373": "0"}})
    loop.book("0.22690000", "0.22700000")

    stopped = loop.until("needs_human")

    assert stopped.job.reason is Reason.AMBIGUOUS


def test_an_exit_without_its_tokens_is_not_said_to_lack_usdt(loop: Loop) -> None:
    loop.start()
    loop.buy_before_a_fall(turns=12)
    loop.exchange.control("accounts/ann", {"tokens": {"ALPHA_373": "0"}})
    loop.book("0.22690000", "0.22700000")
    while "fewer tokens" not in loop.view().detail:
        assert loop.view().job.state is not JobState.NEEDS_HUMAN
        loop.turn()
        loop.pass_time(1)

    assert loop.view().job.reason is Reason.REFUSED
