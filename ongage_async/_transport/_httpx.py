"""The long way: an httpx client (or httpx2). The one owner of httpx.

For a client of the caller's, and for what only httpx does: proxies of the environment, and being mocked, recorded or
watched by whoever replaces a function of httpx. It also keeps httpx's loggers from telling what is private.
"""

import logging
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import FunctionType
from typing import Any
from urllib.request import getproxies

import anyio
import httpx

from ongage_async._transport._ports import HTTPClient, Sink, WireResponse
from ongage_async._wire import WireRequest
from ongage_async.errors import ConnectError, ConnectionLostError, ResponseTimeoutError, TransportError, mask

__all__ = ["has_proxies", "is_watched", "make_client", "send", "ssl_context"]


def ssl_context() -> ssl.SSLContext:
    """Return what httpx trusts: the environment's authorities (``SSL_CERT_FILE``) or certifi's. It costs 20 ms."""
    return httpx.create_ssl_context()


def make_client(context: ssl.SSLContext) -> httpx.AsyncClient:
    """Make a client with one connection."""
    return httpx.AsyncClient(verify=context, limits=_ONE_CONNECTION)


def has_proxies() -> bool:
    """Say whether the environment names a proxy; httpx then decides, by ``NO_PROXY``, who goes through it."""
    return any(scheme in getproxies() for scheme in ("http", "https", "all"))


_DOORS = (
    (httpx.AsyncClient, "send"),
    (httpx.AsyncClient, "_send_single_request"),
    (httpx.AsyncClient, "_transport_for_url"),
    (httpx.AsyncHTTPTransport, "handle_async_request"),
)
"""What libraries replace to mock, record or watch httpx: pytest-httpx, respx, pook, vcrpy, OpenTelemetry, Sentry."""


def is_watched() -> bool:
    """Say whether somebody replaced a function of httpx or httpcore, and so wants to see our calls, too."""
    if httpx.AsyncClient is not _DOORS[0][0] or not all(_is_as_made(cls, name) for cls, name in _DOORS):
        return True
    pool = getattr(sys.modules.get("httpcore"), "AsyncConnectionPool", None)  # another thread may be importing it now
    return pool is not None and not _is_as_made(pool, "handle_async_request")


def _is_as_made(cls: type, name: str) -> bool:
    function = getattr(cls, name)
    return type(function) is FunctionType and function.__globals__["__name__"].startswith(("httpx.", "httpcore."))


async def send(
    client: HTTPClient, url: str, headers: Mapping[str, str], request: WireRequest, timeout_s: float, sink: Sink | None
) -> WireResponse:
    """Send one request and read its answer to the end; arguments and errors as `Transport.send`.

    Never cancelled from within: slow answers end by httpx's own timeouts, so that no pool is left broken. It may last
    longer than `timeout_s` for an answer that trickles; whoever must not wait so long stops waiting.
    """
    with _unlogged():
        try:
            return await _exchange(client, url, headers, request, timeout_s, sink)
        except Exception as error:  # noqa: BLE001 - translated, or raised again as it is
            raise _translate(error, request.template, timeout_s) from None


async def _exchange(
    client: HTTPClient, url: str, headers: Mapping[str, str], request: WireRequest, timeout_s: float, sink: Sink | None
) -> WireResponse:
    deadline = anyio.current_time() + timeout_s
    built = client.build_request(request.method, url, content=request.body, headers=headers, timeout=timeout_s)
    response = await client.send(built, stream=True, follow_redirects=False)
    if sink is not None:
        return await _pour(response, sink)
    chunks, is_late = [], False
    try:
        async for chunk in response.aiter_bytes():
            chunks.append(chunk)
            if not is_late and anyio.current_time() > deadline:
                is_late = True
                await response.aclose()  # the next read fails, which ends all of httpx's generators in order
    except Exception:
        if not is_late:
            raise
    finally:
        await response.aclose()
    if is_late:
        raise ResponseTimeoutError.after(timeout_s)
    return WireResponse(response.status_code, dict(response.headers), b"".join(chunks))


async def _pour(response: Any, sink: Sink) -> WireResponse:
    """Hand a body on as it comes; one that the sink does not take is read whole, like any answer."""
    status, headers = response.status_code, dict(response.headers)
    is_taken: bool | None = None
    kept = []
    try:
        async for piece in response.aiter_bytes():
            if is_taken is None:
                is_taken = sink.takes(status, headers, piece)
            if not is_taken:
                kept.append(piece)
            elif not await sink.put(piece):
                await response.aclose()  # as above: the next read fails, in order
    finally:
        await response.aclose()
    return WireResponse(status, headers, b"".join(kept), is_poured=bool(is_taken))


_ONE_CONNECTION = httpx.Limits(max_connections=1, max_keepalive_connections=1)

_UNSENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError"}
_NETWORK = {"HTTPError", "StreamError", "OSError", "BrokenResourceError", "ClosedResourceError", "EndOfStream"}


def _translate(error: Exception, template: str, timeout_s: float) -> Exception:
    """Turn an error of httpx or httpx2 into ours, by the names they share, without its text or its request.

    Only a connection's error is quoted: it comes from the operating system or from TLS, before anything was sent.
    What is not the network's doing (a mock's own mistake) stays as it is.
    """
    names = {cls.__name__ for cls in type(error).__mro__}
    kind = type(error).__name__
    if isinstance(error, TransportError) or not names & _NETWORK:
        return error
    if names & _UNSENT:
        detail = f": {mask(_reason(error))}" if "ConnectError" in names else ""
        return ConnectError(f"no connection for {template} ({kind}{detail})")
    if "TimeoutException" in names:
        return ResponseTimeoutError.after(timeout_s)
    return ConnectionLostError(f"the connection for {template} ended before the whole answer ({kind})")


def _reason(error: BaseException | None) -> str:
    """Return the first text along the causes: on trio the outermost errors have none."""
    while error is not None:
        if str(error):
            return str(error)
        error = error.__cause__ or error.__context__
    return "no reason given"


# -- what other libraries would log about our requests ----------------------------------------------------------------

_in_our_request: ContextVar[bool] = ContextVar("ongage_async_in_our_request", default=False)


def _is_not_ours(record: logging.LogRecord) -> bool:  # noqa: ARG001 - the signature of a filter
    return not _in_our_request.get()


def _talkative() -> Iterator[str]:
    """Name the loggers that would show full URLs (addresses) and headers (passwords)."""
    yield from ("httpx", "httpx2", "hpack.hpack", "hpack.table")
    for core in ("httpcore", "httpcore2"):
        for part in ("connection", "http11", "http2", "proxy", "socks"):
            yield f"{core}.{part}"


for _name in _talkative():
    logging.getLogger(_name).addFilter(_is_not_ours)


@contextmanager
def _unlogged() -> Iterator[None]:
    token = _in_our_request.set(True)
    try:
        yield
    finally:
        _in_our_request.reset(token)
