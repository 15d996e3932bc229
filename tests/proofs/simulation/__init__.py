"""A fleet of pretended processes on one account, in virtual time, from a seed.

The rules under examination are the library's own (`governor/_rules.py`); processes, ledger's network, server and
witness are made here. `python -m tests.proofs.simulation SEED` replays one seed.
"""

from tests.proofs.simulation.fleet import Outcome, simulate
from tests.proofs.simulation.scenario import Scenario

__all__ = ["Outcome", "Scenario", "simulate"]
