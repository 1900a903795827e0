"""Each rule: what it lets through, what it refuses, and why."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from oto.domain import money
from oto.domain.job import Reason
from oto.domain.market import SymbolStatus
from oto.domain.orders import LimitOrder, OtoOrder, Side
from oto.domain.pricing.quote import Quote
from oto.domain.risk import (
    balance,
    book_sanity,
    chain,
    halt,
    spread,
    stale_price,
    terms,
    token_state,
)
from oto.domain.risk.verdict import Approved, Permission, Refused, Situation
from tests import builders
from tests.builders import AT, after_s, rules, situation, tick, token

pytestmark = pytest.mark.unit

GOOD = situation()
NO_TICK = replace(GOOD, tick=None)
NO_BOOK = replace(GOOD, tick=replace(tick(), bid=None, ask=None))
PAIR = OtoOrder(rules(), money.price("0.22719"), money.quantity("88.11"), money.price("0.22671"))


def permitted(permission: Permission) -> Situation:
    return situation(permission=permission)


def refusal(found: Refused | Quote | Approved[OtoOrder] | None) -> tuple[Reason, str]:
    assert isinstance(found, Refused)
    return found.reason, found.detail


def test_a_good_situation_passes_every_rule() -> None:
    assert chain.buy_quote(GOOD) == Quote(money.price("0.2269"), money.price("0.227"))
    assert chain.exit_quote(GOOD) == chain.buy_quote(GOOD)
    assert chain.approve_oto(GOOD, PAIR) == Approved(PAIR)


def test_a_sell_of_what_is_held_is_approved() -> None:
    order = LimitOrder(rules(), Side.SELL, money.price("0.2269"), money.quantity("88.10"))

    assert chain.approve_exit(order) == Approved(order)


def test_a_halt_says_why() -> None:
    halted = permitted(replace(builders.ALLOWED, halted="halted by ann"))

    assert refusal(halt.check(halted)) == (Reason.HALTED, "halted by ann")
    assert halt.check(GOOD) is None


@pytest.mark.parametrize(
    ("permission", "reason"),
    [
        (Permission(terms_accepted=True), None),
        (Permission(terms_accepted=None), None),
        (Permission(terms_accepted=False), Reason.TERMS),
        (Permission(terms_accepted=True, acknowledged=False), Reason.NOT_ACKNOWLEDGED),
        (Permission(terms_accepted=False, acknowledged=False), Reason.NOT_ACKNOWLEDGED),
    ],
)
def test_terms_and_the_acknowledgement_are_asked_for(
    permission: Permission, reason: Reason | None
) -> None:
    found = terms.check(permitted(permission))

    assert (found.reason if found else None) is reason


@pytest.mark.parametrize(
    ("around", "detail"),
    [
        (NO_TICK, "no price has come yet"),
        (replace(GOOD, tick=tick(connected=False)), "the market stream is down"),
        (replace(GOOD, now=after_s(5.1)), "the last push is 5.1 s old, 5 s at most"),
    ],
)
def test_a_price_that_is_missing_cut_off_or_old_is_stale(around: Situation, detail: str) -> None:
    assert refusal(stale_price.check(around)) == (Reason.STALE_PRICE, detail)


def test_a_price_may_be_as_old_as_the_limit() -> None:
    assert stale_price.check(replace(GOOD, now=AT + GOOD.profile.stale_after)) is None


@pytest.mark.parametrize(
    ("around", "reason"),
    [
        (NO_TICK, Reason.STALE_PRICE),
        (NO_BOOK, Reason.STALE_PRICE),
        (replace(GOOD, tick=replace(tick(), trade_price=None)), Reason.STALE_PRICE),
        (replace(GOOD, tick=tick(trade="0")), Reason.STALE_PRICE),
        (situation(bid="0.22700", ask="0.22700"), Reason.CROSSED_BOOK),
        (situation(bid="0.22710", ask="0.22700"), Reason.CROSSED_BOOK),
        (replace(GOOD, tick=tick(bid="0", trade="0.227")), Reason.CROSSED_BOOK),
        (replace(GOOD, tick=tick("0.98999", "1", trade="1")), Reason.ZOMBIE_BOOK),
        (replace(GOOD, tick=tick("1", "1.01001", trade="1")), Reason.ZOMBIE_BOOK),
        (replace(GOOD, tick=tick("0.99", "1.01", trade="1")), None),
    ],
)
def test_a_book_is_there_not_crossed_and_near_the_last_trade(
    around: Situation, reason: Reason | None
) -> None:
    found = book_sanity.check(around)

    assert (found.reason if found else None) is reason


def test_a_zombie_book_says_which_side_is_how_far_off() -> None:
    far = replace(GOOD, tick=tick("1", "1.03", trade="1"))

    assert (
        refusal(book_sanity.check(far))[1] == "the ask is 300 bps off the last trade, 100 at most"
    )


@pytest.mark.parametrize(
    ("around", "reason"),
    [
        (situation(bid="1", ask="1.005"), None),
        (situation(bid="1", ask="1.00501"), Reason.WIDE_SPREAD),
        (NO_TICK, Reason.STALE_PRICE),
        (NO_BOOK, Reason.STALE_PRICE),
        (replace(GOOD, tick=tick(bid="0")), Reason.STALE_PRICE),
    ],
)
def test_a_spread_is_at_most_the_profiles(around: Situation, reason: Reason | None) -> None:
    found = spread.check(around)

    assert (found.reason if found else None) is reason


@pytest.mark.parametrize(
    ("around", "reason", "detail"),
    [
        (replace(GOOD, rules=None), Reason.RULES_UNKNOWN, "it is not in the lists"),
        (replace(GOOD, token=None), Reason.RULES_UNKNOWN, "it is not in the lists"),
        *(
            (
                replace(GOOD, rules=rules(status=status)),
                Reason.NOT_TRADING,
                f"its status is {status.value}",
            )
            for status in SymbolStatus
            if status is not SymbolStatus.TRADING
        ),
        (replace(GOOD, token=token(offline=True)), Reason.NOT_TRADING, "it is offline"),
        (replace(GOOD, token=token(sell_closed=True)), Reason.NOT_TRADING, "selling it is closed"),
        (replace(GOOD, token=token(halted=True)), Reason.NOT_TRADING, "it is halted"),
    ],
)
def test_a_token_that_could_not_be_sold_again_is_refused(
    around: Situation, reason: Reason, detail: str
) -> None:
    found = token_state.check(around)

    assert refusal(found) == (reason, detail)
    assert found is not None
    assert found.retry_after == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("free", "enough"), [("20.02771090", True), ("20.02771089", False), ("0", False)]
)
def test_a_payment_and_a_reserve_of_a_cent_are_free(
    free: str,
    enough: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    assert PAIR.payment == Decimal("20.01771090")

    found = balance.check(situation(free=free), PAIR)

    assert (found is None) is enough


def test_a_low_balance_says_what_is_missing_and_is_read_again() -> None:
    found = chain.approve_oto(situation(free="3.5"), PAIR)

    assert refusal(found) == (Reason.LOW_BALANCE, "3.50 USDT are free, 20.03 needed")
    assert isinstance(found, Refused)
    assert found.retry_after == timedelta(seconds=3)


def test_a_balance_that_nobody_has_read_is_no_balance() -> None:
    unread = replace(GOOD, balance=None)

    assert refusal(balance.check(unread, PAIR))[0] is Reason.LOW_BALANCE


def test_the_first_rule_that_refuses_gives_the_reason() -> None:
    worst = Situation(
        now=after_s(60),
        profile=GOOD.profile,
        tick=tick("0.3", "0.2", connected=False),
        rules=None,
        token=None,
        balance=None,
        permission=Permission(halted="halted", terms_accepted=False),
    )
    better = [
        worst,
        worst := replace(worst, permission=Permission(terms_accepted=False)),
        worst := replace(worst, permission=builders.ALLOWED),
        worst := replace(worst, rules=rules(), token=token()),
        worst := replace(worst, tick=tick("0.3", "0.2"), now=AT),
        worst := replace(worst, tick=tick("0.226", "0.228", trade="0.227")),
    ]

    assert [refusal(chain.buy_quote(one))[0] for one in better] == [
        Reason.HALTED,
        Reason.TERMS,
        Reason.RULES_UNKNOWN,
        Reason.STALE_PRICE,
        Reason.CROSSED_BOOK,
        Reason.WIDE_SPREAD,
    ]


@pytest.mark.parametrize(
    "around",
    [
        permitted(Permission(terms_accepted=False, acknowledged=False)),
        replace(GOOD, tick=tick("0.226", "0.228", trade="0.227")),
        replace(GOOD, balance=None),
    ],
    ids=["terms", "spread", "balance"],
)
def test_an_exit_is_not_kept_back_by_what_concerns_a_buy(around: Situation) -> None:
    assert isinstance(chain.exit_quote(around), Quote)


@pytest.mark.parametrize(
    "around",
    [
        permitted(replace(builders.ALLOWED, halted="halted")),
        replace(GOOD, rules=None),
        NO_TICK,
        situation(bid="0.228", ask="0.227"),
    ],
    ids=["halt", "token", "stale", "crossed"],
)
def test_an_exit_is_kept_back_by_what_makes_any_order_wrong(around: Situation) -> None:
    assert isinstance(chain.exit_quote(around), Refused)


def test_every_rule_is_in_the_chain() -> None:
    """A new file without its line in `chain.py` would refuse nothing."""
    asked = {check.__module__ for check in (*chain.BUY_RULES, *chain.ORDER_RULES)}

    assert asked == {f"oto.domain.risk.{name}" for name in rule_files()}
    assert {check.__module__ for check in chain.EXIT_RULES} <= asked


def rule_files() -> set[str]:
    folder = Path(chain.__file__).parent
    return {path.stem for path in folder.glob("*.py")} - {"__init__", "chain", "verdict"}
