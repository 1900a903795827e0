"""`python -m oto.simulator serve`: the simulator without the rest of the house."""

from oto.simulator.cli import sim

sim()
