"""The wire without sockets: the adapter's HTTP requests, handed to the simulator's own REST."""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import httpx

from oto.simulator.rest import Bapi
from oto.simulator.simulation import Simulation
from tests.drill.agenda import Agenda
from tests.drill.faults import BY_SIMULATOR, Chance, Fault
from tests.simulated import PLACE, PLACE_OTO

_PLACING = frozenset({PLACE, PLACE_OTO})
_LATEST_LAG_MS = 4_000
_LATE_MS = (500, 6_000)
_VERY_LATE_MS = (26_000, 60_000)

Message = MutableMapping[str, Any]


@dataclass(slots=True)
class Connection:
    """What the simulator can do to the connection below a request."""

    is_cut: bool = False

    def cut(self) -> None:
        self.is_cut = True

    def fall_silent(self) -> None:
        self.is_cut = True


@dataclass(slots=True)
class Exchanged:
    """One request on its way through the simulator's ASGI."""

    body: bytes
    wire: Connection = field(default_factory=Connection)
    received: bool = False
    sent: list[Message] = field(default_factory=list)

    async def receive(self) -> Message:
        if self.received:
            return {"type": "http.disconnect"}
        self.received = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def send(self, message: Message) -> None:
        self.sent.append(message)


class Wire(httpx.BaseTransport):
    """Carries requests; `posted` hears of each placement that leaves, and names it."""

    def __init__(self, simulation: Simulation, agenda: Agenda, chance: Chance) -> None:
        self._simulation = simulation
        self._exchange = simulation.exchange
        self._bapi = Bapi(simulation)
        self._agenda = agenda
        self._chance = chance
        self._fault: Fault | None = None
        self._lags_until_ms = 0
        self._old: dict[str, httpx.Response] = {}
        self.late = 0
        self.posted: Callable[[], int] = int
        self.made_by: dict[int, int] = {}
        """By order id, the placement that made the order."""
        self.very_late: set[int] = set()

    @contextmanager
    def struck(self, fault: Fault | None) -> Iterator[None]:
        """Let a fault strike the one request of the block."""
        self._fault = fault
        if fault is not None and (asked := BY_SIMULATOR.get(fault)) is not None:
            self._simulation.switch_on({**asked, "count": 1})
        if fault is Fault.LAGGING and self._lags_until_ms <= self._agenda.now_ms:
            self._lags_until_ms = self._agenda.now_ms + self._chance.ms(1_000, _LATEST_LAG_MS)
            self._old.clear()
        try:
            yield
        finally:
            self._fault = None
            self._exchange.faults.switch_off()

    def calm_down(self) -> None:
        """Show what is so; what is on its way still arrives."""
        self._lags_until_ms = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        fault = self._fault
        if fault is Fault.NO_CONNECTION:
            raise httpx.ConnectError("no connection", request=request)
        placement = self.posted() if request.url.path in _PLACING else 0
        if fault in {Fault.LATE, Fault.VERY_LATE}:
            self._send_later(request, placement, very=fault is Fault.VERY_LATE)
            raise httpx.ReadTimeout("no answer", request=request)
        if request.method == "GET":
            return self._as_it_was(request)
        return self._now(request, placement)

    def _as_it_was(self, request: httpx.Request) -> httpx.Response:
        """Answer a read; while reads lag, as the first of them was answered."""
        path = request.url.path
        struck = self._fault not in {None, Fault.LAGGING}
        # What a fault makes of an answer is not what was so.
        if struck or self._agenda.now_ms >= self._lags_until_ms:
            return self._now(request, 0)
        key = f"{path} {request.url.params.get('orderId', '')}"
        if key not in self._old:
            self._old[key] = self._now(request, 0)
        old = self._old[key]
        return httpx.Response(old.status_code, headers=old.headers, content=old.content)

    def _send_later(self, request: httpx.Request, placement: int, *, very: bool) -> None:
        self.late += 1
        least, most = _VERY_LATE_MS if very else _LATE_MS

        def arrive() -> None:
            self.late -= 1
            before = len(self._exchange.orders)
            self._now(request, placement)
            if very:
                self.very_late |= {key[1] for key in islice(self._exchange.orders, before, None)}

        self._agenda.after(self._chance.ms(least, most), arrive)

    def _now(self, request: httpx.Request, placement: int) -> httpx.Response:
        before = len(self._exchange.orders)
        exchanged = Exchanged(request.content)
        try:
            _run(self._bapi(_scope(request, exchanged), exchanged.receive, exchanged.send))
        finally:
            made = islice(self._exchange.orders, before, None)
            self.made_by |= {order_id: placement for _, order_id in made}
        if exchanged.wire.is_cut:
            raise httpx.ReadError("cut", request=request)
        start, body = exchanged.sent
        return httpx.Response(start["status"], headers=start["headers"], content=body["body"])


def _scope(request: httpx.Request, exchanged: Exchanged) -> Message:
    return {
        "type": "http",
        "method": request.method,
        "path": request.url.path,
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "extensions": {"oto.wire": exchanged.wire},
    }


def _run(work: Awaitable[None]) -> None:
    """Run a coroutine that waits for nothing.

    Raises:
        RuntimeError: it waits.
    """
    for _ in work.__await__():
        raise RuntimeError("the simulator waits, and nothing would wake it")
