"""Load for a simulator: requests over several connections, pushes to many sockets, long play."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

from oto.interface.cli.bench_wire import (
    MARKET_STREAM,
    USER_STREAM,
    Arrivals,
    BenchError,
    CpuMeter,
    HttpConnection,
    Simulator,
    http_connections,
    listeners,
    request_bytes,
)
from oto.interface.cli.output import Row

Step = Callable[[HttpConnection], Awaitable[None]]
"""One unit of work on one connection; its time is the latency that is told."""

SYMBOL = "ALPHA_373USDT"

_ALPHA_ID = SYMBOL.removesuffix("USDT")
_PUBLIC = "/bapi/defi/v1/public/alpha-trade"
_TRADE = "/bapi/defi/v1/private/alpha-trade"
_PLACE = "/bapi/asset/v1/private/alpha-trade/order/place"
_CANCEL = f"{_TRADE}/order/cancel"
_LISTEN_KEY = f"{_TRADE}/get-listen-key"
_SUCCESS = b'{"code":"000000"'
_STANDING_ORDERS = 5
_FAR_PRICE = Decimal("0.1")  # of a market at 0.227: an order that rests
_TOP_PRICE = Decimal("0.3")
_PRICE_GAP = Decimal("0.0001")
_ORDER_SIZE = 10
_MODERATE = 0.5  # of the most requests per second
_WARM_UP_PART = 0.2


async def rest_load(running: Simulator, connections: int, seconds: float) -> list[Row]:
    """Measure a public read, a private read, and placing with cancelling."""
    async with http_connections(running, connections) as opened:
        accounts = [
            await _account(opened[0], f"bench-{number}") for number in range(1, connections + 1)
        ]
        for account in accounts:
            for _ in range(_STANDING_ORDERS):
                await _checked(opened[0], _order_bytes(account, _FAR_PRICE))
        depth = request_bytes("GET", f"{_PUBLIC}/fullDepth?symbol={SYMBOL}&limit=500")
        path = f"{_TRADE}/order/get-open-order"
        workloads = [
            ("full depth", 1, [_read(depth) for _ in accounts]),
            (
                f"{_STANDING_ORDERS} open orders",
                1,
                [_read(request_bytes("GET", path, account)) for account in accounts],
            ),
            ("place and cancel", 2, [_place_and_cancel(account) for account in accounts]),
        ]
        return [
            await _measured(running, name, requests, list(zip(opened, steps, strict=True)), seconds)
            for name, requests, steps in workloads
        ]


async def _measured(
    running: Simulator,
    name: str,
    requests: int,
    work: Sequence[tuple[HttpConnection, Step]],
    seconds: float,
) -> Row:
    await _run(work, seconds * _WARM_UP_PART, None)
    meter, began = CpuMeter(running), time.perf_counter()
    done = len(await _run(work, seconds, None)) * requests
    per_s, cpu_s, shares = done / (time.perf_counter() - began), meter.simulator_s, meter.shares()
    moderate = per_s * _MODERATE
    taken = await _run(work, seconds, len(work) * requests / moderate)
    return {
        "workload": name,
        "conns": len(work),
        "req_s": round(per_s),
        **shares,
        "sim_us": None if cpu_s is None else round(cpu_s / done * 1_000_000),
        "at_req_s": round(moderate),
        **{f"p{part}_ms": _ms(percentile(taken, part)) for part in (50, 95, 99)},
    }


async def _run(
    work: Sequence[tuple[HttpConnection, Step]], seconds: float, pace_s: float | None
) -> list[float]:
    """Repeat every step for some time, at once again or at a pace; return the latencies.

    At a pace the latency counts from when a step was due, so a late start is not hidden.
    """
    end = time.perf_counter() + seconds
    taken: list[float] = []

    async def repeat(number: int, connection: HttpConnection, step: Step) -> None:
        due = time.perf_counter() + (pace_s or 0) * number / len(work)
        while due < end:
            if pace_s is not None:
                await asyncio.sleep(max(0, due - time.perf_counter()))
            await step(connection)
            now = time.perf_counter()
            taken.append(now - due)
            due = now if pace_s is None else due + pace_s

    # Not a task group: the first error is to be told by itself.
    await asyncio.gather(*(repeat(number, *pair) for number, pair in enumerate(work)))
    return taken


def _read(request: bytes) -> Step:
    async def step(connection: HttpConnection) -> None:
        await _checked(connection, request)

    return step


def _place_and_cancel(account: dict[str, Any]) -> Step:
    place = _order_bytes(account, _FAR_PRICE)
    # Every order id of this market has as many digits: only they change in the cancel.
    model = "0" * 8
    cancel = request_bytes("POST", _CANCEL, account, {"symbol": SYMBOL, "orderId": model})
    before, _, after = cancel.rpartition(model.encode())

    async def step(connection: HttpConnection) -> None:
        answer = await _checked(connection, place)
        order_id = answer.partition(b'"data":"')[2].partition(b'"')[0]
        await _checked(connection, before + order_id.rjust(len(model), b"0") + after)

    return step


async def _checked(connection: HttpConnection, request: bytes) -> bytes:
    answer = await connection.ask(request)
    if not answer.startswith(_SUCCESS):
        raise BenchError(f"The simulator refused: {answer[:200].decode(errors='replace')}")
    return answer


async def _account(connection: HttpConnection, name: str) -> dict[str, Any]:
    path = f"/sim/accounts/{name}"
    made: dict[str, Any] = await connection.ask_json("POST", path, {"funding": "1000000"})
    return made


def _order_bytes(account: dict[str, Any], price: Decimal) -> bytes:
    order = {
        "baseAsset": _ALPHA_ID,
        "quoteAsset": "USDT",
        "side": "BUY",
        "price": f"{price:f}",
        "quantity": str(_ORDER_SIZE),
        "paymentDetails": [{"amount": f"{price * _ORDER_SIZE:f}", "paymentWalletType": "CARD"}],
        "orderType": "LIMIT",
    }
    return request_bytes("POST", _PLACE, account, order)


async def user_fan_out(running: Simulator, sockets: int, rounds: int, burst: int) -> list[Row]:
    """Fill one resting order of every account by one trade, then by trades one after the other."""
    arrivals = Arrivals()
    async with AsyncExitStack() as stack:
        (connection,) = await stack.enter_async_context(http_connections(running, 1))
        await _silent_book(connection)
        accounts = [await _account(connection, f"bench-{one}") for one in range(1, sockets + 1)]
        names = []
        for account in accounts:
            answer = await connection.ask(request_bytes("POST", _LISTEN_KEY, account, {}))
            names.append(["alpha@" + answer.partition(b'"data":"')[2].partition(b'"')[0].decode()])
        await stack.enter_async_context(listeners(running, USER_STREAM, names, arrivals.note))
        single = [
            await _filled(running, connection, accounts, arrivals, levels=1) for _ in range(rounds)
        ]
        many = await _filled(running, connection, accounts, arrivals, levels=burst)
    return [
        _fan_out_row("1 fill each", sockets, single),
        _fan_out_row(f"{burst} fills each", sockets, [many]),
    ]


Burst = tuple[list[float], dict[str, int | None]]
"""Seconds from the first request to each frame, and the shares of the CPU."""


async def _filled(
    running: Simulator,
    connection: HttpConnection,
    accounts: Sequence[dict[str, Any]],
    arrivals: Arrivals,
    *,
    levels: int,
) -> Burst:
    prices = [_TOP_PRICE - number * _PRICE_GAP for number in range(levels)]
    arrivals.expect(levels * len(accounts))
    for price in prices:
        for account in accounts:
            await _checked(connection, _order_bytes(account, price))
    await arrivals.complete()
    # A trade just below a price fills, at that price, everybody who rests there.
    trades = [_trade_bytes(price - _PRICE_GAP / 2, _ORDER_SIZE * len(accounts)) for price in prices]
    return await _burst(running, connection, trades, arrivals, levels * len(accounts))


async def market_fan_out(running: Simulator, sockets: int, rounds: int, burst: int) -> list[Row]:
    """Push one trade to every socket of one stream, then trades one after the other."""
    arrivals = Arrivals()
    names = [[f"{SYMBOL.lower()}@aggTrade"]] * sockets
    async with AsyncExitStack() as stack:
        (connection,) = await stack.enter_async_context(http_connections(running, 1))
        await _silent_book(connection)
        await stack.enter_async_context(listeners(running, MARKET_STREAM, names, arrivals.note))
        trade = _trade_bytes(_TOP_PRICE, _ORDER_SIZE)
        single = [
            await _burst(running, connection, [trade], arrivals, sockets) for _ in range(rounds)
        ]
        many = await _burst(running, connection, [trade] * burst, arrivals, sockets * burst)
    return [
        _fan_out_row("1 trade", sockets, single),
        _fan_out_row(f"{burst} trades", sockets, [many]),
    ]


async def _burst(
    running: Simulator,
    connection: HttpConnection,
    requests: Sequence[bytes],
    arrivals: Arrivals,
    frames: int,
) -> Burst:
    arrivals.expect(frames)
    meter, began = CpuMeter(running), time.perf_counter()
    for request in requests:
        await connection.ask(request)
    times = await arrivals.complete()
    return [at - began for at in times], meter.shares()


def _fan_out_row(event: str, sockets: int, bursts: Sequence[Burst]) -> Row:
    """Tell the median of several bursts; one burst is told as it was."""
    times = [burst[0] for burst in bursts]
    last = [burst[-1] for burst in times]
    # The kernel counts CPU in hundredths of a second: too coarse for a single event.
    shares = bursts[0][1] if len(bursts) == 1 else {"sim_cpu": None, "client_cpu": None}
    return {
        "event": event,
        "sockets": sockets,
        "frames": len(times[0]),
        "frames_s": round(statistics.median(len(burst) / burst[-1] for burst in times)),
        "first_ms": _ms(statistics.median(burst[0] for burst in times)),
        "median_ms": _ms(statistics.median(statistics.median(burst) for burst in times)),
        "last_ms": _ms(statistics.median(last)),
        "worst_ms": _ms(max(last)),
        **shares,
    }


async def _silent_book(connection: HttpConnection) -> None:
    """Set a book by hand, so that only the benchmark's own trades move the market."""
    book = {"bids": [["0.2", "1000"]], "asks": [["0.4", "1000"]]}
    await connection.ask_json("POST", f"/sim/symbols/{SYMBOL}/book", book)


def _trade_bytes(price: Decimal, quantity: int) -> bytes:
    trade = {"price": f"{price:f}", "quantity": str(quantity), "buyer_is_maker": True}
    return request_bytes("POST", f"/sim/symbols/{SYMBOL}/trade", body=trade)


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that so many percent do not exceed."""
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
