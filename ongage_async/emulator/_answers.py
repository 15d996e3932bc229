"""The vendor's envelopes: what a success, a collection and the three kinds of error look like on the wire.

Pure. Families return `Answer` or raise `Refusal`; the app turns both into bytes here. Source: vendor page §1.4, §1.6.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import field, frozen

__all__ = [
    "Answer",
    "Refusal",
    "Reply",
    "bad_request",
    "invalid",
    "missing",
    "object_or_empty",
    "paged",
    "refused",
    "succeeded",
]

DEFAULT_LIMIT = 50  # §1.5, client code only
_MOST_DIGITS = 18
_JSON_HEADER = (b"content-type", b"application/json; charset=utf-8")


@frozen
class Answer:
    """Hold a success before it is put into its envelope."""

    payload: Any
    metadata: Mapping[str, Any] = field(factory=dict)


@frozen
class Reply:
    """Hold what goes out on the wire."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = (_JSON_HEADER,)


class Refusal(Exception):  # noqa: N818 - a "no" of the vendor, not an error of the emulator
    """Say no in one of the vendor's three forms.

    Args:
        status: HTTP status, repeated as ``payload.code``.
        message: The vendor's sentence.
        errors: Field to reason; empty becomes ``[]``.
        form: ``plain`` has errors, ``http`` has type and links, ``bare`` has no envelope at all.
        headers: More headers of the response.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Mapping[str, str] | None = None,
        form: Literal["plain", "http", "bare"] = "plain",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.form = form
        self.headers = headers

    def document(self) -> dict[str, Any]:
        """Return the body in this refusal's form."""
        if self.form == "bare":
            return {"message": self.message}
        if self.form == "http":
            payload = {"message": self.message, "code": self.status}
            return {"metadata": {"error": True, "type": "http"}, "links": [], "payload": payload}
        payload = {"code": self.status, "errors": object_or_empty(self.errors), "message": self.message}
        return {"metadata": {"error": True}, "payload": payload}


def missing(message: str) -> Refusal:
    """Refuse with 404: the object is not there, or not yours."""
    return Refusal(404, message, form="http")


def bad_request(message: str) -> Refusal:
    """Refuse with 400: the request makes no sense."""
    return Refusal(400, message, form="http")


def invalid(
    message: str = "Validation error", errors: Mapping[str, str] | None = None, *, status: int = 412
) -> Refusal:
    """Refuse values: 412, or 500 for the families that say so."""
    return Refusal(status, message, errors=errors)


def succeeded(answer: Answer | Reply) -> Reply:
    """Put a success into its envelope; a file has none."""
    if isinstance(answer, Reply):
        return answer
    document = {"metadata": {"error": False, **answer.metadata}, "payload": answer.payload}
    return Reply(200, _encoded(document))


def refused(refusal: Refusal, *, error_status_200: bool = False) -> Reply:
    """Put a refusal on the wire, with its own status or, under that reading, with 200."""
    hidden = error_status_200 and refusal.form != "bare"
    return Reply(200 if hidden else refusal.status, _encoded(refusal.document()), (_JSON_HEADER, *refusal.headers))


def object_or_empty(value: Mapping[str, Any] | None) -> Mapping[str, Any] | list[Any]:
    """Return an object, or ``[]`` in place of an empty one, as the vendor's PHP does."""
    return value or []


def paged(rows: Sequence[dict[str, Any]], query: Mapping[str, str]) -> tuple[list[dict[str, Any]], int]:
    """Cut a page out of all matching rows.

    Args:
        rows: All matching rows as they go on the wire.
        query: ``sort``, ``order``, ``offset``, ``limit``; what cannot be read is taken as absent.

    Returns:
        The page, and the number of all rows.
    """
    column = query.get("sort")
    ordered = list(rows)
    if column is not None:
        ordered.sort(key=lambda row: _sortable(row.get(column)), reverse=query.get("order", "ASC").upper() == "DESC")
    offset = _count(query.get("offset"), 0)
    return ordered[offset : offset + _count(query.get("limit"), DEFAULT_LIMIT)], len(rows)


def _count(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) <= _MOST_DIGITS else default


def _sortable(value: Any) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, int | float):
        return (1, value, "")
    return (2, 0.0, str(value))


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
