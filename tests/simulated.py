"""A simulated exchange on a real loopback socket, in a thread of the test."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx

from oto.domain.market import Symbol
from oto.simulator import listings
from oto.simulator.liquidity import BookShape
from oto.simulator.playing import Program
from oto.simulator.server import Server, bound_socket, urls_of
from oto.simulator.settings import Settings
from oto.simulator.simulation import Plan, Simulation

PLACE = "/bapi/asset/v1/private/alpha-trade/order/place"
PLACE_OTO = "/bapi/asset/v1/private/alpha-trade/oto-order/place"
TRADE = "/bapi/defi/v1/private/alpha-trade"
HISTORY_STATUSES = "FILLED,PARTIALLY_FILLED,EXPIRED,CANCELED,REJECTED"

NEX = Symbol("ALPHA_971USDT")
AITECH = Symbol("ALPHA_373USDT")


def silent_plan(**changes: Any) -> Plan:  # noqa: ANN401 - fields of Plan
    """Return a plan of a stepped exchange whose markets do nothing by themselves."""
    settings = Settings(zombie_per_mille=0, crossed_per_mille=0, book=BookShape())
    plan = Plan(
        listings.built_in(),
        Program(mood=None),
        settings,
        stepped=True,
        start_ms=1_759_043_608_334,
    )
    return replace(plan, **changes)


class Exchange:
    """What a test does with a simulated exchange: control it, and speak raw HTTP to it."""

    def __init__(self, rest: str, ws: str) -> None:
        self.rest = rest
        self.ws = ws
        self.http = httpx.Client(base_url=rest, timeout=10)

    def control(self, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """POST to the control surface and return its JSON answer."""
        response = self.http.post(f"/sim/{path}", json=body or {})
        assert response.status_code == 200, response.text
        return response.json()

    def add_user(self, name: str = "ann", **wallets: Any) -> dict[str, str]:  # noqa: ANN401
        """Create or change an account and return the headers that its browser would send."""
        credentials = self.control(f"accounts/{name}", {"funding": "1000"} | wallets)
        cookies = "; ".join(f"{key}={value}" for key, value in credentials["cookies"].items())
        return {**credentials["headers"], "cookie": cookies}

    def credentials(self, name: str = "ann", **wallets: Any) -> dict[str, Any]:  # noqa: ANN401
        """Create or change an account and return its headers and cookies."""
        answer: dict[str, Any] = self.control(f"accounts/{name}", {"funding": "1000"} | wallets)
        return answer

    def fault(self, kind: str, **options: Any) -> int:  # noqa: ANN401 - fields of a fault
        fault_id: int = self.control("faults", {"kind": kind} | options)["fault_id"]
        return fault_id

    def step(self, ms: int) -> None:
        self.control("step", {"ms": ms})

    def set_book(self, symbol: str, **sides: list[list[str]]) -> None:
        self.control(f"symbols/{symbol}/book", sides)

    def truth(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.truth_bytes())
        return answer

    def truth_bytes(self) -> bytes:
        return self.http.get("/sim/truth").content

    def orders(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.truth()["orders"]
        return rows

    def get(self, path: str, headers: Mapping[str, str], **query: Any) -> Any:  # noqa: ANN401
        """GET a private path of the exchange and return the whole envelope."""
        return self.http.get(path, headers=dict(headers), params=query).json()

    def post(self, path: str, headers: Mapping[str, str], body: Any) -> Any:  # noqa: ANN401
        """POST to a private path of the exchange and return the whole envelope."""
        return self.http.post(path, headers=dict(headers), json=body).json()

    def history(self, headers: Mapping[str, str], **query: Any) -> Any:  # noqa: ANN401
        path = f"{TRADE}/order/get-order-history-merge"
        return self.get(path, headers, orderStatus=HISTORY_STATUSES, page=1, rows=50, **query)


def oto_body(
    working_price: str, quantity: str, pending_price: str, amount: str, alpha_id: str = "ALPHA_373"
) -> dict[str, Any]:
    return {
        "baseAsset": alpha_id,
        "quoteAsset": "USDT",
        "workingSide": "BUY",
        "workingPrice": working_price,
        "workingQuantity": quantity,
        "paymentDetails": [{"amount": amount, "paymentWalletType": "CARD"}],
        "pendingPrice": pending_price,
        "pendingType": "LIMIT",
    }


def plain_body(
    side: str, price: str, quantity: str, amount: str, alpha_id: str = "ALPHA_373"
) -> dict[str, Any]:
    wallet = "CARD" if side == "BUY" else "ALPHA"
    return {
        "baseAsset": alpha_id,
        "quoteAsset": "USDT",
        "side": side,
        "price": price,
        "quantity": quantity,
        "paymentDetails": [{"amount": amount, "paymentWalletType": wallet}],
        "orderType": "LIMIT",
    }


def payment(price: str, quantity: str) -> str:
    """Return the payment amount of a BUY, cut to 8 decimals."""
    exact = Decimal(price) * Decimal(quantity)
    return f"{exact.quantize(Decimal('1e-8'), rounding='ROUND_FLOOR'):f}"


@contextmanager
def running(plan: Plan) -> Iterator[Exchange]:
    """Serve a simulation on a free port until the block ends."""
    listening = bound_socket("127.0.0.1", 0)
    urls = urls_of(listening)
    ready = threading.Event()
    server = Server(Simulation(plan), ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    assert ready.wait(10), "the simulator did not start"
    exchange = Exchange(urls["rest"], urls["ws"])
    try:
        yield exchange
    finally:
        exchange.http.close()
        server.should_exit = True
        thread.join(10)
        listening.close()
    assert not thread.is_alive(), "the simulator did not stop"
