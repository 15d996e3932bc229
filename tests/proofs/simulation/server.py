"""The vendor's side, and the witness: it sees arrivals and departures and nothing else."""

import random
from array import array
from collections import deque

from tests.proofs.simulation.scenario import Foreign, Scenario

__all__ = ["Server"]


class Server:
    """Log every call of the fleet; refuse some, if others use the account too and the server is strict.

    Args:
        scenario: Limits and foreign use.
        chance: For the foreign calls.
    """

    def __init__(self, scenario: Scenario, chance: random.Random) -> None:
        self.limits, self.foreign, self._chance = scenario.limits, scenario.foreign, chance
        self.arrivals = array("d")
        self.open = 0
        self.worst_open = 0
        self.refused = 0
        self._counted: deque[float] = deque()
        self._next_foreign = 0.0

    def arrive(self, now: float) -> bool:
        """Take note of a call, and say whether it is admitted."""
        self.arrivals.append(now)
        self.open += 1
        self.worst_open = max(self.worst_open, self.open)
        return self.foreign is None or self._admits(self.foreign, now)

    def depart(self) -> None:
        """Take note of a call's end."""
        self.open -= 1

    def _admits(self, foreign: Foreign, now: float) -> bool:
        while self._next_foreign <= now:
            if foreign.begins_at <= self._next_foreign < foreign.ends_at:
                self._count(self._next_foreign, foreign)
            self._next_foreign += self._chance.expovariate(foreign.calls_per_window / self.limits.per_s)
        admitted = self._count(now, foreign)
        self.refused += not admitted
        return admitted

    def _count(self, now: float, foreign: Foreign) -> bool:
        counted, per_s = self._counted, self.limits.per_s
        edge = now - per_s if foreign.window == "sliding" else now // per_s * per_s
        while counted and (counted[0] <= edge if foreign.window == "sliding" else counted[0] < edge):
            counted.popleft()
        room = len(counted) < self.limits.calls
        if room or foreign.denied_count:
            counted.append(now)
        return room
