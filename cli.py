"""The `oto` command: the house's commands, and beside them the processes' and the simulator's."""

from oto.interface.cli import COMMANDS, main
from oto.interface.cli.lazy import LazyCommands

main.commands = LazyCommands(
    {
        **COMMANDS,
        "beat": "workers.processes:beat",
        "bench": "workers.bench_loop:bench",
        "demo": "workers.demo:demo",
        "drill": "workers.drill.command:drill",
        "flower": "workers.processes:flower",
        "sim": "oto.simulator.cli:sim",
        "stream": "workers.processes:stream",
        "up": "workers.system:up",
        "worker": "workers.processes:worker",
    }
)

__all__ = ["main"]

if __name__ == "__main__":
    main()
