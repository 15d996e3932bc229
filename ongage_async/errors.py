"""Every error of the library, as one tree. No I/O here; everybody may raise from this room.

    OngageError                      operation, attempts, elapsed_s, outcome; notes tell the attempts
    ├─ ConfigurationError            which setting, and how to set it
    ├─ InvalidInputError             an argument that no call can carry; also a ValueError
    ├─ TransportError                no answer came
    │  ├─ ConnectError               nothing was sent
    │  ├─ ResponseTimeoutError       sent, no whole answer in time
    │  └─ ConnectionLostError        the connection ended before the whole answer
    ├─ APIError                      an answer came and it says no: status, code, message, errors
    │  ├─ BadRequestError            400
    │  ├─ AuthenticationError        401
    │  ├─ PermissionDeniedError      403
    │  ├─ NotFoundError              404
    │  ├─ ValidationError            412
    │  ├─ RateLimitedError           429, retry_after_s
    │  └─ ServerError                5xx, retry_after_s
    ├─ DecodeError                   an answer that cannot be read
    ├─ BudgetError                   we refused ourselves: retry_after_s
    ├─ JobError                      an asynchronous job of the vendor
    │  ├─ ImportFailedError          status ≥ 90000
    │  └─ JobTimeoutError            we stopped waiting; the job goes on
    ├─ OutboxError                   the outbox's store cannot be used
    │  └─ EntryError                 an entry of an outbox did not end as sent: entry
    └─ BulkError                     loading many rows
       ├─ CSVError                   row, column, reason
       ├─ StagingError               the file could not be put where the vendor fetches it
       └─ JournalError               the journal belongs to something else

The first question is "was there an answer?", the second "may I send it again?" (`outcome`). Errors pickle, and neither
their text nor their pickle holds a secret, an email address or a URL's query.
"""

import copy
import enum
import re
from typing import Any, ClassVar, Self, TypeVar

__all__ = [
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetError",
    "BulkError",
    "CSVError",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "DecodeError",
    "EntryError",
    "ImportFailedError",
    "InvalidInputError",
    "JobError",
    "JobTimeoutError",
    "JournalError",
    "NotFoundError",
    "OngageError",
    "OutboxError",
    "Outcome",
    "PermissionDeniedError",
    "RateLimitedError",
    "ResponseTimeoutError",
    "ServerError",
    "StagingError",
    "TransportError",
    "ValidationError",
    "copied",
    "mask",
]

E = TypeVar("E", bound=Exception)

_ADDRESS = re.compile(r"[^\s@\"'<>(){}\[\],;:=/?&]+(?:@|%40)[^\s@\"'<>(){}\[\],;:=/?&]+")
_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+", re.IGNORECASE)


def mask(text: str) -> str:
    """Return `text` with email addresses and the queries of URLs blotted out."""
    if "?" in text:
        text = _QUERY.sub(r"\1?‹query›", text)
    return _ADDRESS.sub("‹address›", text) if "@" in text or "%40" in text else text


def mask_deep(value: Any) -> Any:
    """Return a JSON value with `mask` applied to every string and key in it."""
    match value:
        case str():
            return mask(value)
        case dict():
            return {mask_deep(key): mask_deep(item) for key, item in value.items()}
        case list() | tuple():
            return [mask_deep(item) for item in value]
        case _:
            return value


def copied(error: E) -> E:
    """Return the same error for another task: one raised in many would gather the tracebacks of all of them."""
    twin = copy.copy(error)
    if hasattr(error, "__notes__"):
        twin.__notes__ = list(error.__notes__)
    return twin.with_traceback(None)


class Outcome(enum.StrEnum):
    """Say what is known about a call that failed."""

    NOT_SENT = "not_sent"
    """The vendor has not seen it: sending it again is safe."""
    REJECTED = "rejected"
    """The vendor answered and says that it did not do it."""
    UNKNOWN = "unknown"
    """It may or may not have been executed."""


class OngageError(Exception):
    """Be the root of every error that this library raises on purpose.

    Attributes:
        operation: Dotted name of the call, ``contacts.create``; None outside a call.
        attempts: How often the call was sent.
        elapsed_s: Seconds from the start of the call to the error.
        outcome: Whether the vendor may have executed it.
        call_id: Which call it was, in events, log lines and for `explain`; None if nobody listened.
    """

    default_outcome: ClassVar[Outcome] = Outcome.NOT_SENT

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        attempts: int = 0,
        elapsed_s: float = 0.0,
        outcome: Outcome | None = None,
    ) -> None:
        super().__init__(mask(message))
        self.operation = operation
        self.attempts = attempts
        self.elapsed_s = elapsed_s
        self.outcome = outcome or self.default_outcome
        self.call_id: str | None = None

    def __str__(self) -> str:
        text = str(self.args[0]) if self.args else ""
        return f"{self.operation}: {text}" if self.operation else text


class ConfigurationError(OngageError):
    """A setting is missing or wrong; the message says which one and how to set it."""


class InvalidInputError(OngageError, ValueError):
    """An argument cannot be sent: no rows, too many rows, a row without an address, a value that JSON cannot hold.

    Raised before anything is sent; the message names the place, never the value.
    """


class TransportError(OngageError):
    """No answer came."""

    default_outcome = Outcome.UNKNOWN


class ConnectError(TransportError):
    """No connection could be made: nothing was sent."""

    default_outcome = Outcome.NOT_SENT


class ResponseTimeoutError(TransportError):
    """The call was sent and no whole answer came within `timeout_s`."""

    @classmethod
    def after(cls, timeout_s: float) -> Self:
        """Make one; the words are the same, whoever notices first: the caller's clock, or the connection's."""
        return cls(f"no whole answer within timeout_s={timeout_s:g}")


class ConnectionLostError(TransportError):
    """The connection ended after sending began and before the whole answer was read."""


class APIError(OngageError):
    """The vendor answered and the answer says no (a status over 299, or ``metadata.error`` with status 200).

    Attributes:
        status: HTTP status.
        code: The vendor's own code in the payload; mostly the status again.
        message: The vendor's sentence, addresses masked.
        errors: The vendor's details (a list or an object), addresses masked.
    """

    default_outcome = Outcome.REJECTED

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: int | None = None,
        errors: Any = (),
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.message: str = self.args[0]
        self.status = status
        self.code = code
        self.errors = mask_deep(errors)

    def __str__(self) -> str:
        return f"{super().__str__()} (HTTP {self.status})"


class BadRequestError(APIError):
    """400: the request is malformed, or its data is refused as a whole."""


class AuthenticationError(APIError):
    """401: the credentials are missing or wrong."""


class PermissionDeniedError(APIError):
    """403: the account has no API access, or the user lacks the right."""


class NotFoundError(APIError):
    """404: the object does not exist, or the user may not see it (the vendor does not tell these apart)."""


class ValidationError(APIError):
    """412: the data was refused; `errors` may say why."""


class RateLimitedError(APIError):
    """429: the account's calls per minute are spent; the call was not executed.

    Attributes:
        retry_after_s: Seconds until the account may call again.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_after_s = retry_after_s


class ServerError(APIError):
    """5xx: the vendor failed; whether it executed the call is not known.

    Attributes:
        retry_after_s: Seconds after which the vendor's ladder would try again; None when it is used up.
    """

    default_outcome = Outcome.UNKNOWN

    def __init__(self, message: str, *, retry_after_s: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_after_s = retry_after_s

    @property
    def is_refusal(self) -> bool:
        """Whether it refuses the data, so that sending the same again is of no use: "Validation error" with status 500.

        Some families of the vendor's say 500 where others say 412 (vendor page §1.6, §6.1 #15).
        """
        return self.status == 500 and "validation" in self.message.casefold()


class DecodeError(OngageError):
    """An answer came that cannot be read.

    Attributes:
        excerpt: At most 500 characters of the answer, masked.
        path: Where in the answer, as in ``$.payload[3].id``; empty when the whole is unreadable.
    """

    default_outcome = Outcome.UNKNOWN

    def __init__(self, message: str, *, excerpt: str = "", path: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.excerpt = mask(excerpt[:500])
        self.path = path


class BudgetError(OngageError):
    """The governor refused: waiting for the account's budget would take longer than the caller allows.

    Attributes:
        retry_after_s: Seconds after which the same call would be let through, as far as is known now.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0.0, **context: Any) -> None:
        super().__init__(message, **context)
        self.retry_after_s = retry_after_s


class JobError(OngageError):
    """An asynchronous job of the vendor (an import, an export, a search) did not end well.

    Attributes:
        job: The last snapshot that was seen.
    """

    default_outcome = Outcome.UNKNOWN

    def __init__(self, message: str, *, job: Any = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.job = job


class ImportFailedError(JobError):
    """An import ended with a status ≥ 90000; `job` holds its counts.

    Attributes:
        status: The vendor's final status.
        report: The `ImportReport`, when `imports.run` raises it.
    """

    default_outcome = Outcome.REJECTED
    report: Any = None

    def __init__(self, message: str, *, status: int = 0, **context: Any) -> None:
        super().__init__(message, **context)
        self.status = status


class JobTimeoutError(JobError):
    """We stopped waiting; the job goes on at the vendor's. `job` is its last snapshot."""


class OutboxError(OngageError):
    """The outbox's store cannot be used: the disk is full, the server is away, or the outbox is closed."""


class EntryError(OutboxError):
    """An entry of an outbox did not end as sent, or is not there; `outcome` is UNKNOWN if it may have been executed.

    Attributes:
        entry: The entry as it was seen last; None if there is none.
    """

    def __init__(self, message: str, *, entry: Any = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.entry = entry


class BulkError(OngageError):
    """Loading many rows failed before or beside the calls themselves."""


class CSVError(BulkError):
    """A source file cannot be used.

    Attributes:
        row: Row number as a person counts (the header is 1); None when it concerns the whole file.
        column: Name of the column, if one is to blame.
        reason: Short reason.
    """

    def __init__(
        self, message: str, *, row: int | None = None, column: str | None = None, reason: str = "", **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.row = row
        self.column = column
        self.reason = reason or message


class StagingError(BulkError):
    """The file could not be put where the vendor can fetch it, or the vendor did not fetch it."""


class JournalError(BulkError):
    """The journal belongs to another file, list or mapping, or another run holds it."""
