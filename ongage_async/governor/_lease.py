"""What the rules of an account speak of: a lease, a wait, a pause, and how a send ended. Values; nothing decides here.

Ledgers make and read them, the governor hands them on; what becomes of them is said in `_rules.py`.
"""

import enum
import math
from functools import partial
from typing import TYPE_CHECKING

from attrs import define

from ongage_async.config import Lane

if TYPE_CHECKING:
    from attrs import frozen as value
else:  # each grant makes one or two: attributes that are frozen at run time too cost half a microsecond each
    value = partial(define, unsafe_hash=True)

__all__ = ["End", "Lease", "Pause", "Wait", "value"]


class End(enum.Enum):
    """Say how a send ended, as far as the account's count is concerned."""

    ANSWERED = "answered"
    """A whole answer came, and it was not 429."""
    REFUSED = "refused"
    """The answer was 429: the account pauses, once per burst."""
    UNSENT = "unsent"
    """It is certain that nothing reached the vendor: the token is refunded."""
    UNCERTAIN = "uncertain"
    """Timeout, cut connection: the vendor may still count it, so token and place stay taken for a margin first."""


@value
class Lease:
    """One call's right to be open: a token and a place, granted together.

    Attributes:
        id: Never used twice.
        member: Whom it was granted to.
        lane: For which lane.
        granted_at: When (ledger time).
        expires_at: When it counts as lost, unless it is renewed or given back.
        ask_again_at: From when the member may ask for its next call.
        members: How many governors share the account, as far as the ledger knows.
        rank: This one's number among them, from 0.
    """

    id: int
    member: str
    lane: Lane
    granted_at: float
    expires_at: float = math.inf
    ask_again_at: float = -math.inf
    members: int = 1
    rank: int = 0


@value
class Wait:
    """Nothing for you now: ask again at `until` (ledger time; infinite when only somebody's answer can change it).

    `members` and `rank` are as in `Lease`.
    """

    until: float
    members: int = 1
    rank: int = 0


@value
class Pause:
    """What a 429 did to the account.

    Attributes:
        until: When calls go out again (ledger time).
        strike: Pauses in a row without a success in between.
        is_new: False if the 429 belongs to the burst of an earlier one.
        foreign_calls: How many calls others seem to have spent in the window; 0 when our own count was at the limit.
        calls: The limit in force from now.
        used: Our own calls within the window, the refused one included.
    """

    until: float
    strike: int
    is_new: bool
    foreign_calls: int = 0
    calls: int = 0
    used: int = 0
