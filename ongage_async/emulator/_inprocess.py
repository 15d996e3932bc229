"""An httpx transport that reaches an ASGI app without sockets, on asyncio and trio, on real and virtual clocks.

The one file of the emulator that knows httpx's transports. Unlike `httpx.ASGITransport` the server's side runs in its
own task: it goes on when the client gives up, the body streams, read timeouts are kept, and a dropped connection is the
error that it would be over a socket. Used through `Emulator.http_client`.
"""

from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx

from ongage_async.emulator._asgi import ASGIApp
from ongage_async.emulator._spawn import spawn

__all__ = ["InProcessTransport"]


class _Exchange:
    """Carry one request and its response between the two tasks."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._messages: deque[dict[str, Any]] = deque()
        self._news = anyio.Event()
        self._client_left = anyio.Event()
        self.is_over = False

    async def receive(self) -> dict[str, Any]:
        body, self._body = self._body, None
        if body is None:
            await self._client_left.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        self._messages.append(message)
        self._news.set()

    def hang_up(self) -> None:
        """End the exchange from the server's side."""
        self.is_over = True
        self._news.set()

    def leave(self) -> None:
        """End it from the client's side."""
        self._client_left.set()

    async def next(self, timeout_s: float | None, request: httpx.Request) -> dict[str, Any] | None:
        """Return the next message, or None when the server hung up."""
        if not self._messages and not self.is_over:
            with anyio.move_on_after(timeout_s):
                await self._news.wait()
        if self._messages:
            self._news = anyio.Event()
            return self._messages.popleft()
        if self.is_over:
            return None
        raise httpx.ReadTimeout("the emulator took longer than the read timeout", request=request)


class _Body(httpx.AsyncByteStream):
    """Stream the response's body to the client."""

    def __init__(self, exchange: _Exchange, timeout_s: float | None, request: httpx.Request) -> None:
        self._exchange = exchange
        self._timeout_s = timeout_s
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            message = await self._exchange.next(self._timeout_s, self._request)
            if message is None:
                raise httpx.RemoteProtocolError(
                    "peer closed connection without sending complete message body", request=self._request
                )
            yield message.get("body", b"")
            if not message.get("more_body", False):
                return

    async def aclose(self) -> None:
        self._exchange.leave()


class InProcessTransport(httpx.AsyncBaseTransport):
    """Send requests to an ASGI app in the same process.

    Args:
        app: The app.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request to the app and its response back."""
        body = await request.aread()
        exchange = _Exchange(body)
        timeout_s = request.extensions.get("timeout", {}).get("read")
        spawn(self._serve, _scope(request), exchange)
        try:
            start = await exchange.next(timeout_s, request)
        except BaseException:
            exchange.leave()
            raise
        if start is None:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        stream = _Body(exchange, timeout_s, request)
        return httpx.Response(start["status"], headers=start.get("headers", []), stream=stream, request=request)

    async def _serve(self, scope: dict[str, Any], exchange: _Exchange) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - a server closes the connection of a call that breaks
            exchange.hang_up()


def _scope(request: httpx.Request) -> dict[str, Any]:
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "query_string": url.query,
        "server": (url.host, url.port),
        "client": ("127.0.0.1", 0),
        "root_path": "",
    }
