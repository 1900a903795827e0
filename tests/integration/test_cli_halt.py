"""`oto halt` and `oto unhalt`, as a person types them."""

import pytest

from oto.domain.money import price, quantity
from oto.domain.orders import LimitOrder, Side
from oto.infrastructure.alpha.credentials import Credentials
from oto.infrastructure.alpha.private import PrivateAlpha
from oto.infrastructure.alpha.public import PublicAlpha
from tests.cli import Oto, trading
from tests.simulated import AITECH, Exchange
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

ENDLESS = ("--token", "AITECH", "--volume", "1000000", "--order-size", "20")


@pytest.mark.usefixtures("house")
def test_a_halt_leaves_nothing_open_says_so_and_stands_until_it_is_lifted(
    oto: Oto, market: Exchange
) -> None:
    number = oto.json("job", "start", "--user", "ann", *ENDLESS)["job_id"]

    told = oto("halt", "--flatten", "--why", "enough")
    placed = len(market.orders())
    listed = oto.json("halt", "--list")

    assert told.exit_code == 0, told.output
    assert told.stdout.splitlines()[0].startswith("Halted since ")
    assert told.stdout.splitlines()[-1].startswith("Flat: nothing of ours is open or held.")
    assert [(one["user"], one["symbol"], one["why"]) for one in listed] == [
        ("all", "all", "enough")
    ]
    assert not [one for one in market.orders() if one["status"] in {"NEW", "PARTIALLY_FILLED"}]
    assert oto.json("job", "show", number)["flat"]
    assert len(market.orders()) == placed
    assert oto("unhalt").stdout == "Lifted 1.\n"
    assert oto("unhalt").stdout == "No such halt stands.\n"


def test_tokens_that_are_held_make_the_exit_code_1_and_are_named(
    oto: Oto, ann: str, market: Exchange
) -> None:
    with trading(market):
        # The streams tell of buyers who are not there.
        market.set_book(AITECH, bids=[["0.2", "1000000"]], asks=[["0.227", "1000000"]])
        number = oto.json("job", "start", "--user", ann, *ENDLESS)["job_id"]
        wait_until(lambda: not oto.json("job", "show", number)["flat"], every_s=0.1)
        held = oto.json("halt", exit_code=1)

    (job,) = held["jobs"]
    (account,) = held["accounts"]
    assert not held["flat"]
    assert (job["user"], job["symbol"], job["open_orders"]) == ("ann", AITECH, 0)
    assert float(job["holds"]) > 0
    assert (account["open_ours"], account["open_others"]) == (0, 0)


def test_orders_of_others_are_counted_and_left_alone(oto: Oto, ann: str, market: Exchange) -> None:
    given = market.credentials(ann)
    session = Credentials(given["headers"], given["cookies"])
    with PublicAlpha(market.rest) as public, PrivateAlpha(market.rest, session) as alpha:
        rules = public.exchange_info()[AITECH]
        alpha.place(LimitOrder(rules, Side.BUY, price("0.1"), quantity("100")))

    told = oto.json("halt", "--user", ann)

    (account,) = told["accounts"]
    assert (account["open_ours"], account["open_others"]) == (0, 1)
    assert [order["status"] for order in market.orders()] == ["NEW"]


def test_a_halt_covers_one_of_user_and_token(oto: Oto, ann: str) -> None:
    assert "--user or --token" in oto.refused(
        "halt", "--user", ann, "--token", "AITECH", exit_code=2
    )
    assert "There is no user" in oto.refused("halt", "--user", "bob")
