"""What each fault does, and how it is taken back."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis
from sqlalchemy import text

from oto.application.ports import Wake
from oto.domain.errors import SentenceError
from oto.infrastructure.sabotage import CLOCKS, CRASHES, WAKES
from workers.drill.halting import Span, hold, lift_all
from workers.drill.machine import AWAY, Machine
from workers.drill.schedule import SYMBOLS, Strike
from workers.drill.simulator import Simulator

_CRASH_WITHIN_S = 6.0
_OLD_WAKES_WITHIN_S = 4.0
_REDEEMED_AFTER_S = 3.0
_FULL_DEPTH_USDT = 2_000
_LOOK_EVERY_S = 0.02
_MS = 1000
_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"

Undo = Callable[[], None]


@dataclass(slots=True)
class Disturber:
    """Lets faults strike a machine and its exchange; `later` takes what is to be undone when."""

    machine: Machine
    simulator: Simulator
    folder: Path
    users: int
    spans: list[Span]
    later: Callable[[float, Undo], None]
    stopping: threading.Event

    def __post_init__(self) -> None:
        for name in (CLOCKS, CRASHES):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def strike(self, strike: Strike) -> str:
        """Let a fault strike; return what it did, in a few words."""
        asked = strike.parameters
        if (act := _ACTS.get(strike.fault)) is not None:
            return act(self, asked)
        name, _, rest = strike.fault.partition("_")
        if name == "crash":
            return self.crash(rest)
        if name == "wakes":
            return self.wakes(rest, asked)
        self.simulator.switch_on(strike.fault, **asked)
        return ""

    def calm(self) -> None:
        """Take back everything that lasts."""
        self.simulator.calm()
        self.simulator.settle(depth_usdt=_FULL_DEPTH_USDT)
        for number in range(1, self.users + 1):
            self.simulator.change_account(f"sim-{number}", redeem=True, session_live=True)
        self.machine.patiently(lift_all)
        (self.folder / WAKES).unlink(missing_ok=True)
        for file in (*(self.folder / CRASHES).iterdir(), *(self.folder / CLOCKS).iterdir()):
            file.unlink(missing_ok=True)
        for process in self.machine.everything():
            with suppress(OSError, psutil.Error):
                process.send_signal(signal.SIGCONT)

    def crash(self, point: str) -> str:
        file = self.folder / CRASHES / point
        file.touch()
        began = time.monotonic()
        while time.monotonic() - began < _CRASH_WITHIN_S and not self.stopping.is_set():
            if not file.exists():
                return f"after {time.monotonic() - began:.2f} s"
            time.sleep(_LOOK_EVERY_S)
        with suppress(FileNotFoundError):
            file.unlink()
            return "nobody came by"
        return "at the last moment"

    def wakes(self, what: str, asked: Mapping[str, Any]) -> str:
        file = self.folder / WAKES
        half = file.with_suffix(".half")
        half.write_text(json.dumps({what: asked["per_mille"]}))
        half.replace(file)
        self.later(asked["for_ms"] / _MS, lambda: file.unlink(missing_ok=True))
        return ""

    def old_wakes(self, asked: Mapping[str, Any]) -> str:
        house = self.machine.house
        wakes = [
            Wake(view.job.job_id, epoch)
            for view in house.jobs.views(active=True)
            for epoch in range(max(0, view.epoch - asked["epochs_back"]), view.epoch + 1)
            for _ in range(asked["copies"])
        ]
        deadline = time.monotonic() + _OLD_WAKES_WITHIN_S
        for number, wake in enumerate(wakes):
            if self.stopping.is_set() or time.monotonic() > deadline:
                return f"{number} of {len(wakes)}"
            house.dispatcher.wake(wake)
        return f"{len(wakes)} of them"

    def clock_stepped(self, asked: Mapping[str, Any]) -> str:
        processes = self.machine.processes()
        whose = processes if asked["whose"] == "all" else {asked["whose"]}
        files = [
            self.folder / CLOCKS / str(process.pid)
            for name, process in processes.items()
            if name in whose
        ]
        for file in files:
            file.write_text(str(asked["step_s"]))

        def right() -> None:
            for file in files:
                file.unlink(missing_ok=True)

        self.later(asked["for_ms"] / _MS, right)
        return f"of {len(files)} processes"

    def kill(self, name: str) -> str:
        return self.machine.signal(name, signal.SIGKILL)

    def restart(self, kill: Callable[[], None]) -> str:
        began = time.monotonic()
        kill()
        down_s = time.monotonic() - began
        self.machine.start()
        return f"down in {down_s:.1f} s, up again in {time.monotonic() - began:.1f} s"

    def freeze_worker(self, asked: Mapping[str, Any]) -> str:
        name = f"worker-{asked['worker']}"
        process = self.machine.processes().get(name)
        if process is None:
            return f"{name} was not running"
        with suppress(psutil.Error):
            process.suspend()
        self.stopping.wait(asked["for_ms"] / _MS)
        with suppress(psutil.Error):
            process.resume()
        return f"{name} for {asked['for_ms']} ms"

    def flush_redis(self, _: Mapping[str, Any]) -> str:
        with redis.Redis.from_url(self.machine.house.urls.redis_url) as client:
            client.flushall()
        return ""

    def cut_postgres(self, _: Mapping[str, Any]) -> str:
        with self.machine.house.engine.connect() as connection:
            cut = len(connection.execute(text(_CUT)).all())
        return f"{cut} connections"

    def slow_postgres(self, asked: Mapping[str, Any]) -> str:
        with self.machine.house.engine.begin() as connection:
            connection.execute(text("LOCK TABLE jobs, cycles IN EXCLUSIVE MODE"))
            self.stopping.wait(asked["for_ms"] / _MS)
        return f"jobs and cycles locked for {asked['for_ms']} ms"

    def halt(self, asked: Mapping[str, Any]) -> str:
        span, left = hold(
            self.machine.settings,
            user=asked.get("user"),
            symbol=asked.get("symbol"),
            flatten=asked["flatten"],
            for_s=asked["for_ms"] / _MS,
        )
        self.spans.append(span)
        return left

    def halt_dead(self, asked: Mapping[str, Any]) -> str:
        """Halt while nothing runs but PostgreSQL, and nothing starts the rest again."""
        processes = self.machine.processes()
        keepers = [one for one in self.machine.keepers() if one.is_running()]
        for one in keepers:
            one.suspend()
        try:
            for name in (name for name in processes if name != "postgres"):
                self.kill(name)
            return self.halt(asked)
        finally:
            for one in keepers:
                with suppress(OSError, psutil.Error):
                    one.resume()

    def restricted(self, asked: Mapping[str, Any]) -> str:
        self.simulator.switch_on("unknown_code", code="351022", **asked)
        return ""

    def swept(self, asked: Mapping[str, Any]) -> str:
        self.simulator.switch_on("swept_to_earn", **asked)
        names = [f"sim-{number}" for number in range(1, self.users + 1)]
        swept = names if asked["user"] == "*" else [asked["user"]]

        def redeem() -> None:
            for name in swept:
                self.simulator.change_account(name, redeem=True)

        self.later(_REDEEMED_AFTER_S, redeem)
        return ""

    def policy(self, asked: Mapping[str, Any]) -> str:
        self.simulator.settle(partial_fill=asked["policy"])
        return ""

    def thin_book(self, asked: Mapping[str, Any]) -> str:
        self.simulator.settle(depth_usdt=asked["depth_usdt"])
        self.later(
            asked["for_ms"] / _MS, lambda: self.simulator.settle(depth_usdt=_FULL_DEPTH_USDT)
        )
        return ""


_ACTS: Mapping[str, Callable[[Disturber, Mapping[str, Any]], str]] = {
    "kill_worker": lambda it, asked: it.kill(f"worker-{asked['worker']}"),
    "kill_order_streamer": lambda it, _: it.kill("order-streamer"),
    "kill_price_streamer": lambda it, _: it.kill("price-streamer"),
    "kill_beat": lambda it, _: it.kill("beat"),
    "kill_redis": lambda it, _: it.kill("redis"),
    "kill_postgres": lambda it, _: it.kill("postgres"),
    "kill_supervisor": lambda it, _: it.restart(it.machine.kill),
    "kill_guard": lambda it, _: it.restart(it.machine.kill_guard),
    "halt_all": Disturber.halt,
    "halt_user": Disturber.halt,
    "halt_token": lambda it, asked: it.halt({**asked, "symbol": SYMBOLS[0]}),
    "halt_dead": Disturber.halt_dead,
    "freeze_worker": Disturber.freeze_worker,
    "flush_redis": Disturber.flush_redis,
    "cut_postgres": Disturber.cut_postgres,
    "slow_postgres": Disturber.slow_postgres,
    "old_wakes": Disturber.old_wakes,
    "clock_stepped": Disturber.clock_stepped,
    "restricted": Disturber.restricted,
    "swept_to_earn": Disturber.swept,
    "partial_fill_policy": Disturber.policy,
    "thin_book": Disturber.thin_book,
}

FAILED = (*AWAY, SentenceError, httpx.HTTPError, psutil.Error, subprocess.TimeoutExpired)
"""What a fault that struck amid another one's effects may meet."""
