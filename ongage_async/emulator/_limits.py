"""The vendor's limits, enforced by arrival: calls in a window, calls in parallel.

The app asks `Gate` for every authenticated call. What the vendor leaves open is a reading. Source: vendor page §2.
"""

import math
from collections import deque

from attrs import define, field

from ongage_async.emulator._answers import Refusal
from ongage_async.emulator._turnstile import Turnstile
from ongage_async.emulator.readings import Readings

__all__ = ["Gate"]

_DENIED = "Calls per minute exceeded"


@define
class Gate:
    """Admit or deny calls; the limits may be changed at any time.

    Args:
        readings: Kind of window, fate of the eleventh call, whether denied calls count.
        calls: Most calls in a window; None switches the limit off.
        per_s: Length of the window.
        parallel: Most calls at the same time; None switches the limit off.
    """

    readings: Readings
    calls: int | None = 300
    per_s: float = 60.0
    parallel: int | None = 10
    _counted: deque[float] = field(factory=deque, init=False)
    _places: Turnstile = field(factory=Turnstile, init=False)

    async def enter(self, now: float) -> Refusal | None:
        """Take a place for a call that arrived now.

        Args:
            now: Time of the arrival.

        Returns:
            None when it is admitted and must `leave`; else the denial.
        """
        if self.readings.eleventh != "queue" and self._places.is_full(self.parallel):
            return self._deny_eleventh(now)
        if self._is_spent(now):
            return self._deny(now)
        self._count(now)
        await self._places.enter(self.parallel)
        return None

    def leave(self) -> None:
        """Give the place back."""
        self._places.leave()

    def _is_spent(self, now: float) -> bool:
        if self.calls is None:
            return False
        counted = self._counted
        while counted and self._is_past(counted[0], now):
            counted.popleft()
        return len(counted) >= self.calls

    def _count(self, now: float) -> None:
        if self.calls is not None:
            self._counted.append(now)

    def _is_past(self, then: float, now: float) -> bool:
        if self.readings.window == "sliding":
            return then <= now - self.per_s
        return then // self.per_s < now // self.per_s

    def _deny(self, now: float) -> Refusal:
        headers = self._retry_after(now)
        if self.readings.denied_calls_count:
            self._count(now)
        return Refusal(429, _DENIED, headers=headers)

    def _deny_eleventh(self, now: float) -> Refusal:
        if self.readings.denied_calls_count:
            self._count(now)
        if self.readings.eleventh == "503":
            return Refusal(503, "Service Unavailable", form="http")
        return Refusal(429, _DENIED, headers=[(b"retry-after", b"1")] if self.readings.retry_after else [])

    def _retry_after(self, now: float) -> list[tuple[bytes, bytes]]:
        if not self.readings.retry_after:
            return []
        if self.readings.window == "sliding" and self._counted:
            wait_s = self._counted[0] + self.per_s - now
        else:
            wait_s = self.per_s - now % self.per_s
        return [(b"retry-after", str(max(1, math.ceil(wait_s))).encode())]
