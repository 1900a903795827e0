"""What the processes of a system use."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil

_SERVERS = {"postgres": "postgres", "valkey-server": "valkey", "redis-server": "valkey"}


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since the start, and resident bytes now."""

    cpu_s: float = 0.0
    resident: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.cpu_s + other.cpu_s, self.resident + other.resident)


def of_children(names: Mapping[str, int]) -> dict[str, Usage]:
    """Return what this process's descendants use, by their names; servers count as one each."""
    by_pid = {pid: name for name, pid in names.items()}
    found: dict[str, Usage] = {}
    for child in psutil.Process().children(recursive=True):
        try:
            name = by_pid.get(child.pid) or _SERVERS.get(child.name(), "other")
            times = child.cpu_times()
            one = Usage(times.user + times.system, child.memory_info().rss)
        except psutil.Error:
            continue
        found[name] = found.get(name, Usage()) + one
    return found


def since(before: Mapping[str, Usage], now: Mapping[str, Usage]) -> dict[str, Usage]:
    """Return the CPU that each process used between two readings, and its memory now."""
    return {
        name: Usage(max(one.cpu_s - before.get(name, Usage()).cpu_s, 0.0), one.resident)
        for name, one in now.items()
    }
