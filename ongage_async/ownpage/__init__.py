"""Use the Ownpage newsletter platform: the second vendor, with the engine and the rules of the first.

One file per family, named like the attribute of `OwnpageClient`. Source: vendor page §5.
"""

from ongage_async.models.ownpage import (
    EventKind,
    NewSubscriber,
    OwnpageEvent,
    OwnpageExport,
    OwnpageFile,
    OwnpageFileStatus,
    OwnpageList,
    OwnpageTemplate,
    SentEmail,
    Subscriber,
    SubscriberCounts,
    SubscribersResult,
    SubscriberStatus,
    Success,
    UnsubscribedCause,
)
from ongage_async.ownpage._client import OwnpageClient
from ongage_async.ownpage._credentials import OwnpageCredentials, OwnpageToken
from ongage_async.ownpage._report import FilePart, FileReport
from ongage_async.ownpage._stream import CallOutcome, RejectedRow, StreamReport

__all__ = [
    "CallOutcome",
    "EventKind",
    "FilePart",
    "FileReport",
    "NewSubscriber",
    "OwnpageClient",
    "OwnpageCredentials",
    "OwnpageEvent",
    "OwnpageExport",
    "OwnpageFile",
    "OwnpageFileStatus",
    "OwnpageList",
    "OwnpageTemplate",
    "OwnpageToken",
    "RejectedRow",
    "SentEmail",
    "StreamReport",
    "Subscriber",
    "SubscriberCounts",
    "SubscriberStatus",
    "SubscribersResult",
    "Success",
    "UnsubscribedCause",
]
