"""Find the account's limit while working: go up carefully while there is more to do, and close in after a 429.

Pure. The governor reports windows that were full and went well, and refusals; the learner says what to try next. A
limit that was kept for two full windows is believed, for a fixed window of the vendor's lies wholly inside them. A
refusal at `used` calls means that the limit is below that, whichever way the vendor cuts its window. So each probe
costs one burst of 429s at the most, and the search is a doubling of sorts followed by a bisection.
"""

from attrs import define

__all__ = ["Learner"]

STEP = 1.5
"""How far to go up while nothing was refused yet."""
CLOSE_ENOUGH = 0.02
"""The search ends when what is known to work and what was refused are so near, relatively."""


@define
class Learner:
    """Know what worked and what was refused.

    Attributes:
        good: Calls per window that went well for two full windows.
        bad: Calls per window at which a 429 came; None while none came.
    """

    good: int = 0
    bad: int | None = None

    def passed(self, calls: int) -> int:
        """Note that a limit of `calls` was used fully and went well; return what to try next, `calls` when found."""
        self.good = max(self.good, calls)
        if self.bad is not None and self.bad <= self.good:  # the vendor has raised it
            self.bad = None
        return max(calls, self._next())

    def refused(self, used: int) -> int:
        """Note a 429 at `used` calls within the window; return what to try next."""
        self.bad = max(2, used)
        if self.good >= self.bad:  # the vendor has lowered it, or somebody else spends the account too
            self.good = 0
        return self._next()

    def _next(self) -> int:
        if self.bad is None:
            return max(self.good + 1, int(self.good * STEP))
        if not self.good:
            return self.bad - 1
        gap = self.bad - self.good
        return self.good + gap // 2 if gap > max(1, CLOSE_ENOUGH * self.good) else self.good
