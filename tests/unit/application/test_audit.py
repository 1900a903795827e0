"""Each way in which the ledger can differ from the exchange is found."""

from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from oto.application.audit import Audit, UserLedger, audit
from oto.domain import money
from oto.domain.cycle import Cycle
from oto.domain.leg import Leg
from oto.domain.money import Price
from tests.builders import SELL_ID, SYMBOL, bought_cycle, fill, traded

pytestmark = pytest.mark.unit

BEFORE = Decimal(1000)


def settled_cycle() -> Cycle:
    return traded(
        bought_cycle(), SELL_ID, "88.10", "0.2269", quantity="88.10", fee="0.00199899", event_id=2
    )


def order_of(leg: Leg, status: str = "FILLED") -> dict[str, Any]:
    return {
        "user": "ann",
        "symbol": SYMBOL,
        "order_id": leg.order_id,
        "order_list_id": "9",
        "side": leg.side.value,
        "status": status,
        "price": money.plain(leg.price),
        "quantity": money.plain(leg.quantity),
        "executed": money.plain(leg.executed),
        "fills": [
            {
                name: money.plain(getattr(one, name))
                for name in ("price", "quantity", "quote", "fee")
            }
            | {"fee_asset": one.fee_asset}
            for one in leg.fills
        ],
    }


def truth_of(cycle: Cycle) -> dict[str, Any]:
    """Return what the exchange says if it agrees with the ledger of this cycle."""
    received = cycle.pending.filled_quote - cycle.pending.fees
    funding = BEFORE - cycle.bought + received
    return {
        "orders": [order_of(leg) for leg in cycle.legs],
        "accounts": [
            {
                "name": "ann",
                "funding": {"free": money.plain(funding), "locked": "0"},
                "tokens": {"ALPHA_373": {"free": money.plain(cycle.exposure), "locked": "0"}},
            }
        ],
    }


CYCLE = settled_cycle()
TRUTH = truth_of(CYCLE)


def audited(truth: dict[str, Any], *cycles: Cycle) -> Audit:
    return audit(truth, [UserLedger("ann", SYMBOL, "ALPHA_373", BEFORE, cycles)])


def changed(order: int, **figures: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    truth = deepcopy(TRUTH)
    truth["orders"][order] |= figures
    return truth


def with_order(**figures: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the truth with one more order, a copy of the BUY but for these figures."""
    truth = deepcopy(TRUTH)
    truth["orders"].append(TRUTH["orders"][0] | {"order_id": "777", "fills": []} | figures)
    return truth


def test_a_ledger_that_agrees_is_equal() -> None:
    assert audited(TRUTH, CYCLE) == Audit(1, 0, 0, 0, ())
    assert audited(TRUTH, CYCLE).equal


@pytest.mark.parametrize(
    ("order", "figures", "difference"),
    [
        (0, {"side": "SELL"}, "side: BUY in the ledger, SELL on the exchange"),
        (1, {"price": "0.2"}, "price: 0.22671 in the ledger, 0.2 on the exchange"),
        (0, {"executed": "88"}, "executed: 88.11 in the ledger, 88 on the exchange"),
    ],
)
def test_an_order_that_differs_in_a_figure_is_told(
    order: int, figures: dict[str, str], difference: str
) -> None:
    found = audited(changed(order, **figures), CYCLE)

    assert [text.partition(": ")[2] for text in found.differences] == [difference]
    assert not found.equal


@pytest.mark.parametrize("field", ["price", "quantity", "quote", "fee"])
def test_a_fill_that_differs_in_a_figure_is_told(field: str) -> None:
    truth = deepcopy(TRUTH)
    truth["orders"][0]["fills"][0][field] = "7"

    (difference,) = audited(truth, CYCLE).differences

    assert "fills: " in difference


def test_a_fill_whose_fee_was_taken_in_another_asset_is_told() -> None:
    truth = deepcopy(TRUTH)
    truth["orders"][0]["fills"][0]["fee_asset"] = "BNB"

    assert not audited(truth, CYCLE).equal


def test_a_fill_that_the_ledger_counts_twice_is_told_in_base_and_in_quote() -> None:
    doubled = replace(
        CYCLE.working, fills=(*CYCLE.working.fills, fill("88.11", fee="0.008811", event_id=9))
    )

    whole = audited(TRUTH, CYCLE.with_leg(doubled))
    found = whole.differences

    assert (whole.lost_fills, whole.doubled_fills) == (0, 1)
    assert whole.volume_difference == whole.wear_difference == CYCLE.bought
    assert len(found) == 3
    assert "fills: " in found[0]
    assert found[1].startswith("ann: the fills leave 979.")
    assert "ALPHA_373, the wallet has" in found[2]


def test_a_fill_that_the_ledger_misses_is_told() -> None:
    truth = deepcopy(TRUTH)
    truth["orders"][0]["fills"] *= 2

    found = audited(truth, CYCLE)

    assert "fills: " in found.differences[0]
    assert (found.lost_fills, found.doubled_fills) == (1, 0)
    assert found.volume_difference == CYCLE.bought


def test_fills_of_an_order_that_the_ledger_does_not_know_are_lost() -> None:
    fills = TRUTH["orders"][1]["fills"]

    found = audited(with_order(side="SELL", price="0.3", fills=fills), CYCLE)

    assert (found.orphans, found.lost_fills) == (1, 1)
    assert found.volume_difference == 0
    assert found.wear_difference == CYCLE.pending.filled_quote - CYCLE.pending.fees


def test_what_was_swept_to_earn_is_still_there() -> None:
    truth = deepcopy(TRUTH)
    account = truth["accounts"][0]
    account["earn"], account["funding"] = account["funding"], {"free": "0", "locked": "0"}

    assert audited(truth, CYCLE).equal


def test_an_order_that_the_exchange_does_not_have_is_told() -> None:
    truth = deepcopy(TRUTH)
    del truth["orders"][1]

    assert audited(truth, CYCLE).differences == (
        f"{('ann', SYMBOL, SELL_ID)}: the exchange has no such order",
    )


def test_an_order_beside_another_of_the_same_intent_is_a_duplicate() -> None:
    found = audited(with_order(order_list_id="10"), CYCLE)

    assert (found.placed, found.duplicates, found.orphans) == (2, 1, 0)
    assert not found.equal


def test_an_order_that_the_ledger_knows_nothing_of_is_an_orphan() -> None:
    found = audited(with_order(order_list_id=None, price="0.3"), CYCLE)

    assert (found.placed, found.duplicates, found.orphans) == (2, 0, 1)
    assert not found.equal


def test_an_order_of_a_user_who_is_not_audited_is_nothing_to_us() -> None:
    assert audited(with_order(user="bob"), CYCLE).equal


@pytest.mark.parametrize(
    ("status", "number"),
    [
        ("NEW", 1),
        ("PARTIALLY_FILLED", 1),
        ("PENDING", 1),
        ("FILLED", 0),
        ("CANCELED", 0),
        ("EXPIRED", 0),
    ],
)
def test_open_orders_are_counted(status: str, number: int) -> None:
    assert audited(changed(1, status=status), CYCLE).open_orders == number


@pytest.mark.parametrize("wallet", ["free", "locked"])
def test_a_wallet_that_the_fills_do_not_explain_is_told(wallet: str) -> None:
    poorer, richer = deepcopy(TRUTH), deepcopy(TRUTH)
    poorer["accounts"][0]["funding"][wallet] = "3"
    richer["accounts"][0]["tokens"]["ALPHA_373"][wallet] = "3"

    (cash,) = audited(poorer, CYCLE).differences
    (tokens,) = audited(richer, CYCLE).differences

    assert "USDT, the wallet has" in cash
    assert "ALPHA_373, the wallet has" in tokens


def test_a_user_who_never_traded_has_what_was_there_before() -> None:
    account = {"name": "ann", "funding": {"free": "1000", "locked": "0"}, "tokens": {}}

    assert audited({"orders": [], "accounts": [account]}).equal


def test_a_leg_that_was_never_placed_is_looked_for_nowhere() -> None:
    unsent = replace(CYCLE.pending, order_id=None, price=Price(Decimal(9)), fills=())
    truth = truth_of(CYCLE.with_leg(unsent))
    del truth["orders"][1]

    assert audited(truth, CYCLE.with_leg(unsent)).equal
