"""An exchange that stops and goes on later: what comes back, what does not, what is refused."""

import sqlite3
import stat
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oto.domain import money
from oto.domain.orders import OrderStatus, Side
from oto.simulator import listings
from oto.simulator.accounts import Account
from oto.simulator.liquidity import RecordedBook
from oto.simulator.orders import Order
from oto.simulator.playing import Program
from oto.simulator.refusals import Refusal
from oto.simulator.saved import BadStateError, Saved
from oto.simulator.settings import PartialFillPolicy, Settings
from oto.simulator.simulation import Simulation, wall_ms
from oto.simulator.state_file import StateFile
from oto.simulator.tape import MOODS, TapeTrade
from oto.simulator.trading import Asked
from oto.simulator.truth import truth_of
from tests.properties.test_simulated_money import Step, actions, do
from tests.simulated import AITECH, silent_plan

pytestmark = pytest.mark.unit

PRICE = money.price("0.2")


def save(simulated: Simulation, path: Path) -> None:
    with closing(StateFile(path)) as state:
        state.save(simulated.exchange)


def load(path: Path) -> Saved | None:
    with closing(StateFile(path)) as state:
        return state.load()


def restarted(simulated: Simulation, path: Path) -> Simulation:
    """Stop a simulation and start another one from its file."""
    save(simulated, path)
    return Simulation(silent_plan(saved=load(path)))


def what_lasts(simulated: Simulation) -> dict[str, Any]:
    truth = truth_of(simulated.exchange)
    return {key: truth[key] for key in ("now_ms", "seed", "accounts", "orders")}


def account_of(simulated: Simulation) -> Account:
    return next(iter(simulated.exchange.accounts.values()))


def with_ann(**changes: Any) -> Simulation:  # noqa: ANN401 - fields of Plan
    simulated = Simulation(silent_plan(**changes))
    simulated.exchange.add_account("ann", money.amount("1000"))
    return simulated


def asked() -> Asked:
    payment = money.amount("20")
    return Asked(AITECH, Side.BUY, PRICE, money.quantity("100"), payment, "CARD")


def resting(simulated: Simulation) -> Order:
    """Place an order below the market and let it come to rest."""
    order = simulated.trading.place(account_of(simulated), asked())
    simulated.catch_up()
    return order


def sell(simulated: Simulation, quantity: str) -> None:
    """Print a sale at the price of the resting orders."""
    sale = TapeTrade(simulated.exchange.now_ms, PRICE, money.quantity(quantity), True)
    simulated.player.play(simulated.exchange.market(AITECH), sale)
    simulated.catch_up()


def only_order(simulated: Simulation) -> Order:
    [order] = simulated.exchange.orders.values()
    return order


def ask(simulated: Simulation, steps: Sequence[Step]) -> None:
    accounts = list(simulated.exchange.accounts.values())
    for step in steps:
        try:
            do(simulated, accounts[step.user], step)
        except Refusal:
            continue
        simulated.catch_up()


@settings(max_examples=60)
@given(before=actions, after=actions, policy=st.sampled_from(PartialFillPolicy))
def test_whatever_was_asked_comes_back_and_its_money_with_it(
    before: list[Step], after: list[Step], policy: PartialFillPolicy
) -> None:
    choices = Settings(policy, match_delay_ms=[3], report_delay_ms=[2])
    plan = silent_plan(settings=choices, program=Program(mood=MOODS["choppy"]))
    simulated = Simulation(plan)
    for name in ("ann", "bob"):
        account = simulated.exchange.add_account(name, money.amount("100000"))
        for asset in ("ALPHA_971", "ALPHA_373"):
            account.token(asset).free = Decimal(100_000)

    with TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        with closing(StateFile(path)) as state:
            ask(simulated, before)
            state.save(simulated.exchange)
            ask(simulated, after)
            state.save(simulated.exchange)
        again = Simulation(replace(plan, saved=load(path)))

    assert what_lasts(again) == what_lasts(simulated)
    again.step(5_000)
    for account in again.exchange.accounts.values():
        for _ in range(2):
            again.trading.cancel_all(account)
        assert account.funding.locked == 0
        assert all(wallet.locked == 0 for wallet in account.tokens.values())


def test_a_resting_order_keeps_its_place_behind_others(tmp_path: Path) -> None:
    simulated = with_ann()
    book = RecordedBook()
    book.set(Side.BUY, [(PRICE, [money.quantity("30")])])
    simulated.exchange.market(AITECH).matcher.liquidity = book
    resting(simulated)

    again = restarted(simulated, tmp_path / "state")
    sell(again, "50")

    assert only_order(again).executed == Decimal(20)


def test_orders_at_one_price_keep_their_order_of_time(tmp_path: Path) -> None:
    simulated = with_ann()
    first, second = resting(simulated), resting(simulated)

    again = restarted(simulated, tmp_path / "state")
    sell(again, "150")

    executed = [order.executed for order in again.exchange.orders.values()]
    assert [order.order_id for order in again.exchange.orders.values()] == [
        first.order_id,
        second.order_id,
    ]
    assert executed == [Decimal(100), Decimal(50)]


def test_a_pending_leg_still_waits_for_its_working_leg(tmp_path: Path) -> None:
    simulated = with_ann()
    simulated.trading.place_oto(account_of(simulated), asked(), money.price("0.3"))
    simulated.catch_up()

    again = restarted(simulated, tmp_path / "state")
    sell(again, "100")

    working, pending = again.exchange.orders.values()
    assert (working.status, pending.status) == (OrderStatus.FILLED, OrderStatus.NEW)
    assert pending.quantity == Decimal("99.99")


def test_an_order_on_its_way_to_match_arrives_in_the_next_run(tmp_path: Path) -> None:
    simulated = with_ann(settings=Settings(match_delay_ms=[500]))
    resting(simulated)
    assert not simulated.exchange.market(AITECH).matcher.resting[Side.BUY]

    again = restarted(simulated, tmp_path / "state")
    again.catch_up()

    assert again.exchange.market(AITECH).matcher.resting[Side.BUY] == [only_order(again)]


def test_credentials_flags_and_the_listen_key_stay(tmp_path: Path) -> None:
    simulated = with_ann()
    ann = account_of(simulated)
    ann.session_live = False
    key = ann.new_listen_key()

    back = account_of(restarted(simulated, tmp_path / "state"))

    assert back.credentials() == ann.credentials()
    assert (back.session_live, back.terms_accepted, back.listen_key) == (False, True, key)
    assert back.new_listen_key() != key


def test_the_volume_of_the_day_stays(tmp_path: Path) -> None:
    simulated = with_ann()
    resting(simulated)
    sell(simulated, "100")

    again = restarted(simulated, tmp_path / "state")

    now_ms = again.exchange.now_ms
    assert account_of(again).volume_of_day(now_ms, 0) == {"ALPHA_373": Decimal(20)}


@pytest.mark.parametrize("stepped", [True, False])
def test_the_clock_never_goes_back(tmp_path: Path, stepped: bool) -> None:  # noqa: FBT001 - a case
    later_ms = wall_ms() + 86_400_000
    simulated = Simulation(silent_plan(start_ms=later_ms))
    save(simulated, tmp_path / "state")

    plan = silent_plan(start_ms=None, stepped=stepped, saved=load(tmp_path / "state"))

    assert Simulation(plan).exchange.now_ms >= later_ms


def test_ids_that_a_killed_run_gave_are_not_given_again(tmp_path: Path) -> None:
    simulated = with_ann()
    save(simulated, tmp_path / "state")
    lost = resting(simulated)
    sell(simulated, "100")

    again = Simulation(silent_plan(saved=load(tmp_path / "state")))
    other = resting(again)
    sell(again, "100")

    assert other.order_id > lost.order_id
    assert other.client_id != lost.client_id
    assert other.fills[0].page_id > lost.fills[0].page_id
    assert other.fills[0].trade_id > lost.fills[0].trade_id


def test_the_book_has_a_new_id_after_a_restart(tmp_path: Path) -> None:
    simulated = with_ann()
    resting(simulated)
    before = simulated.exchange.market(AITECH).book_id

    again = restarted(simulated, tmp_path / "state")

    assert again.exchange.market(AITECH).book_id > before


def test_an_empty_file_holds_nothing_and_becomes_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.touch(mode=0o644)

    assert load(path) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def json_text(path: Path) -> None:
    path.write_text('{"users": []}')


def program(path: Path) -> None:
    path.write_bytes(b"\x7fELF" * 4_000)


def damaged(path: Path) -> None:
    simulated = with_ann()
    for _ in range(30):
        resting(simulated)
    save(simulated, path)
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(b"\xff" * 8_192)


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE recipes (name TEXT)")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (json_text, "not a database"),
        (program, "not a database"),
        (of_another_program, "no state of a simulator"),
        (damaged, "damaged|malformed"),
    ],
)
def test_what_is_no_state_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / "state"
    make(path)
    before = path.read_bytes()

    with pytest.raises(BadStateError, match=sentence):
        StateFile(path)

    assert path.read_bytes() == before


def test_a_row_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save(with_ann(), path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE kept SET row = '{}' WHERE name = 'account ann'")

    with pytest.raises(BadStateError, match="cannot be read"):
        load(path)


def test_a_state_without_one_of_its_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    simulated = with_ann()
    resting(simulated)
    save(simulated, path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM kept WHERE name = 'account ann'")

    with pytest.raises(BadStateError, match="do not fit together"):
        Simulation(silent_plan(saved=load(path)))


def test_a_state_of_another_seed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save(with_ann(seed=7), path)

    with pytest.raises(BadStateError, match="start with that seed"):
        Simulation(silent_plan(seed=8, saved=load(path)))


def test_orders_of_a_market_that_is_not_listed_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    simulated = with_ann()
    resting(simulated)
    save(simulated, path)
    others = [one for one in listings.built_in() if one.rules.symbol != AITECH]

    with pytest.raises(BadStateError, match=f"orders of {AITECH}"):
        Simulation(silent_plan(listings=others, saved=load(path)))


def test_a_file_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save(with_ann(), path)

    with closing(StateFile(path)), pytest.raises(BadStateError, match="another simulator"):
        StateFile(path)


def test_a_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadStateError, match="No such file or directory"):
        StateFile(tmp_path / "missing" / "state")
