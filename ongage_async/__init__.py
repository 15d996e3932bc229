"""Use the Ongage email platform from async Python at the full speed the account allows, and never faster."""

import typing as _typing

from ongage_async import _lazy
from ongage_async._drift import drift_report
from ongage_async._explain import Explanation
from ongage_async._operation import Answer, Repeat
from ongage_async._retry import RetryPolicy
from ongage_async.client import OngageClient
from ongage_async.config import ApiKey, Credentials, Lane, Limits
from ongage_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    BudgetError,
    BulkError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    CSVError,
    DecodeError,
    EntryError,
    ImportFailedError,
    InvalidInputError,
    JobError,
    JobTimeoutError,
    JournalError,
    NotFoundError,
    OngageError,
    OutboxError,
    Outcome,
    PermissionDeniedError,
    RateLimitedError,
    ResponseTimeoutError,
    ServerError,
    StagingError,
    TransportError,
    ValidationError,
)
from ongage_async.governor import Governor

if _typing.TYPE_CHECKING:
    from ongage_async.models import Contact, NewContact, ReportField
    from ongage_async.ownpage import OwnpageClient, OwnpageCredentials
    from ongage_async.resources import Like, behavior, field
else:
    __getattr__, __dir__ = _lazy.lazily(
        __name__,
        {
            "models": "Contact NewContact ReportField",
            "ownpage": "OwnpageClient OwnpageCredentials",
            "resources": "Like behavior field",
        },
        modules=("bulk", "fields", "outbox", "ownpage", "webhook"),
    )

__version__ = "0.1.0"

__all__ = [
    "APIError",
    "Answer",
    "ApiKey",
    "AuthenticationError",
    "BadRequestError",
    "BudgetError",
    "BulkError",
    "CSVError",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "Contact",
    "Credentials",
    "DecodeError",
    "EntryError",
    "Explanation",
    "Governor",
    "ImportFailedError",
    "InvalidInputError",
    "JobError",
    "JobTimeoutError",
    "JournalError",
    "Lane",
    "Like",
    "Limits",
    "NewContact",
    "NotFoundError",
    "OngageClient",
    "OngageError",
    "OutboxError",
    "Outcome",
    "OwnpageClient",
    "OwnpageCredentials",
    "PermissionDeniedError",
    "RateLimitedError",
    "Repeat",
    "ReportField",
    "ResponseTimeoutError",
    "RetryPolicy",
    "ServerError",
    "StagingError",
    "TransportError",
    "ValidationError",
    "behavior",
    "drift_report",
    "field",
]
