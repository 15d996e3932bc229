"""Virtual time: a heap of what is to happen; what happens at one time happens in the order it was asked for."""

import heapq
from collections.abc import Callable
from typing import Any

__all__ = ["Timeline"]


class Timeline:
    """Run actions at their dates."""

    __slots__ = ("_count", "_heap", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._count = 0

    def at(self, when: float, act: Callable[..., object], *args: Any) -> None:
        """Do `act(*args)` at that date, or now if the date is past."""
        self._count += 1
        heapq.heappush(self._heap, (max(when, self.now), self._count, act, args))

    def run(self, until: float) -> None:
        """Let everything happen that is due before `until`."""
        heap = self._heap
        while heap and heap[0][0] < until:
            self.now, _, act, args = heapq.heappop(heap)
            act(*args)
        self.now = until

    @property
    def happened(self) -> int:
        """How many actions were asked for so far."""
        return self._count
