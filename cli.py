"""The `oto` command: the house's commands, and beside them the processes' and the simulator's."""

from oto.interface.cli import main
from oto.simulator.cli import sim
from workers import demo, processes, system

for command in (
    sim,
    processes.worker,
    processes.beat,
    processes.stream,
    processes.flower,
    system.up,
    demo.demo,
):
    main.add_command(command)

__all__ = ["main"]

if __name__ == "__main__":
    main()
