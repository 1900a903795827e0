"""The simulated exchange as a process of the drill: it outlives everything that is killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from oto.infrastructure.settings import ExchangeUrls
from workers.system import NotReadyError

_READY_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator and its control surface."""

    urls: ExchangeUrls
    control: httpx.Client

    def switch_on(self, kind: str, **options: Any) -> None:  # noqa: ANN401 - fields of a fault
        self._post("faults", {"kind": kind, **options})

    def settle(self, **settings: Any) -> None:  # noqa: ANN401 - of the exchange
        self._post("settings", settings)

    def change_account(self, name: str, **changes: Any) -> None:  # noqa: ANN401 - of the account
        self._post(f"accounts/{name}", changes)

    def calm(self) -> None:
        """Switch every fault off."""
        self.control.delete("/sim/faults").raise_for_status()

    def strikes(self) -> Sequence[Mapping[str, Any]]:
        """Return what has struck so far."""
        log: list[dict[str, Any]] = self._get("faults")["log"]
        return log

    def truth(self) -> Mapping[str, Any]:
        truth: dict[str, Any] = self._get("truth")
        return truth

    def posts(self) -> Sequence[Mapping[str, Any]]:
        """Return every placement that has arrived."""
        posts: list[dict[str, Any]] = self._get("posts")
        return posts

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        return self.control.get(f"/sim/{path}").raise_for_status().json()

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        self.control.post(f"/sim/{path}", json=dict(body)).raise_for_status()


@contextmanager
def simulated(folder: Path, arguments: Sequence[str], output: IO[bytes]) -> Iterator[Simulator]:
    """Run a simulator until the block ends.

    Raises:
        NotReadyError: it does not come up.
    """
    ready = folder / "simulator.json"
    process = subprocess.Popen(  # noqa: S603 - this very program
        [
            *(sys.executable, "-m", "oto.simulator", "serve", f"--ready-file={ready}"),
            *(f"--parent={os.getpid()}", *arguments),
        ],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        urls = _urls(process, ready)
        with httpx.Client(base_url=urls.rest, timeout=60) as control:
            yield Simulator(urls, control)
    finally:
        process.terminate()
        process.wait()


def _urls(process: "subprocess.Popen[bytes]", ready: Path) -> ExchangeUrls:
    deadline = time.monotonic() + _READY_WITHIN_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotReadyError("The simulated exchange did not start.")
        time.sleep(0.02)
    found = json.loads(ready.read_text())
    return ExchangeUrls(found["rest"], found["ws"])
