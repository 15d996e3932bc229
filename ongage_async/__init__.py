"""Use the Ongage email platform from async Python at the full speed the account allows, and never faster."""

import typing as _typing

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
    ImportFailedError,
    InvalidInputError,
    JobError,
    JobTimeoutError,
    JournalError,
    NotFoundError,
    OngageError,
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
    from ongage_async.ownpage import OwnpageClient, OwnpageCredentials

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
    "Credentials",
    "DecodeError",
    "Governor",
    "ImportFailedError",
    "InvalidInputError",
    "JobError",
    "JobTimeoutError",
    "JournalError",
    "Lane",
    "Limits",
    "NotFoundError",
    "OngageClient",
    "OngageError",
    "Outcome",
    "OwnpageClient",
    "OwnpageCredentials",
    "PermissionDeniedError",
    "RateLimitedError",
    "Repeat",
    "ResponseTimeoutError",
    "RetryPolicy",
    "ServerError",
    "StagingError",
    "TransportError",
    "ValidationError",
]


def __getattr__(name: str) -> _typing.Any:
    """Import the second vendor's client when it is first asked for."""
    if name in {"OwnpageClient", "OwnpageCredentials"}:
        from ongage_async import ownpage

        return getattr(ownpage, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
