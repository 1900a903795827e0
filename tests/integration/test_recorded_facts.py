"""What was captured on the real exchange comes out of the simulator to the last digit."""

import gzip
import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
import websocket

from oto.simulator import listings
from tests.samples import sample, shared
from tests.simulated import (
    AITECH,
    NEX,
    PLACE,
    PLACE_OTO,
    TRADE,
    Exchange,
    oto_body,
    plain_body,
    running,
    silent_plan,
)

pytestmark = pytest.mark.integration

STEP_CHANGED = ("2025-09-29 13:00:28", "2025-09-29 13:02:12")


def reports(socket: websocket.WebSocket, count: int) -> list[dict[str, Any]]:
    socket.settimeout(10)
    return [json.loads(socket.recv())["data"] for _ in range(count)]


def subscribed(exchange: Exchange, headers: dict[str, str]) -> websocket.WebSocket:
    key = exchange.post(f"{TRADE}/get-listen-key", headers, {})["data"]
    socket = websocket.create_connection(f"{exchange.ws}/w3w/stream")
    socket.send(json.dumps({"method": "SUBSCRIBE", "params": [f"alpha@{key}"], "id": 2}))
    assert json.loads(socket.recv()) == {"result": None, "id": 2}
    return socket


def test_the_captured_oto_life_is_reproduced_report_by_report(exchange: Exchange) -> None:
    captured = [message["data"] for message in sample("ws_user_oto_sequence_2025-09.json")]
    headers = exchange.add_user()
    exchange.set_book(AITECH, asks=[["0.22690469", "2000"]], bids=[["0.22690468", "200", "1000"]])
    exchange.control(f"symbols/{AITECH}", {"last_order_id": 51481848, "last_trade_id": 798490})
    exchange.control(
        "settings",
        {
            "match_delay_ms": [847, 1315],
            "report_delay_ms": [12, 12, 159, 160, 182],
            "last_list_id": 89863104,
            "last_event_id": 12501197285,
        },
    )
    socket = subscribed(exchange, headers)

    order = oto_body("0.23", "869.56", "0.0001", "199.9988")
    answer = exchange.post(PLACE_OTO, headers, order)
    # Between the captured events the one global counter moved on with other people's trades.
    exchange.step(846)
    exchange.control("settings", {"last_event_id": 12501200713})
    exchange.step(1315)
    exchange.control("settings", {"last_event_id": 12501205151})
    exchange.step(200)
    pushed = reports(socket, 6)
    socket.close()

    assert answer["data"] == {"workingOrderId": 51481849, "pendingOrderId": 51481850}
    hidden = {"c"}  # the capture's client order ids are replaced by fakes
    for seen, known in zip(pushed, captured, strict=True):
        assert {k: v for k, v in seen.items() if k not in hidden} == {
            k: v for k, v in known.items() if k not in hidden
        }
    assert {report["i"]: report["c"] for report in pushed[:2]} == {
        report["i"]: report["c"] for report in pushed[4:5] + pushed[2:3]
    }


def test_the_published_golden_round_is_reproduced_to_the_last_digit(exchange: Exchange) -> None:
    golden = sample("calc_round_trip_2026-05-22.json")
    headers = exchange.add_user(funding="0.29989377")
    exchange.set_book(NEX, asks=[["0.000005665", "1000000"]], bids=[["0.000005665", "1000000"]])

    price = golden["buy"]["price"]
    for side, amount in (("buy", "0.29989377"), ("sell", golden["sell"]["qty"])):
        order = plain_body(side.upper(), price, golden[side]["qty"], amount, "ALPHA_971")
        order_id = exchange.post(PLACE, headers, order)["data"]
        [fill] = exchange.get(
            f"{TRADE}/order/get-user-trades", headers, symbol=NEX, orderId=order_id
        )["data"]
        assert fill["commissionAsset"] == golden[side]["commissionAsset"]
        for key in ("qty", "quoteQty", "commission"):
            assert (side, key, Decimal(fill[key])) == (side, key, Decimal(golden[side][key]))
        if side == "buy":
            assert holding(exchange, headers) == golden["base_free_after_buy"]

    assert holding(exchange, headers) == golden["base_left"]
    funding = Decimal(exchange.truth()["accounts"][0]["funding"]["free"])
    assert funding - Decimal("0.29989377") == Decimal(golden["usdt_change_approx"])


def holding(exchange: Exchange, headers: dict[str, str]) -> str:
    path = "/bapi/defi/v1/private/wallet-direct/cloud-wallet/alpha"
    [row] = exchange.get(path, headers)["data"]["list"]
    free: str = row["free"]
    return free


def recorded_placements() -> list[dict[str, Any]]:
    path = shared("data/alpha/alpha_order_place_log_a.jsonl.gz")
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_the_91_recorded_placements_get_their_recorded_codes() -> None:
    """Post each recorded body raw, with a wallet that is exactly enough, or one unit short.

    For 15 of the 17 recorded 000002 no arithmetic on the body can be the reason: the amount *is*
    the price times the quantity, cut to 8 decimals (one even without cutting), as in the accepted
    ones. All 15 stand in one window of 104 s on one symbol, with quantities off any coarser step.
    They are replayed with a lot step of 1 in that window, which is a guess that fits the code.
    """
    rows = recorded_placements()
    listed = listings_of({row["symbol"] for row in rows})
    codes: Counter[str] = Counter()
    with running(silent_plan(listings=listed)) as exchange:
        for symbol in {row["symbol"] for row in rows}:
            exchange.set_book(symbol, asks=[], bids=[])
        for row in rows:
            in_window = STEP_CHANGED[0] <= row["time_local"] <= STEP_CHANGED[1]
            step = "1" if in_window and row["symbol"] == "ALPHA_347USDT" else "0.01"
            lot = {"filterType": "LOT_SIZE", "stepSize": step}
            exchange.control(f"symbols/{row['symbol']}", {"info": {"filters": [lot]}})
            headers = exchange.add_user(**wallet_for(row))
            path = row["endpoint"]
            raw = json.dumps(row["payload"]).encode()
            posted = exchange.http.post(
                path, headers={**headers, "content-type": "application/json"}, content=raw
            )
            answer = posted.json()
            assert (row["time_local"], posted.status_code) == (row["time_local"], row["http"])
            assert (row["time_local"], answer["code"]) == (
                row["time_local"],
                row["response"]["code"],
            )
            codes[answer["code"]] += 1
            exchange.post(f"{TRADE}/order/cancel-all", headers, {})

    assert codes == {"000000": 51, "000002": 17, "481020": 23}


def listings_of(symbols: set[str]) -> list[listings.Listing]:
    tokens = shared("data/alpha/alpha_token_list_2025-10-14.json.gz")
    rules = shared("data/alpha/alpha_exchange_info_2025-09-28.json.gz")
    return [one for one in listings.load(tokens, rules) if one.rules.symbol in symbols]


def wallet_for(row: dict[str, Any]) -> dict[str, Any]:
    """Return wallets that hold exactly the payment, or one unit less where it was refused."""
    payment = Decimal(row["payload"]["paymentDetails"][0]["amount"])
    short = row["response"]["code"] == "481020"
    held = payment - Decimal("0.00000001") if short else payment
    if row["side"] == "BUY":
        return {"funding": f"{held:f}"}
    return {"tokens": {row["payload"]["baseAsset"]: f"{held:f}"}}


def test_two_of_the_recorded_mismatches_follow_from_their_amounts_alone() -> None:
    mismatched = [row for row in recorded_placements() if row["response"]["code"] == "000002"]

    def due(row: dict[str, Any]) -> Decimal:
        price, quantity = (Decimal(str(row["payload"][key])) for key in ("price", "quantity"))
        return (price * quantity).quantize(Decimal("1e-8"), rounding="ROUND_FLOOR")

    unequal = [
        row
        for row in mismatched
        if due(row) != Decimal(row["payload"]["paymentDetails"][0]["amount"])
    ]

    assert (len(mismatched), len(unequal)) == (17, 2)
    assert all(
        STEP_CHANGED[0] <= row["time_local"] <= STEP_CHANGED[1]
        for row in mismatched
        if row not in unequal
    )
