"""The `oto` command: the house's commands, and beside them the simulator's."""

from oto.interface.cli import main
from oto.simulator.cli import sim

main.add_command(sim)

__all__ = ["main"]
