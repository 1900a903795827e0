"""The `oto` command: the house's commands, and beside them the processes' and the simulator's."""

from oto.interface.cli import main
from oto.simulator.cli import sim
from workers import bench_loop, demo, processes, system

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
main.commands["bench"].add_command(bench_loop.loop)  # type: ignore[attr-defined]

__all__ = ["main"]

if __name__ == "__main__":
    main()
