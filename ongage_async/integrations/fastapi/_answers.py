"""What an app answers when a call failed: one rule from error to problem, and the handlers that apply it.

The rule is pure. A visitor is told what to do and no more: what the vendor says goes out with answers that blame the
visitor's data (masked, as in every error of the library), and stays in the log for all others.
"""

import logging
import math
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from attrs import frozen
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response

from ongage_async.errors import (
    AuthenticationError,
    BadRequestError,
    BudgetError,
    ConfigurationError,
    CSVError,
    EntryError,
    InvalidInputError,
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
    ValidationError,
)
from ongage_async.integrations.fastapi._later import AcceptedLater

__all__ = ["Problem", "handle_errors", "problem_of"]

log = logging.getLogger("ongage_async")

_STATUSES: tuple[tuple[tuple[type[OngageError], ...], int], ...] = (
    ((BudgetError, RateLimitedError), 503),
    ((NotFoundError,), 404),
    ((ValidationError, BadRequestError, InvalidInputError, CSVError), 422),
    ((ResponseTimeoutError, JobTimeoutError), 504),
    ((EntryError,), 502),
    ((AuthenticationError, PermissionDeniedError, ConfigurationError, JournalError, OutboxError), 500),  # our own
    ((OngageError,), 502),
)

_SENTENCES = {
    Outcome.NOT_SENT: "Nothing was done.",
    Outcome.REJECTED: "It was not done.",
    Outcome.UNKNOWN: "It may have been done: look before you send it again.",
}


@frozen
class Problem:
    """Say what an app answers, as problem details of RFC 9457.

    Attributes:
        status: HTTP status.
        detail: What the visitor may know.
        outcome: Whether the vendor may have done it.
        operation: Dotted name of the call; None outside a call.
        retry_after_s: Whole seconds after which the same request would be let through; None: nobody knows.
        errors: The vendor's objections to the visitor's data, masked.
    """

    status: int
    detail: str
    outcome: Outcome
    operation: str | None = None
    retry_after_s: int | None = None
    errors: Any = ()

    @property
    def headers(self) -> dict[str, str]:
        """The answer's own headers."""
        return {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}

    def as_json(self) -> dict[str, Any]:
        """Return the answer's body."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "outcome": str(self.outcome),
            "operation": self.operation,
            "retry_after_s": self.retry_after_s,
            "errors": self.errors,
        }
        return {name: value for name, value in body.items() if value not in (None, (), [], {})}


def problem_of(error: OngageError) -> Problem:
    """Return what to answer to a request whose call failed.

    * 503 where our budget or the vendor's refused, with the seconds after which the request would be let through,
      rounded up;
    * 404 and 422 where the object or the data is to blame;
    * 502 and 504 where no good answer came: `outcome` says whether it may have been done all the same;
    * 500 where our own settings are wrong.

    Args:
        error: Any error of the library.
    """
    status = next(status for kinds, status in _STATUSES if isinstance(error, kinds))
    if isinstance(error, ServerError) and error.is_refusal:
        status = 422
    wait_s = _retry_after_s(error)
    if status < 500:
        detail, errors = str(error.args[0]), getattr(error, "errors", ())
    else:
        detail, errors = _SENTENCES[error.outcome] + ("" if wait_s is None else f" Come again in {wait_s} s."), ()
    return Problem(status, detail, error.outcome, error.operation, wait_s, errors)


def _retry_after_s(error: OngageError) -> int | None:
    """Return whole seconds, never too few; None where nobody knows, or where a repeat may do it twice."""
    wait_s: float | None = getattr(error, "retry_after_s", None)
    if wait_s is None or not math.isfinite(wait_s) or error.outcome is Outcome.UNKNOWN:
        return None
    return max(1, math.ceil(wait_s))


def handle_errors(app: FastAPI, *, job_path: str | None = None) -> None:
    """Have an app answer errors of the library by `problem_of`, and what `or_later` has put away by 202.

    Args:
        app: The app.
        job_path: Where a visitor can ask what became of a job, ``/jobs/{id}``; it is sent as the 202's Location.
    """

    async def refuse(_: Request, error: Exception) -> Response:
        assert isinstance(error, OngageError)  # noqa: S101 - registered for these alone
        problem = problem_of(error)
        if problem.status >= 500:
            log.warning("answered %d: %s: %s", problem.status, type(error).__name__, error)
        return _json(problem.as_json(), problem.status, problem.headers, "application/problem+json")

    async def accept(_: Request, accepted: Exception) -> Response:
        assert isinstance(accepted, AcceptedLater)  # noqa: S101 - registered for these alone
        job = str(accepted.id)
        headers = {} if job_path is None else {"Location": job_path.format(id=quote(job, safe=""))}
        return _json({"status": 202, "job": job, "detail": "It will be sent as soon as it can."}, 202, headers)

    handlers: Mapping[type[Exception], Callable[[Request, Exception], Any]] = {
        OngageError: refuse,
        AcceptedLater: accept,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _json(body: Any, status: int, headers: Mapping[str, str], media_type: str = "application/json") -> Response:
    return JSONResponse(body, status, {**headers, "Cache-Control": "no-store"}, media_type)
