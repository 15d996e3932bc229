"""Reading a request from ASGI, and sending a reply with everything that may go wrong on the way.

Used by the app alone. No vendor knowledge here.
"""

import json
import math
from typing import Any
from urllib.parse import parse_qsl

import anyio

from ongage_async.emulator._answers import Reply, bad_request
from ongage_async.emulator._asgi import Receive, Scope, Send
from ongage_async.emulator.faults import Fault

__all__ = ["hang_up", "parse_body", "parse_query", "raw_path", "read_body", "send_reply"]

_MOST_DEPTH = 512  # PHP's own


def raw_path(scope: Scope) -> str:
    """Return the path as it was sent, percent-encoding and all."""
    raw = scope.get("raw_path")
    return raw.decode("latin-1") if raw else str(scope["path"])


def parse_query(scope: Scope) -> dict[str, str]:
    """Return the query's parameters; of repeated ones, the last."""
    raw = scope["query_string"]
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True)) if raw else {}


async def read_body(receive: Receive) -> bytes | None:
    """Return the whole body, or None when the client hung up before its end."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


def parse_body(body: bytes) -> Any:
    """Return the JSON value of a body, None for an empty one.

    As strict as PHP's reader, which the vendor's answers give away (assumed): no NaN, no half of a surrogate pair, no
    number without end, no depth without end. What passes can be written back.

    Raises:
        Refusal: 400, it is no JSON.
    """
    if not body.strip():
        return None
    try:
        document = json.loads(body, parse_constant=_finite, parse_float=_finite)
        if b"\\u" in body:
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise bad_request("Invalid JSON in request") from None
    if body.count(b"[") + body.count(b"{") > _MOST_DEPTH and _depth(document) > _MOST_DEPTH:
        raise bad_request("Invalid JSON in request")
    return document


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("no number of JSON")
    return number


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level := [each for each in level if isinstance(each, list | dict)]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


async def send_reply(send: Send, reply: Reply, fault: Fault | None) -> None:
    """Send a reply; a fault may let it drip, or cut it in two."""
    length = (b"content-length", str(len(reply.body)).encode())
    await send({"type": "http.response.start", "status": reply.status, "headers": [*reply.headers, length]})
    if fault is not None and fault.cut_body:
        await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
        return
    rest = reply.body
    while fault is not None and fault.drip_s and len(rest) > fault.drip_bytes:
        await send({"type": "http.response.body", "body": rest[: fault.drip_bytes], "more_body": True})
        rest = rest[fault.drip_bytes :]
        await anyio.sleep(fault.drip_s)
    await send({"type": "http.response.body", "body": rest})


async def hang_up(receive: Receive, send: Send) -> None:
    """Close the connection of a call, now, whatever was sent so far.

    ASGI has no message for this. The in-process transport's exchange has a method for it. Under uvicorn the outermost
    `send` is a bound method of its request-response cycle, which has the connection's `transport`; aborting it makes
    the kernel close the socket, with what was already written delivered. Behind another server or a middleware that
    replaces `send` neither is there, and the call ends by an exception, which servers turn into a closed connection or
    a 500.
    """
    line: Any = getattr(send, "__self__", None)
    if hasattr(line, "hang_up"):
        line.hang_up()
        return
    transport = getattr(line, "transport", None)
    if transport is None:
        raise ConnectionAbortedError("this server offers no way to drop a connection")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass  # uvicorn would answer 500 for a call that returns while it believes the client is there
