"""Words of states that queries ask for."""

from oto.domain.job import ACTIVE

ACTIVE_STATES = tuple(state.value for state in ACTIVE)
