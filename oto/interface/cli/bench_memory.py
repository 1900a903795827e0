"""Resident memory of a simulator that plays its markets for a while."""

import asyncio
import time
from contextlib import AsyncExitStack

from oto.interface.cli.bench_wire import (
    MARKET_STREAM,
    Arrivals,
    BenchError,
    CpuMeter,
    Simulator,
    listeners,
)
from oto.interface.cli.output import Row

_NUMBERS = (971, 373, 118, 22, 396)  # of the built-in tokens that trade
_KINDS = ("aggTrade", "bookTicker", "fulldepth@100ms", "depth20@500ms", "kline_1m", "ticker")
_STREAMS = [f"alpha_{number}usdt@{kind}" for number in _NUMBERS for kind in _KINDS]
_SETTLED = 0.25  # of the time: until then caches and short histories fill


async def memory_of_play(
    running: Simulator, subscribers: int, seconds: float, speed: int, samples: int
) -> list[Row]:
    """Look at the memory at even intervals; `growth_kib` counts from a quarter of the time on.

    Raises:
        BenchError: this machine has no /proc to read it from, or a subscriber was dropped.
    """
    arrivals, rows = Arrivals(), list[Row]()
    settled_kib: int | None = None
    async with AsyncExitStack() as stack:
        sockets = await stack.enter_async_context(
            listeners(running, MARKET_STREAM, [_STREAMS] * subscribers, arrivals.note)
        )
        began, meter = time.perf_counter(), CpuMeter(running)
        for number in range(samples + 1):
            due_s = seconds * number / samples
            await asyncio.sleep(max(0, began + due_s - time.perf_counter()))
            rss_kib = running.rss_kib
            if rss_kib is None:
                raise BenchError("The memory of a process is read from /proc, which is not here.")
            if any(one.ended for one in sockets):
                raise BenchError("The simulator dropped a subscriber: the play is too fast for it.")
            if settled_kib is None and number >= samples * _SETTLED:
                settled_kib = rss_kib
            rows.append(
                {
                    "at_s": round(due_s, 1),
                    "tape_s": round(due_s * speed),
                    "rss_kib": rss_kib,
                    "growth_kib": None if settled_kib is None else rss_kib - settled_kib,
                    "frames": len(arrivals.times),
                    "sim_cpu": meter.shares()["sim_cpu"] if number else None,
                }
            )
    return rows
