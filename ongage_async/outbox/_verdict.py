"""What becomes of an entry whose attempt failed: a pure rule."""

from ongage_async._operation import Repeat
from ongage_async._retry import History, RetryPolicy
from ongage_async.errors import (
    AuthenticationError,
    BudgetError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    DecodeError,
    InvalidInputError,
    OngageError,
    OutboxError,
    Outcome,
    RateLimitedError,
    ServerError,
)
from ongage_async.outbox._entry import Status

__all__ = ["verdict"]

SOON_S = 1.0
"""After a trouble of our own: the store is away, the client is closed."""

LONGEST_REFUSAL_S = 60.0
"""The governor says when it would let a call through; what it knows changes, so it is asked again by then."""

LAST_STEP_S = 60.0
"""Where a retry policy has no steps of its own: an entry is not given up, so it needs one."""


def verdict(error: OngageError, repeat: Repeat, policy: RetryPolicy, history: History, chance: float) -> Status | float:
    """Say what becomes of an entry: its final status, or seconds after which it is tried again.

    It stays as long as it is certain that the vendor did not do it, or that doing it twice is no harm; when the ladder
    is used up, its last step is taken again and again.

    Args:
        error: How the attempt ended.
        repeat: The operation's repeat class.
        policy: The client's ladders.
        history: The attempts so far, this one included.
        chance: A random number in [0, 1) for the jitter.
    """
    match error:
        case InvalidInputError():
            return Status.REJECTED
        case BudgetError():
            return min(max(error.retry_after_s, 0.05), LONGEST_REFUSAL_S)
        case OutboxError() | ConfigurationError():
            return SOON_S
        case AuthenticationError():  # a password that was changed must not cost a day's receipts
            return _step(policy, history.failures)
        case RateLimitedError():  # not executed; the governor holds the account, so no wait of our own
            return 0.0
    if error.outcome is Outcome.REJECTED:
        return Status.REJECTED
    if error.outcome is Outcome.UNKNOWN and repeat is not Repeat.SAFE:
        return Status.UNCERTAIN
    if isinstance(error, ServerError) and error.is_refusal:
        return Status.REJECTED
    if isinstance(error, DecodeError):  # it was answered, and would be answered like this again
        return Status.UNCERTAIN
    wait_s = policy.wait_s(error, repeat, history, chance)
    return _last_step(policy, error) if wait_s is None else wait_s


def _last_step(policy: RetryPolicy, error: OngageError) -> float:
    is_about_the_way = isinstance(error, (ConnectError, ConnectionLostError))
    ladder = policy.connection_ladder_s if is_about_the_way else policy.ladder_s
    return ladder[-1] if ladder else LAST_STEP_S


def _step(policy: RetryPolicy, number: int) -> float:
    ladder = policy.ladder_s or (LAST_STEP_S,)
    return ladder[min(max(number, 1), len(ladder)) - 1]
