"""The emulator's one clock, real or virtual, and the Unix time that the vendor's timestamps are made of.

No waiting lives here: whoever waits uses `anyio.sleep`, which follows the running loop's clock.
"""

import time
from collections.abc import Callable

import anyio
from attrs import define, field

__all__ = ["Clock"]


@define
class Clock:
    """Tell the time of the loop that serves.

    Args:
        source: Seconds from an arbitrary zero; None asks the running event loop.
        epoch: Unix time at the clock's zero; None takes the computer's date, so that a virtual clock also starts today.
    """

    source: Callable[[], float] | None = None
    epoch: float | None = None
    _seen: float = field(default=0.0, init=False)

    def now(self) -> float:
        """Return the seconds of the clock; outside any event loop, the last ones seen."""
        self._look()
        return self._seen

    def unix(self) -> int:
        """Return the present as a vendor timestamp: whole Unix seconds."""
        runs = self._look()
        if self.epoch is None:
            if not runs:
                return int(time.time())  # before serving: the clock's zero is not known yet
            self.epoch = time.time() - self._seen
        return int(self.epoch + self._seen)

    def _look(self) -> bool:
        try:
            self._seen = (self.source or anyio.current_time)()
        except RuntimeError:  # no event loop is running here: somebody prepares state before or after serving
            return False
        return True
