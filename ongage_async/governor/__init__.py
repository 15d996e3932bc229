"""The concurrency governor: a token bucket and a semaphore in front of every call of an account.

`Governor` queues callers by lane and hands out permits; a ledger keeps the account's count (`_ledger.py`), by the rules
of `_rules.py`. The engine takes one permit per attempt. Users reach this room for statistics, `eta` and sharing.
"""

from ongage_async.governor._from_url import from_url
from ongage_async.governor._governor import Governor, Permit
from ongage_async.governor._lease import End, Pause
from ongage_async.governor._ledger import Ledger, LedgerLostError, MemoryLedger
from ongage_async.governor._statistics import GovernorStatistics, LaneStatistics

__all__ = [
    "End",
    "Governor",
    "GovernorStatistics",
    "LaneStatistics",
    "Ledger",
    "LedgerLostError",
    "MemoryLedger",
    "Pause",
    "Permit",
    "from_url",
]
