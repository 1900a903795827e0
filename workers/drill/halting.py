"""Halts as part of a drill: raised and lifted by command, and held to what they promise."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_WITHIN_S = 20
_COMMAND_WITHIN_S = 120
_LIFTS = 2
_MS = 1000


@dataclass(frozen=True, slots=True)
class Span:
    """One halt, in ms of Unix time: stands from the one until shortly before the other.

    Orders of the halt itself, which sells what is held, come until `done_ms`.
    """

    user: str | None
    symbol: str | None
    stood_ms: int
    done_ms: int
    lifted_ms: int
    flattened: bool
    flat: bool

    def forbids(self, post: Mapping[str, Any]) -> bool:
        """Tell whether a placement must not have arrived."""
        covered = self.user in {None, post["user"]} and self.symbol in {None, post["symbol"]}
        sells = self.flattened and post["endpoint"] == "place"
        since_ms = self.done_ms if sells else self.stood_ms
        return covered and since_ms < post["at_ms"] < self.lifted_ms


def arrived_after(
    spans: Iterable[Span], posts: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the placements that arrived although a halt stood before them."""
    spans = list(spans)
    return [post for post in posts if any(span.forbids(post) for span in spans)]


class NotHaltedError(OSError):
    """The halt could not be raised or lifted just then."""


@dataclass(frozen=True, slots=True)
class Halting:
    """Raises and lifts halts of one home by the real commands."""

    environment: Mapping[str, str]

    def hold(
        self, *, user: str | None, symbol: str | None, flatten: bool, for_s: float
    ) -> tuple[Span, str]:
        """Halt, hold it, lift it; return what stood when, and what was left.

        Raises:
            NotHaltedError: a command failed.
        """
        scope = [f"--user={user}"] if user else [f"--token={symbol}"] if symbol else []
        how = ["--flatten", "--max-slip-bps=1000"] if flatten else []
        try:
            told = self._run("halt", *scope, *how, f"--within={_WITHIN_S}", "--json")
        except NotHaltedError:
            self._lift(scope)  # it may stand for all that
            raise
        done_ms = time.time_ns() // 1_000_000
        time.sleep(for_s)
        lifted_ms = time.time_ns() // 1_000_000
        self._lift(scope)
        span = Span(
            user, symbol, _ms(told["stood_at"]), done_ms, lifted_ms, flatten, bool(told["flat"])
        )
        return span, "flat" if span.flat else "; ".join(sorted(set(_whys(told))))

    def lift_all(self) -> None:
        """Lift whatever stands.

        Raises:
            NotHaltedError: the command failed.
        """
        self._lift(["--all"])

    def _lift(self, scope: Sequence[str]) -> None:
        for _ in range(_LIFTS):
            with suppress(NotHaltedError):
                self._run("unhalt", *scope, "--json")
                return
        self._run("unhalt", *scope, "--json")

    def _run(self, *words: str) -> dict[str, Any]:
        done = subprocess.run(  # noqa: S603 - this very program
            [sys.executable, "-m", "cli", *words],
            env={**os.environ, **self.environment, "OTO_DRILL": ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_WITHIN_S,
        )
        try:
            told: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            said = " ".join(done.stderr.split())[-200:]
            raise NotHaltedError(f"oto {words[0]} said: {said}") from None
        return told


def _ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * _MS)


def _whys(told: Mapping[str, Any]) -> Iterable[str]:
    for job in told["jobs"]:
        if job["why"] or job["open_orders"]:
            yield f"{job['user']}: {job['why'] or 'open orders'}"
    for account in told["accounts"]:
        if account["problem"] or account["open_ours"]:
            yield f"{account['user']}: {account['problem'] or 'open orders'}"
