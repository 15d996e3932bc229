"""When a failed call is sent again, and when it is not: one immutable policy and its pure rule.

No waiting here, and no permit: the engine waits (holding nothing), and every new attempt takes a new permit.
"""

from attrs import evolve, field, frozen

from ongage_async._operation import Repeat
from ongage_async.errors import (
    ConnectError,
    ConnectionLostError,
    OngageError,
    Outcome,
    RateLimitedError,
    ResponseTimeoutError,
    ServerError,
)

__all__ = ["RetryPolicy"]

VENDOR_LADDER_S = (60.0, 120.0, 240.0, 480.0, 960.0)
"""Suggested by the vendor after a 429 and any 5xx (vendor page §2)."""

CONNECTION_LADDER_S = (0.5, 2.0, 10.0, 60.0, 120.0)
"""After a connection that could not be made or was lost: mostly over in a moment. Assumed, not the vendor's."""


def _steps(values: tuple[float, ...] | list[float]) -> tuple[float, ...]:
    steps = tuple(float(value) for value in values)
    if any(not step >= 0 for step in steps):
        raise ValueError("a ladder's waits are seconds, zero or more")
    return steps


@frozen
class RetryPolicy:
    """Say how long to wait before a call is sent again.

    Args:
        ladder_s: Waits after the first, second, ... 5xx or timeout of a call; when they are used up the error is
            raised. Its length also bounds how often a call that meets 429 is sent again; that wait is the account's.
        connection_ladder_s: The same after a connection that was refused or lost.
        jitter: Each wait is lengthened by a random share of at most this much, never shortened.

    Source: vendor page §2 (back-off); jitter: so that many processes do not come back at once.
    """

    ladder_s: tuple[float, ...] = field(default=VENDOR_LADDER_S, converter=_steps)
    connection_ladder_s: tuple[float, ...] = field(default=CONNECTION_LADDER_S, converter=_steps)
    jitter: float = 0.1

    @classmethod
    def none(cls) -> "RetryPolicy":
        """Return the policy that never sends twice."""
        return cls(ladder_s=(), connection_ladder_s=())

    def wait_s(self, error: OngageError, repeat: Repeat, history: "History", chance: float) -> float | None:
        """Say how long to wait before the next attempt; None means raise `error`.

        Args:
            error: How the last attempt ended.
            repeat: The operation's repeat class.
            history: The attempts so far, the last one included.
            chance: A random number in [0, 1) for the jitter.
        """
        if isinstance(error, RateLimitedError):  # not executed; the governor holds the account, so no wait of our own
            return 0.0 if history.refused <= len(self.ladder_s) else None
        if error.outcome is not Outcome.NOT_SENT and repeat is not Repeat.SAFE:
            return None
        match error:
            case ServerError() if error.is_refusal:
                return None
            case ConnectError() | ConnectionLostError():
                ladder, step = self.connection_ladder_s, history.connections
            case ServerError() | ResponseTimeoutError():
                ladder, step = self.ladder_s, history.failures
            case _:
                return None
        if step > len(ladder):
            return None
        told_s = error.retry_after_s or 0.0 if isinstance(error, ServerError) else 0.0
        return max(ladder[step - 1] * (1.0 + self.jitter * chance), told_s)


@frozen
class History:
    """Count how a call's attempts ended.

    Attributes:
        refused: 429s.
        failures: 5xx and timeouts.
        connections: Connections refused or lost.
    """

    refused: int = 0
    failures: int = 0
    connections: int = 0

    def after(self, error: OngageError) -> "History":
        """Return the history with one more ended attempt."""
        match error:
            case RateLimitedError():
                return evolve(self, refused=self.refused + 1)
            case ConnectError() | ConnectionLostError():
                return evolve(self, connections=self.connections + 1)
            case _:
                return evolve(self, failures=self.failures + 1)
