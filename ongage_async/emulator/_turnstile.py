"""Places that are taken and given back, and a queue in front of them, first come first served.

Used by the limit of parallel calls and by the limit of parallel imports. Events instead of a semaphore, since the
number of places may change while somebody waits.
"""

from collections import deque

import anyio
from attrs import define, field

__all__ = ["Turnstile"]


@define(eq=False)
class Turnstile:
    """Count who is inside, and keep the others waiting in order."""

    inside: int = field(default=0, init=False)
    _waiting: deque[anyio.Event] = field(factory=deque, init=False)

    def is_full(self, places: int | None) -> bool:
        """Tell whether a newcomer would have to wait; None means room for everybody."""
        return places is not None and self.inside >= places

    async def enter(self, places: int | None) -> None:
        """Take a place, waiting for one if need be."""
        if not self.is_full(places):
            self.inside += 1
            return
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()  # the place is handed over: the count stays as it is
        except BaseException:
            if turn.is_set():
                self.leave()
            else:
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Give the place to the next in the queue, or back."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self.inside -= 1
