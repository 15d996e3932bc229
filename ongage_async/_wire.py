"""All that is known about the vendor's envelopes: how a call becomes bytes, and bytes become an answer or an error.

Pure: no I/O, no clock. `render` and `read` are called by the engine; nothing here knows single endpoints (resources do)
or models. Source: vendor page §1.3 (which list), §1.4 (envelopes), §1.6 (status codes).
"""

import json
import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

from attrs import field, frozen

from ongage_async import errors
from ongage_async._operation import Answer, Encoded, ListIn, Operation
from ongage_async.errors import APIError, DecodeError, InvalidInputError, mask
from ongage_async.models import _json
from ongage_async.models._scalars import UnreadableError, to_int

_PARAMETER = re.compile(r"\{(\w+)\}")
_HAS_LIST = re.compile(r"/\d+/api(/|$)")
_TRAVELS = re.compile(r"[!\"$-~]*")  # what may stand in the first line of a request, and is no fragment
_DOTS = (".", "..")
_URL_SIGNS = "".join(map(chr, range(0x21, 0x7F)))
_FINE: tuple[Any, ...] = (None, False, 0, "", [], {}, "0", "false")
_LONGEST_MESSAGE = 500

_BY_STATUS: dict[int, type[APIError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    412: errors.ValidationError,
}
_ADVICE = {
    401: "check the credentials; an API key works on https://api.ongage.com only (vendor page §1.2)",
    403: "the account needs API access, and the user the right: Admin or General User (vendor page §1.2)",
    404: "it is not there, or the user may not see it: check the id and the list (list_id=)",
    412: "`errors` says which values are refused; mend them before you send it again",
    429: "somebody else may be using the account: share one governor, or give each program a part of the limits",
}


@frozen
class WireRequest:
    """Hold a request that is ready to send, but for credentials and host.

    Args:
        method: HTTP method.
        url_path: Percent-encoded path with the list prefix and the query; may hold addresses, so it is not for logs.
        template: The route with its ``{parameters}`` unfilled, for logs.
        body: UTF-8 JSON, or None.
        headers: Content type, where there is a body.
    """

    method: str
    url_path: str = field(repr=False)
    template: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(factory=dict)


# --- rendering --------------------------------------------------------------------------------------------------------


def render(
    operation: Operation,
    *,
    path: Mapping[str, str | int] | None = None,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
    list_id: int | None = None,
) -> WireRequest:
    """Make the request of a call.

    The list goes to one place only, the one that `operation.list_in` names, and nowhere when `list_id` is None; a
    ``list_id`` that the caller put into body or query himself stays.

    Raises:
        InvalidInputError: A value cannot travel: a path parameter is missing or blank, a number is NaN, a date is no
            JSON.

    Source: vendor page §1.3.
    """
    route = operation.route if operation.route.startswith("/") else f"/{operation.route}"
    query = dict(query or {})
    where = operation.list_in if list_id is not None else ListIn.NOWHERE
    if where is ListIn.QUERY:
        query.setdefault("list_id", list_id)
    if where is ListIn.BODY:
        body = _with_list(operation, body, list_id)
    prefix = f"/{list_id}" if where is ListIn.ROUTE and not _HAS_LIST.match(route) else ""
    content = None if body is None else _encode(operation, body)
    url_path = prefix + _fill(operation, route, path or {}) + _query(operation, route, query)
    return WireRequest(
        method=operation.method,
        url_path=url_path if _TRAVELS.fullmatch(url_path) else _escaped(operation, url_path),
        template=mask(route.partition("?")[0]),
        body=content,
        headers={} if content is None else {"content-type": "application/json"},
    )


def _refuse(operation: Operation, message: str) -> NoReturn:
    raise InvalidInputError(message, operation=operation.name) from None


def _with_list(operation: Operation, body: Any, list_id: int | None) -> Any:
    if body is not None and not isinstance(body, Mapping):
        _refuse(operation, "the list goes into the body here, so the body must be an object")
    return {"list_id": list_id, **(body or {})}


def _fill(operation: Operation, route: str, path: Mapping[str, str | int]) -> str:
    def encoded(match: re.Match[str]) -> str:
        name = match[1]
        value = str(path[name]).strip() if name in path else ""
        if not value or value in _DOTS:  # "" and dots would name another endpoint
            _refuse(operation, f"`{name}` is missing or blank: it is part of the path")
        if value.isascii() and value.isalnum():  # an id, as most are
            return value
        try:
            return quote(value, safe="")
        except UnicodeEncodeError:
            _refuse(operation, f"`{name}` holds half a character (a lone surrogate)")

    return _PARAMETER.sub(encoded, route)


def _escaped(operation: Operation, url_path: str) -> str:
    """Escape what a caller's own route holds beside its parameters; what is escaped already stays."""
    try:
        return quote(url_path.partition("#")[0], safe=_URL_SIGNS)
    except UnicodeEncodeError:
        _refuse(operation, "the route holds half a character (a lone surrogate)")


def _query(operation: Operation, route: str, query: Mapping[str, Any]) -> str:
    pairs = [(key, _query_value(operation, key, value)) for key, value in query.items() if value is not None]
    if not pairs:
        return ""
    try:
        return ("&" if "?" in route else "?") + urlencode(pairs, quote_via=quote, safe="")
    except UnicodeEncodeError:
        _refuse(operation, "a query parameter holds half a character (a lone surrogate)")


def _query_value(operation: Operation, key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (int, float)) and math.isfinite(value):
        return str(value)
    _refuse(operation, f"query parameter `{key}` must be text, a finite number or a flag, not {type(value).__name__}")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
"""A body that holds itself is refused by the recursion limit, which costs nothing."""


def _encode(operation: Operation, body: Any) -> bytes:
    if isinstance(body, Encoded):
        return body
    try:
        return _ENCODER.encode(body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        place = _culprit(body, "$")
        what = f"{place[0]} is {place[1]}" if place else f"the body cannot be written as JSON ({type(error).__name__})"
        _refuse(operation, f"{what}: give JSON values only; a date goes as text in its field's format")


def _culprit(value: Any, place: str, depth: int = 0) -> tuple[str, str] | None:
    """Return the path and kind of the first value that JSON cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return place, "not a finite number"
    if isinstance(value, str) and _is_torn(value):
        return place, "text with half a character"
    if depth > 50 or not isinstance(value, (dict, list, tuple)):
        fine = value is None or isinstance(value, (bool, int, float, str))
        return None if fine else (place, f"a {type(value).__name__}")
    inner = (
        [(f"{place}.{key}", item) for key, item in value.items()]
        if isinstance(value, dict)
        else [(f"{place}[{index}]", item) for index, item in enumerate(value)]
    )
    return next(filter(None, (_culprit(item, at, depth + 1) for at, item in inner)), None)


def _is_torn(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


# --- reading ----------------------------------------------------------------------------------------------------------


class _Garbage(Exception):  # noqa: N818  # never leaves this file
    """The body is no JSON; the text says in which way."""


def read(operation: Operation, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Read an answer.

    Args:
        operation: The call, for the error.
        status: HTTP status.
        headers: Lower-case names.
        body: As received, decompressed.

    Returns:
        The payload of an envelope, or the whole document where there is none; payload None for an empty body where one
        may be empty (204, DELETE).

    Raises:
        APIError: The vendor says no: by its status, or by ``metadata.error`` with a status 2xx.
        DecodeError: It says yes in a way that cannot be read.

    Source: vendor page §1.4, §1.6.
    """
    try:
        document = _decode(body)
    except _Garbage as garbage:
        if not 200 <= status < 300:
            raise refusal(operation, status, headers, None) from None
        if not body.strip() and (status in (204, 205) or operation.method == "DELETE"):
            return Answer(payload=None, status=status)
        raise DecodeError(
            f"HTTP {status} with a body that {garbage}", excerpt=excerpt(body), operation=operation.name
        ) from None
    if not 200 <= status < 300 or _says_error(document):
        raise refusal(operation, status, headers, document)
    metadata, payload = _open(document)
    return Answer(payload=payload, metadata=metadata, status=status)


def _decode(body: bytes) -> Any:
    if not body.strip():
        raise _Garbage("is empty")
    try:
        return _json.decode(body)
    except RecursionError:
        raise _Garbage("is nested too deeply") from None
    except ValueError:
        raise _Garbage("is no JSON") from None


def _says_error(document: Any) -> bool:
    metadata = document.get("metadata") if isinstance(document, dict) else None
    return isinstance(metadata, dict) and metadata.get("error") not in _FINE


def _open(document: Any) -> tuple[Mapping[str, Any], Any]:
    """Return metadata and payload; a document without an envelope is all payload."""
    if not isinstance(document, dict):
        return {}, document
    metadata = document.get("metadata")
    is_envelope = "payload" in document or isinstance(metadata, dict)
    if not is_envelope:
        return {}, document
    return metadata if isinstance(metadata, dict) else {}, document.get("payload")


def refusal(operation: Operation, status: int, headers: Mapping[str, str], document: Any) -> APIError:
    """Return the error that an answer means.

    Args:
        operation: The call.
        status: HTTP status; where it is 2xx, the payload's ``code`` stands in for it.
        headers: Lower-case names.
        document: The decoded body, None where it cannot be read: nothing of such a body is shown.
    """
    _, payload = _open(document)
    details = payload if isinstance(payload, Mapping) else {}
    code = _code(details.get("code"))
    if 200 <= status < 300 and code is not None and 300 <= code < 600:
        status = code
    context: dict[str, Any] = {"status": status, "code": code, "operation": operation.name}
    context["errors"] = details.get("errors") or ()
    message = _message(document, payload) or f"the vendor gave no reason for HTTP {status}"
    error = _error(status, headers, message, context)
    if advice := _ADVICE.get(status):
        error.add_note(advice)
    return error


def _error(status: int, headers: Mapping[str, str], message: str, context: dict[str, Any]) -> APIError:
    kind = errors.ServerError if 500 <= status < 600 else errors.RateLimitedError
    try:
        if status == 429 or 500 <= status < 600:
            return kind(message, retry_after_s=retry_after_s(headers), **context)
        return _BY_STATUS.get(status, APIError)(message, **context)
    except RecursionError:  # details nested deeper than masking can follow
        return _error(status, headers, message, {**context, "errors": ()})


def _code(value: Any) -> int | None:
    try:
        return to_int(value)
    except UnreadableError:
        return None


def _message(document: Any, payload: Any) -> str:
    """Return the vendor's sentence; ``cause`` is Ownpage's word for it (vendor page §5)."""
    told: list[Any] = [payload]
    for place in (payload, document):
        if isinstance(place, Mapping):
            told += [place.get(key) for key in ("message", "cause")]
    sentence = next((text for text in told if isinstance(text, str) and text.strip()), "")
    return mask(" ".join(sentence.split()))[:_LONGEST_MESSAGE]


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks for.

    A date is measured against the answer's own Date header, so no clock of ours is needed; without one it is ignored.

    Source: RFC 9110 §10.2.3; whether the vendor sends it is not known (vendor page §2).
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value) if not value[:1].isalpha() else _between(headers.get("date", ""), value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _between(start: str, end: str) -> float:
    return (parsedate_to_datetime(end) - parsedate_to_datetime(start)).total_seconds()


def excerpt(body: bytes) -> str:
    """Return at most 500 masked characters of a body; masked before the cut, so that no half of an address is left."""
    return mask(body[:4000].decode("utf-8", "replace"))[:500]
