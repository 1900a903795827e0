"""Orders on the simulated exchange, over its wire."""

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import httpx
import pytest
import websocket

from oto.simulator.playing import Program
from oto.simulator.simulation import Simulation
from oto.simulator.tape import MOODS
from oto.simulator.truth import truth_bytes
from tests.samples import exact_json, sample
from tests.simulated import (
    AITECH,
    NEX,
    PLACE,
    PLACE_OTO,
    TRADE,
    Exchange,
    oto_body,
    payment,
    plain_body,
    running,
    silent_plan,
)

pytestmark = pytest.mark.integration

ASKS = [["0.23000000", "100"], ["0.23010000", "100"]]
BIDS = [["0.22990000", "100"], ["0.22980000", "100"]]


def place(exchange: Exchange, headers: dict[str, str], body: dict[str, Any]) -> str:
    answer = exchange.post(PLACE, headers, body)
    assert answer["code"] == "000000", answer
    order_id: str = answer["data"]
    return order_id


def place_oto(
    exchange: Exchange, headers: dict[str, str], price: str, quantity: str, pending: str
) -> tuple[str, str]:
    body = oto_body(price, quantity, pending, payment(price, quantity))
    answer = exchange.post(PLACE_OTO, headers, body)
    assert answer["code"] == "000000", answer
    return str(answer["data"]["workingOrderId"]), str(answer["data"]["pendingOrderId"])


def cancel(exchange: Exchange, headers: dict[str, str], order_id: str) -> Any:  # noqa: ANN401
    body = {"orderId": order_id, "symbol": AITECH}
    return exchange.post(f"{TRADE}/order/cancel", headers, body)


def statuses(exchange: Exchange) -> dict[str, str]:
    return {order["order_id"]: order["status"] for order in exchange.orders()}


def open_ids(exchange: Exchange, headers: dict[str, str]) -> list[str]:
    rows = exchange.get(f"{TRADE}/order/get-open-order", headers, side="")["data"]
    return [row["orderId"] for row in rows]


def funding(exchange: Exchange) -> dict[str, Decimal]:
    wallet = exchange.truth()["accounts"][0]["funding"]
    return {key: Decimal(value) for key, value in wallet.items()}


def test_a_marketable_order_takes_resting_prices_and_gets_the_improvement_back(
    exchange: Exchange,
) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=ASKS, bids=BIDS)

    order_id = place(exchange, headers, plain_body("BUY", "0.24", "150", payment("0.24", "150")))

    [order] = exchange.orders()
    assert order["status"] == "FILLED"
    assert [(fill["price"], fill["quantity"]) for fill in order["fills"]] == [
        ("0.23000000", "100"),
        ("0.23010000", "50"),
    ]
    assert funding(exchange) == {"free": 1000 - Decimal("34.505"), "locked": Decimal(0)}
    row = exchange.history(headers)["data"][0]
    assert (row["orderId"], row["price"], row["avgPrice"]) == (order_id, "0.24", "0.23003333")


def test_what_is_not_filled_rests_and_holds_its_money(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=ASKS, bids=BIDS)

    place(exchange, headers, plain_body("BUY", "0.23", "150", payment("0.23", "150")))

    [order] = exchange.orders()
    assert (order["status"], order["executed"]) == ("PARTIALLY_FILLED", "100")
    assert funding(exchange) == {"free": Decimal("965.5"), "locked": Decimal("11.5")}
    depth = exchange.http.get(
        "/bapi/defi/v1/public/alpha-trade/fullDepth", params={"symbol": AITECH}
    ).json()["data"]
    assert depth["bids"][0] == ["0.23000000", "50.00000000"]


def test_a_resting_order_waits_for_what_was_there_before_it(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=ASKS, bids=BIDS)
    place(exchange, headers, plain_body("BUY", "0.2299", "40", payment("0.2299", "40")))
    sale = {"price": "0.2299", "buyer_is_maker": True}

    exchange.control(f"symbols/{AITECH}/trade", {"quantity": "90", **sale})
    assert exchange.orders()[0]["status"] == "NEW"
    exchange.control(f"symbols/{AITECH}/trade", {"quantity": "25", **sale})
    assert exchange.orders()[0]["executed"] == "15"
    exchange.control(f"symbols/{AITECH}/trade", {"quantity": "25", **sale})

    assert exchange.orders()[0]["status"] == "FILLED"


def test_a_trade_below_a_resting_bid_fills_it_at_its_own_price(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=ASKS, bids=BIDS)
    place(exchange, headers, plain_body("BUY", "0.22995", "40", payment("0.22995", "40")))

    trade = {"price": "0.2298", "quantity": "30", "buyer_is_maker": True}
    exchange.control(f"symbols/{AITECH}/trade", trade)

    [order] = exchange.orders()
    assert [(fill["price"], fill["quantity"]) for fill in order["fills"]] == [("0.22995", "30")]


def test_two_users_trade_with_each_other_in_order_of_price_and_time(exchange: Exchange) -> None:
    exchange.set_book(AITECH, asks=[], bids=[])
    sellers = {
        name: exchange.add_user(name, tokens={"ALPHA_373": "100"})
        for name in ("late", "early", "dear")
    }
    for name, price in (("early", "0.23"), ("late", "0.23"), ("dear", "0.24")):
        place(exchange, sellers[name], plain_body("SELL", price, "100", "100"))
    buyer = exchange.add_user("buyer")

    place(exchange, buyer, plain_body("BUY", "0.25", "150", payment("0.25", "150")))

    sold = {order["user"]: order["executed"] for order in exchange.orders()}
    assert sold == {"early": "100", "late": "50", "dear": "0", "buyer": "150"}


def test_one_match_at_one_price_gives_several_rows_with_one_trade_id(exchange: Exchange) -> None:
    headers = exchange.add_user(tokens={"ALPHA_373": "1000"})
    exchange.set_book(AITECH, asks=[], bids=[["0.22", "200", "700"], ["0.21", "500"]])

    order_id = place(exchange, headers, plain_body("SELL", "0.2", "950", "950"))

    rows = exchange.get(f"{TRADE}/order/get-user-trades", headers, symbol=AITECH, orderId=order_id)[
        "data"
    ]
    assert [row["qty"] for row in rows] == ["50.00000000", "700.00000000", "200.00000000"]
    assert rows[1]["tradeId"] == rows[2]["tradeId"] != rows[0]["tradeId"]
    assert len({row["pageId"] for row in rows}) == 3
    assert [row["lastTrade"] for row in rows] == [True, False, False]


def test_an_oto_shows_an_inactive_pending_leg_until_the_working_leg_is_filled(
    exchange: Exchange,
) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=ASKS, bids=BIDS)
    working, pending = place_oto(exchange, headers, "0.22", "50", "0.25")

    rows = exchange.get(f"{TRADE}/order/get-open-order", headers, side="")["data"]
    assert [(row["orderId"], row["status"], row["origQty"]) for row in rows] == [
        (working, "NEW", "50"),
        (pending, "PENDING", "0"),
    ]
    exchange.set_book(AITECH, asks=[["0.22", "100"]])

    assert statuses(exchange) == {working: "FILLED", pending: "NEW"}
    [row] = exchange.get(f"{TRADE}/order/get-open-order", headers, side="SELL")["data"]
    assert (row["orderId"], row["origQty"]) == (pending, "49.99")
    assert row["orderListId"] == exchange.history(headers)["data"][0]["orderListId"]


def test_cancelling_an_unfilled_oto_by_its_working_id_ends_both_legs(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=ASKS, bids=BIDS)
    working, pending = place_oto(exchange, headers, "0.22", "50", "0.25")

    answer = cancel(exchange, headers, working)

    assert answer == sample("rest_cancel_2026-05.json")["response"]
    assert open_ids(exchange, headers) == []
    assert statuses(exchange) == {working: "CANCELED", pending: "CANCELED"}
    assert funding(exchange) == {"free": Decimal(1000), "locked": Decimal(0)}


@pytest.mark.parametrize(
    ("policy", "pending_status", "sold"),
    [
        ("pending_on_full_fill", "PENDING", "0"),
        ("pending_on_partial", "NEW", "0"),
        ("void_on_cancel", "CANCELED", "0"),
    ],
)
def test_a_partly_filled_working_leg_that_is_cancelled_follows_the_policy(
    exchange: Exchange, policy: str, pending_status: str, sold: str
) -> None:
    headers = exchange.add_user()
    exchange.control("settings", {"partial_fill": policy})
    exchange.set_book(AITECH, asks=[["0.23", "30"]], bids=BIDS)
    working, pending = place_oto(exchange, headers, "0.23", "50", "0.25")
    assert statuses(exchange)[working] == "PARTIALLY_FILLED"

    cancel(exchange, headers, working)

    legs = {order["order_id"]: order for order in exchange.orders()}
    assert (legs[working]["status"], legs[working]["executed"]) == ("CANCELED", "30")
    assert (legs[pending]["status"], legs[pending]["executed"]) == (pending_status, sold)
    held = exchange.truth()["accounts"][0]["tokens"]["ALPHA_373"]
    assert Decimal(held["free"]) + Decimal(held["locked"]) == Decimal("29.997")
    assert Decimal(held["locked"]) == (Decimal("29.99") if policy.endswith("partial") else 0)


def test_a_pending_leg_that_activates_in_parts_sells_each_part(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.control("settings", {"partial_fill": "pending_on_partial"})
    exchange.set_book(AITECH, asks=[["0.23", "30"]], bids=[["0.229", "1000"]])
    working, pending = place_oto(exchange, headers, "0.23", "50", "0.2")
    assert statuses(exchange) == {working: "PARTIALLY_FILLED", pending: "PARTIALLY_FILLED"}

    exchange.set_book(AITECH, asks=[["0.23", "30"]])

    legs = {order["order_id"]: order for order in exchange.orders()}
    assert (legs[working]["status"], legs[pending]["status"]) == ("FILLED", "FILLED")
    assert Decimal(legs[pending]["executed"]) == Decimal("49.99")


@pytest.mark.parametrize("prefix", ["asset", "defi"])
def test_a_cancel_in_the_form_of_2025_is_accepted(exchange: Exchange, prefix: str) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=[], bids=[])
    order_id = place(exchange, headers, plain_body("BUY", "0.2", "50", payment("0.2", "50")))

    old = {"orderId": order_id, "baseAsset": "ALPHA_373", "quoteAsset": "USDT"}
    answer = exchange.post(f"/bapi/{prefix}/v1/private/alpha-trade/order/cancel", headers, old)

    assert answer["success"] is True
    assert statuses(exchange) == {order_id: "CANCELED"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "get-listen-key"),
        ("PUT", "get-listen-key"),
        ("PUT", "userDataStream"),
        ("POST", "stream/get-listen-key"),
    ],
)
def test_a_listen_key_is_had_and_kept_in_every_form(
    exchange: Exchange, method: str, path: str
) -> None:
    headers = exchange.add_user()
    first = exchange.post(f"{TRADE}/get-listen-key", headers, {})["data"]

    again = exchange.http.request(method, f"{TRADE}/{path}", headers=headers).json()

    assert again["data"] == first


def test_cancel_at_a_closed_or_foreign_order_is_refused(exchange: Exchange) -> None:
    ann, bob = exchange.add_user("ann"), exchange.add_user("bob")
    exchange.set_book(AITECH, asks=[], bids=[])
    order_id = place(exchange, ann, plain_body("BUY", "0.2", "50", payment("0.2", "50")))

    assert cancel(exchange, bob, order_id)["success"] is False
    assert cancel(exchange, ann, order_id)["success"] is True
    assert cancel(exchange, ann, order_id)["success"] is False


def test_cancel_all_ends_every_open_order_of_the_caller_only(exchange: Exchange) -> None:
    ann, bob = exchange.add_user("ann"), exchange.add_user("bob")
    exchange.set_book(AITECH, asks=[], bids=[])
    for headers in (ann, bob):
        place(exchange, headers, plain_body("BUY", "0.2", "50", payment("0.2", "50")))
        place_oto(exchange, headers, "0.21", "50", "0.25")

    assert exchange.post(f"{TRADE}/order/cancel-all", ann, {})["success"] is True

    assert open_ids(exchange, ann) == []
    assert len(open_ids(exchange, bob)) == 3


def test_an_order_can_stay_invisible_to_reads_for_a_while(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=ASKS, bids=BIDS)
    exchange.fault("late_history", delay_ms=4_000, count=1)
    order_id = place(exchange, headers, plain_body("BUY", "0.2", "50", payment("0.2", "50")))

    exchange.step(3_999)
    assert open_ids(exchange, headers) == []
    exchange.step(1)

    assert open_ids(exchange, headers) == [order_id]


def test_history_pages_hold_every_order_once_newest_first(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=[["0.23", "100000"]], bids=[])
    placed = []
    for _ in range(7):
        body = plain_body("BUY", "0.23", "5", payment("0.23", "5"))
        placed.append(place(exchange, headers, body))
        exchange.step(5)

    path = f"{TRADE}/order/get-order-history-merge"
    pages = [
        exchange.get(path, headers, orderStatus="FILLED", page=page, rows=3)
        for page in (1, 2, 3, 4)
    ]

    assert [len(page["data"]) for page in pages] == [3, 3, 1, 0]
    assert {page["total"] for page in pages} == {7}
    listed = [row["orderId"] for page in pages for row in page["data"]]
    assert listed == placed[::-1]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("rest_place_buy_2025-07_old.json", PLACE),
        ("rest_place_buy_2026-05.json", PLACE),
        ("rest_place_buy_2_2026-05.json", f"{TRADE}/order/place"),
        ("rest_place_sell_2026-05.json", PLACE),
        ("rest_place_oto_2025-09_mobile_strings.json", f"{TRADE}/oto-order/place"),
        ("rest_place_oto_2025-09_web.json", PLACE_OTO),
        ("rest_place_oto_2026-05.json", PLACE_OTO),
        ("rest_place_oto_2_2026-05.json", PLACE_OTO),
    ],
)
def test_every_recorded_form_of_an_order_is_accepted(
    exchange: Exchange, name: str, path: str
) -> None:
    recorded = sample(name)
    headers = exchange.add_user(tokens={"ALPHA_971": "1790972.6"})
    headers["content-type"] = "application/json"
    raw = json.dumps(recorded["request"], default=float)

    posted = exchange.http.post(path, headers=headers, content=raw)

    answer = exact_json(posted.content)
    assert (answer["code"], answer["success"]) == ("000000", True)
    assert type(answer["data"]) is type(recorded["response"]["data"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (plain_body("BUY", "0.23", "100", "23.00000001"), "000002"),
        (plain_body("BUY", "0.230000001", "100", "23"), "481002"),
        (plain_body("BUY", "1001", "1", "1001"), "481002"),
        (plain_body("BUY", "0.23", "100.001", "23.00023"), "000002"),
        (plain_body("BUY", "0.23", "0.1", "0.023"), "481013"),
        (plain_body("BUY", "0.23", "9999999999.01", "1"), "481011"),
        (plain_body("BUY", "0.23", "10000", "2300"), "481020"),
        (plain_body("SELL", "0.23", "100", "100"), "481020"),
        (plain_body("BUY", "0.23", "abc", "23"), "481001"),
        (plain_body("BUY", "0.23", "-1", "23"), "481001"),
        (plain_body("HOLD", "0.23", "100", "23"), "481001"),
    ],
)
def test_what_the_rules_refuse_gets_its_code_and_changes_nothing(
    exchange: Exchange, body: dict[str, Any], code: str
) -> None:
    headers = exchange.add_user()
    before = exchange.truth_bytes()

    answer = exchange.post(PLACE, headers, body)

    assert (answer["code"], answer["success"], answer["data"]) == (code, False, None)
    assert exchange.truth_bytes() == before


def test_an_order_on_a_token_that_stopped_trading_is_refused(exchange: Exchange) -> None:
    headers = exchange.add_user(tokens={"ALPHA_373": "100"})
    exchange.control(f"symbols/{AITECH}", {"info": {"status": "DELISTED"}})

    answer = exchange.post(PLACE, headers, plain_body("SELL", "0.23", "100", "100"))

    assert answer["success"] is False
    listed = exchange.http.get("/bapi/defi/v1/public/alpha-trade/get-exchange-info").json()
    states = {row["symbol"]: row["status"] for row in listed["data"]["symbols"]}
    assert (states[AITECH], states[NEX]) == ("DELISTED", "TRADING")


def test_orders_need_accepted_terms(exchange: Exchange) -> None:
    headers = exchange.add_user(terms_accepted=False)
    path = "/bapi/defi/v1/private/wallet-direct/swap/terms-agreement"
    assert exchange.get(path, headers)["data"] is False

    body = plain_body("BUY", "0.2", "50", payment("0.2", "50"))

    assert exchange.post(PLACE, headers, body)["success"] is False


@pytest.mark.parametrize(
    "changed",
    [{"csrftoken": "0" * 32}, {"cookie": "p20t=web.1.NOBODY"}, {"cookie": "logined=y"}],
)
def test_a_wrong_session_gets_the_captured_answer(
    exchange: Exchange, changed: dict[str, str]
) -> None:
    headers = exchange.add_user() | changed

    answer = exchange.get(f"{TRADE}/order/get-open-order", headers, side="")

    assert answer == sample("rest_error_session_expired.json")


def test_a_session_can_end_and_begin_again(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.add_user(session_live=False)
    assert exchange.get(f"{TRADE}/order/get-open-order", headers)["code"] == "100002001"

    exchange.add_user(session_live=True)

    assert exchange.get(f"{TRADE}/order/get-open-order", headers)["code"] == "000000"


def test_todays_volume_counts_buys_times_the_multiplier_and_lags(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.control("settings", {"volume_lag_ms": 3_000})
    exchange.set_book(NEX, asks=[["0.000005665", "1000000"]], bids=[["0.000005665", "1000000"]])
    for side, quantity, amount in (
        ("BUY", "52938", "0.29989377"),
        ("SELL", "52932.7", "52932.7"),
    ):
        place(exchange, headers, plain_body(side, "0.000005665", quantity, amount, "ALPHA_971"))

    path = "/bapi/defi/v1/private/wallet-direct/buw/wallet/today/user-volume"
    assert exchange.get(path, headers)["data"]["totalVolume"] == 0
    exchange.step(3_000)
    counted = exchange.get(path, headers)["data"]
    assert counted["totalVolume"] == float(Decimal("0.29989377") * 4)
    exchange.step(86_400_000)

    assert exchange.get(path, headers)["data"]["totalVolume"] == 0


def test_a_sweep_to_earn_moves_idle_money_and_loses_none(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.fault("swept_to_earn", user="ann")

    path = "/bapi/asset/v3/private/asset-service/asset/get-wallet-asset"
    wallets = {"includeWallets": ["CARD", "MAIN", "SAVING"], "includeEq": True}
    [row] = exchange.post(path, headers, wallets)["data"]

    assert (row["funding"]["free"], row["earn"]["free"]) == ("0", "1000")


def test_what_was_swept_to_earn_comes_back_when_it_is_redeemed(exchange: Exchange) -> None:
    exchange.add_user()
    exchange.fault("swept_to_earn", user="ann")

    exchange.control("accounts/ann", {"redeem": True})

    account = exchange.truth()["accounts"][0]
    assert (account["funding"]["free"], account["earn"]["free"]) == ("1000", "0")


def test_every_placement_that_arrives_is_noted_whatever_becomes_of_it(exchange: Exchange) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=[["0.23", "30"]], bids=BIDS)
    place_oto(exchange, headers, "0.23", "50", "0.25")
    exchange.fault("server_error", endpoint="place", count=1)
    body = plain_body("BUY", "0.2", "50", "10")
    assert exchange.http.post(PLACE, headers=headers, json=body).is_server_error

    posts = exchange.http.get("/sim/posts").json()
    assert [(post["endpoint"], post["user"], post["symbol"]) for post in posts] == [
        ("place_oto", "ann", AITECH),
        ("place", "ann", AITECH),
    ]
    assert len(exchange.orders()) == 2


def test_the_same_requests_give_the_same_truth_byte_for_byte() -> None:
    truths = []
    for _ in range(2):
        plan = silent_plan(program=Program(mood=MOODS["choppy"]), seed=11)
        with running(plan) as exchange:
            headers = exchange.add_user()
            exchange.fault("answer_lost_after", endpoint="place", per_mille=500, count=3)
            for number in range(12):
                price = exchange.truth()["last_prices"][AITECH]
                body = plain_body("BUY", price, "50", payment(price, "50"))
                with suppress(httpx.RemoteProtocolError):
                    exchange.post(PLACE, headers, body)
                exchange.step(700 + number)
            truths.append(exchange.truth_bytes())

    assert truths[0] == truths[1]
    truth = json.loads(truths[0])
    placed = {order["order_id"] for order in truth["orders"]}
    lost = {json.loads(strike["detail"])["data"] for strike in truth["faults"]}
    assert len(placed) == 12
    assert len(lost) == 3
    assert lost <= placed


def test_the_log_says_what_a_lost_answer_was_although_other_faults_struck_meanwhile(
    exchange: Exchange,
) -> None:
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=[], bids=[])
    exchange.fault("answer_lost_after", endpoint="place_oto", count=1)
    exchange.fault("late_history", delay_ms=500, count=1)
    exchange.fault("report_delayed", delay_ms=500)

    body = oto_body("0.22", "50", "0.25", payment("0.22", "50"))
    with pytest.raises(httpx.RemoteProtocolError):
        exchange.post(PLACE_OTO, headers, body)

    told = {strike["kind"]: strike["detail"] for strike in exchange.truth()["faults"]}
    placed = json.loads(told["answer_lost_after"])["data"]
    assert str(placed["workingOrderId"]) in statuses(exchange)
    assert told["report_delayed"] == ""
    assert open_ids(exchange, headers) == []
    exchange.step(500)
    assert len(open_ids(exchange, headers)) == 2


def test_socket_faults_strike_in_the_same_order_in_every_run() -> None:
    truths = set()
    for _ in range(4):
        with running(silent_plan()) as exchange:
            sockets = []
            for name in ("ann", "bob", "cid", "dan", "eve", "fay"):
                headers = exchange.add_user(name)
                key = exchange.post(f"{TRADE}/get-listen-key", headers, {})["data"]
                socket = websocket.create_connection(f"{exchange.ws}/w3w/stream")
                command = {"method": "SUBSCRIBE", "params": [f"alpha@{key}"], "id": 1}
                socket.send(json.dumps(command))
                socket.recv()
                sockets.append(socket)
            exchange.fault("socket_cut", per_mille=600)
            truths.add(exchange.truth_bytes())
            for socket in sockets:
                socket.close()

    assert len(truths) == 1
    struck = [strike["user"] for strike in json.loads(truths.pop())["faults"]]
    assert struck == sorted(struck)
    assert 0 < len(struck) < 6


def test_a_socket_fault_strikes_as_often_as_it_was_asked_to(exchange: Exchange) -> None:
    sockets = [websocket.create_connection(f"{exchange.ws}/w3w/wsa/stream") for _ in range(3)]
    for socket in sockets:
        socket.send('{"method": "SUBSCRIBE", "params": ["x@trade"], "id": 1}')
        socket.recv()

    exchange.fault("socket_cut", count=1)

    assert len(exchange.truth()["faults"]) == 1
    for socket in sockets:
        socket.close()


def test_a_working_leg_cancelled_before_its_pending_leg_got_anything_fills_nothing(
    exchange: Exchange,
) -> None:
    headers = exchange.add_user()
    exchange.control("settings", {"partial_fill": "pending_on_partial"})
    exchange.set_book(AITECH, asks=[["0.23", "0.01"]], bids=BIDS)
    working, pending = place_oto(exchange, headers, "0.23", "50", "0.25")

    cancel(exchange, headers, working)

    assert statuses(exchange) == {working: "CANCELED", pending: "CANCELED"}


def test_a_candle_gets_its_closing_push() -> None:
    with running(silent_plan(program=Program(mood=MOODS["calm"]))) as exchange:
        socket = websocket.create_connection(f"{exchange.ws}/w3w/wsa/stream", timeout=10)
        stream = "alpha_373usdt@kline_1m"
        socket.send(json.dumps({"method": "SUBSCRIBE", "params": [stream], "id": 1}))
        socket.recv()
        exchange.step(200_000)
        pushes = [json.loads(socket.recv())["data"]["k"] for _ in range(190)]
        socket.close()

    closed = [push["t"] for push in pushes if push["x"]]
    opened = {push["t"] for push in pushes}
    assert len(closed) == 3
    assert set(closed) == opened - {max(opened)}


def test_a_stepped_run_does_not_depend_on_the_day_on_which_it_runs() -> None:
    first, second = (Simulation(silent_plan(start_ms=None)) for _ in range(2))

    assert truth_bytes(first.exchange) == truth_bytes(second.exchange)
