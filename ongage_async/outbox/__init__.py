"""Calls that must not be lost: written down first, sent when the account allows, by whichever process is there.

`OngageClient.outbox` opens one. An entry is sent at most once when its outcome is uncertain and twice would do harm,
and exactly once otherwise. What can be kept is a small set of calls that each do one thing (`KINDS`); bulk loading has
its own journals (`ongage_async.bulk`).
"""

from ongage_async.outbox._calls import KINDS
from ongage_async.outbox._entry import Entry, OutboxStatistics, Status
from ongage_async.outbox._families import KeptContacts, KeptSuppression, KeptTransactional, PutOptions
from ongage_async.outbox._handle import Handle
from ongage_async.outbox._outbox import Outbox

__all__ = [
    "KINDS",
    "Entry",
    "Handle",
    "KeptContacts",
    "KeptSuppression",
    "KeptTransactional",
    "Outbox",
    "OutboxStatistics",
    "PutOptions",
    "Status",
]
