"""Which way a request goes, and the idle connections of both ways."""

import ssl
import time
from collections.abc import Mapping
from typing import Self

import httpx
from attrs import define, field, frozen

from ongage_async._transport import _httpx
from ongage_async._transport._connection import Connection
from ongage_async._transport._ports import HTTPClient, Sink, WireResponse
from ongage_async._wire import WireRequest
from ongage_async.errors import ConfigurationError

__all__ = ["Transport"]

_AS_IT_IS = "identity"  # a file's length on the wire is its length, and no piece swells in memory


_CONNECTING = 0.9
"""The share of its time that a call may take to connect: so who waits hears that nothing was sent, not only that it is
late, and nothing is sent for somebody who has left."""


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
    _host: "_Host" = field(init=False, repr=False)
    _has_proxies: bool = field(init=False, repr=False)
    _idle: list[Connection] = field(factory=list, init=False, repr=False)
    _clients: list[HTTPClient] = field(factory=list, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._host = _Host.of(self.base_url, self.headers)
        self._has_proxies = _httpx.has_proxies()

    async def send(self, request: WireRequest, timeout_s: float, sink: Sink | None = None) -> WireResponse:
        """Send one request and read its answer to the end.

        With a `sink`, a body that it takes goes there piece by piece, and `timeout_s` is the longest silence.

        Never cancelled from within: whoever must not wait so long stops waiting.

        Raises:
            ConnectError: Nothing was sent.
            ResponseTimeoutError: Sent, and no whole answer within `timeout_s`.
            ConnectionLostError: Sent, and the connection ended.
        """
        if self.http_client is not None:
            return await self._send_by(self.http_client, request, timeout_s, sink)
        if self._has_proxies or _httpx.is_watched():
            return await self._send_by_our_client(request, timeout_s, sink)
        began = time.monotonic()
        connection = await self._connection(request.template, timeout_s * _CONNECTING)
        try:
            response = await connection.exchange(request, *self._host.head(request, sink), timeout_s, sink, began)
        except BaseException:
            await connection.aclose()
            raise
        if connection.is_reusable:
            self._idle.append(connection)
        else:
            await connection.aclose()
        return response

    async def aclose(self) -> None:
        """Close our own connections; the caller's client stays open."""
        while self._idle:
            await self._idle.pop().aclose()
        while self._clients:
            await self._clients.pop().aclose()

    # -- the short way ------------------------------------------------------------------------------------------------

    async def _connection(self, template: str, timeout_s: float) -> Connection:
        """Return an idle connection that is still good, or a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fit():
                return connection
            await connection.aclose()
        context = self._trust() if self._host.is_secure else None
        return await Connection.open(self._host.name, self._host.port, context, timeout_s, template=template)

    def _trust(self) -> ssl.SSLContext:
        if self.ssl_context is None:
            self.ssl_context = _httpx.ssl_context()
        return self.ssl_context

    # -- the long way -------------------------------------------------------------------------------------------------

    async def _send_by_our_client(self, request: WireRequest, timeout_s: float, sink: Sink | None) -> WireResponse:
        client = self._clients.pop() if self._clients else _httpx.make_client(self._trust())
        try:
            response = await self._send_by(client, request, timeout_s, sink)
        except BaseException:
            await client.aclose()
            raise
        self._clients.append(client)
        return response

    async def _send_by(
        self, client: HTTPClient, request: WireRequest, timeout_s: float, sink: Sink | None
    ) -> WireResponse:
        headers = {**self.headers, **request.headers}
        if sink is not None:
            headers["accept-encoding"] = _AS_IT_IS
        return await _httpx.send(client, self.base_url + request.url_path, headers, request, timeout_s, sink)


@frozen
class _Host:
    """Who is at the other end of our connections, and what every request says to it, as bytes once and for all."""

    name: str
    port: int
    is_secure: bool
    path: bytes
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)

    @classmethod
    def of(cls, base_url: str, headers: Mapping[str, str]) -> Self:
        try:
            url = httpx.URL(base_url)
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"base_url cannot be read: {error}") from None
        is_secure = url.scheme == "https"
        port = url.port or (443 if is_secure else 80)
        if not 0 < port < 65_536:
            raise ConfigurationError(f"base_url has no port {port}: they end at 65535")
        always = {b"host": url.netloc, b"accept": b"*/*", b"user-agent": b"ongage_async"}
        return cls(
            name=url.raw_host.decode("ascii"),
            port=port,
            is_secure=is_secure,
            path=url.raw_path.rstrip(b"/"),
            headers=(*always.items(), *_encoded(headers)),
        )

    def head(self, request: WireRequest, sink: Sink | None) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """Return the target and the headers of a request."""
        headers = [*self.headers, (b"accept-encoding", b"gzip" if sink is None else b"identity")]
        headers += _encoded(request.headers)
        if request.body is not None:
            headers.append((b"content-length", b"%d" % len(request.body)))
        elif request.method != "GET":
            headers.append((b"content-length", b"0"))
        return self.path + request.url_path.encode("ascii"), headers


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
