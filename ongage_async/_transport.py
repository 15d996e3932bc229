"""The one owner of httpx: bytes out, bytes in, over one connection per open call.

At most `parallel` calls are open, because the governor sees to it; so each open call gets a connection of its own
(an httpx client with a pool of one) instead of fighting over a shared pool, and one that failed is thrown away with
everything it may have broken. A caller's own client (httpx or httpx2) is used as it is. No retry, no vendor knowledge.
"""

import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import anyio
import httpx
from attrs import define, field, frozen

from ongage_async._wire import WireRequest
from ongage_async.errors import ConnectError, ConnectionLostError, ResponseTimeoutError, TransportError, mask

__all__ = ["HTTPClient", "Sink", "Transport", "WireResponse"]


class HTTPClient(Protocol):
    """What is asked of a caller's own client: `httpx.AsyncClient` and `httpx2.AsyncClient` both have it."""

    def build_request(
        self, method: str, url: str, *, content: Any = ..., headers: Any = ..., timeout: Any = ...
    ) -> Any:
        """Build a request."""
        ...

    async def send(self, request: Any, *, stream: bool = ..., follow_redirects: Any = ...) -> Any:
        """Send it."""
        ...

    async def aclose(self) -> None:
        """Close the client."""
        ...


class Sink(Protocol):
    """Where a body goes that must not be held in memory."""

    def takes(self, status: int, headers: Mapping[str, str], head: bytes) -> bool:
        """Say whether the body that begins with `head` shall be poured here; else it is read whole."""
        ...

    async def put(self, piece: bytes) -> bool:
        """Take a piece, when there is room for it; false when nobody wants the rest."""
        ...


@frozen
class WireResponse:
    """An answer as bytes.

    Args:
        status: HTTP status.
        headers: Lower-case names.
        body: The whole body, decompressed; empty if it was poured into a sink.
        is_poured: Whether a sink took it, to the end.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    is_poured: bool = False


@define(eq=False)
class Transport:
    """Send rendered requests and read whole answers.

    Args:
        base_url: Scheme and host, without a slash at the end.
        headers: Authentication and what else goes with every request.
        http_client: A client of the caller's, never closed here.
        ssl_context: For a private CA; None means the system's environment (``SSL_CERT_FILE``) or certifi.
    """

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    http_client: HTTPClient | None = None
    ssl_context: ssl.SSLContext | None = None
    _idle: list[HTTPClient] = field(factory=list, init=False)
    _closed: bool = field(default=False, init=False)

    async def send(self, request: WireRequest, timeout_s: float, sink: Sink | None = None) -> WireResponse:
        """Send one request and read its answer to the end.

        With a `sink`, a body that it takes goes there piece by piece, and `timeout_s` is the longest silence.

        Never cancelled from within: slow answers end by httpx's own timeouts, so that no pool is left broken. It may
        last longer than `timeout_s` for an answer that trickles; whoever must not wait so long stops waiting.

        Raises:
            ConnectError: Nothing was sent.
            ResponseTimeoutError: Sent, and no whole answer within `timeout_s`.
            ConnectionLostError: Sent, and the connection ended.
        """
        with _unlogged():
            client = self.http_client or self._borrow()
            try:
                response = await self._exchange(client, request, timeout_s, sink)
            except Exception as error:  # noqa: BLE001 - translated, or raised again as it is
                await self._discard(client)
                raise _translate(error, request.template) from None
            except BaseException:
                await self._discard(client)
                raise
            self._put_back(client)
            return response

    async def aclose(self) -> None:
        """Close our own connections; the caller's client stays open."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    async def _exchange(
        self, client: HTTPClient, request: WireRequest, timeout_s: float, sink: Sink | None
    ) -> WireResponse:
        deadline = anyio.current_time() + timeout_s
        built = client.build_request(
            request.method,
            self.base_url + request.url_path,
            content=request.body,
            headers={**self.headers, **dict(request.headers), **({} if sink is None else _AS_IT_IS)},
            timeout=timeout_s,
        )
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
            raise ResponseTimeoutError(f"the answer was still trickling in after {timeout_s:g} s")
        return WireResponse(response.status_code, dict(response.headers), b"".join(chunks))

    # -- one client, one connection -----------------------------------------------------------------------------------

    def _borrow(self) -> HTTPClient:
        if self._idle:
            return self._idle.pop()
        if self.ssl_context is None:
            self.ssl_context = httpx.create_ssl_context()
        return httpx.AsyncClient(verify=self.ssl_context, limits=_ONE_CONNECTION)

    def _put_back(self, client: HTTPClient) -> None:
        if client is not self.http_client:
            self._idle.append(client)

    async def _discard(self, client: HTTPClient) -> None:
        if client is not self.http_client:
            await client.aclose()


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


_AS_IT_IS = {"accept-encoding": "identity"}  # a file's length on the wire is its length, and no piece swells in memory
_ONE_CONNECTION = httpx.Limits(max_connections=1, max_keepalive_connections=1)

_UNSENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError"}
_NETWORK = {"HTTPError", "StreamError", "OSError", "BrokenResourceError", "ClosedResourceError", "EndOfStream"}


def _translate(error: Exception, template: str) -> Exception:
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
        return ResponseTimeoutError(f"no answer to {template} in time ({kind})")
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
