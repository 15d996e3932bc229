"""The short way: a connection to the vendor, one HTTP/1.1 exchange at a time. The one owner of h11.

It is made for calls of an API: the whole request is bytes, and one deadline ends the exchange wherever it stands.
`Transport` opens connections, keeps the idle ones and throws away those that failed; nothing is tried again here.
"""

import math
import ssl
import time
import zlib
from typing import Any, Self

import h11
from attrs import define, field

from ongage_async._tasks import is_trio_running, running_loop
from ongage_async._transport._ports import Sink, Stream, WireResponse
from ongage_async._wire import WireRequest
from ongage_async.errors import ConnectError, ConnectionLostError, ResponseTimeoutError, mask

__all__ = ["Connection"]

LARGEST_HEAD_BYTES = 100 * 1024
KEEP_IDLE_S = 5.0  # as httpx: most servers keep an idle connection longer than that
_PACKED = {"gzip", "x-gzip", "deflate"}
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS


@define(eq=False)
class Connection:
    """One connection to the vendor."""

    _stream: Stream
    _http: h11.Connection = field(init=False)
    _deadline: float = field(default=0.0, init=False)
    _idle_until: float = field(default=0.0, init=False)
    _loop: object = field(factory=running_loop, init=False)

    def __attrs_post_init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD_BYTES)

    @classmethod
    async def open(
        cls, host: str, port: int, context: ssl.SSLContext | None, timeout_s: float, *, template: str
    ) -> Self:
        """Connect.

        Raises:
            ConnectError: In vain; nothing was sent.
        """
        if context is not None:
            context.set_alpn_protocols(["http/1.1"])
        try:
            return cls(await _stream(host, port, context, timeout_s))
        except TimeoutError:
            raise ConnectError(f"no connection for {template} within {timeout_s:g} s") from None
        except (OSError, UnicodeError) as error:  # the latter: a host's name that is too long for DNS
            raise ConnectError(f"no connection for {template} ({mask(_reason(error))})") from None

    @property
    def is_reusable(self) -> bool:
        """Whether the server lets another exchange follow the last one."""
        return self._idle_until > 0.0

    def is_fit(self) -> bool:
        """Say whether an idle connection is still good: of this event loop, not too old, not closed by the server."""
        return self._is_of_this_loop and time.monotonic() < self._idle_until and self._stream.is_quiet()

    @property
    def _is_of_this_loop(self) -> bool:
        return self._loop is running_loop()

    async def exchange(
        self,
        request: WireRequest,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        timeout_s: float,
        sink: Sink | None,
        began: float,
    ) -> WireResponse:
        """Send one request and read its answer to the end; after an error the connection is good for nothing.

        With a sink, `timeout_s` is the longest silence; else the answer is complete by then.

        Args:
            request: What to send.
            target: Its path as it stands in the request's first line.
            headers: All of its headers.
            timeout_s: From `began` to the answer's last byte.
            sink: Where a body goes that must not be held in memory.
            began: When it began by `time.monotonic`: connecting counts, or the call would outlive its lease.

        Raises:
            ConnectError: The request cannot be written as HTTP; nothing was sent.
            ResponseTimeoutError: Sent, and no whole answer in time.
            ConnectionLostError: Sent, and the connection ended or brought no HTTP.
        """
        try:
            data = self._packed(request.method, target, headers, request.body)
        except h11.LocalProtocolError:  # its text holds the header
            raise ConnectError(f"{request.template} or a header of it holds what HTTP cannot carry") from None
        try:
            self._deadline = began + timeout_s
            await self._stream.write(data, self._left_s())
            response = await (self._whole() if sink is None else self._poured(sink, timeout_s))
        except TimeoutError:
            raise ResponseTimeoutError.after(timeout_s) from None
        except (OSError, h11.RemoteProtocolError, zlib.error) as error:
            raise ConnectionLostError(
                f"the connection for {request.template} ended before the whole answer ({type(error).__name__})"
            ) from None
        self._rest()
        return response

    async def aclose(self) -> None:
        """Close the connection; one of an earlier event loop is out of reach, and ends with what is left of it."""
        if self._is_of_this_loop:
            await self._stream.aclose()

    # -- one exchange -------------------------------------------------------------------------------------------------

    def _packed(self, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes | None) -> bytes:
        send: Any = self._http.send  # bytes for all that is sent here; h11 says that it could be None
        data: bytes = send(h11.Request(method=method, target=target, headers=headers))
        if body:
            data += send(h11.Data(data=body))
        send(h11.EndOfMessage())
        return data

    async def _event(self) -> Any:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._stream.read(self._left_s()))
        return event

    def _left_s(self) -> float:
        """Return how long to wait at most; when it is late, what came by now is still read, and nothing after it."""
        left_s = self._deadline - time.monotonic()
        if left_s > 0.0:
            return left_s
        if self._deadline == -math.inf:
            raise TimeoutError
        self._deadline = -math.inf
        return 0.0

    async def _head(self) -> tuple[int, dict[str, str]]:
        while not isinstance(event := await self._event(), h11.Response):
            pass  # what is informational says nothing here
        return event.status_code, {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}

    async def _whole(self) -> WireResponse:
        status, headers = await self._head()
        pieces = []
        while isinstance(event := await self._event(), h11.Data):
            pieces.append(event.data)
        body = b"".join(pieces)
        if body and _is_packed(headers):
            unpacking = _Unpacking()
            body = unpacking.unpacked(body)
            unpacking.end()
        return WireResponse(status, headers, body)

    async def _poured(self, sink: Sink, timeout_s: float) -> WireResponse:
        """Hand a body on as it comes; one that the sink does not take is read whole, like any answer."""
        status, headers = await self._head()
        unpacking = _Unpacking() if _is_packed(headers) else None
        is_taken: bool | None = None
        kept = []
        while True:
            self._deadline = time.monotonic() + timeout_s
            if not isinstance(event := await self._event(), h11.Data):
                break
            piece = bytes(event.data) if unpacking is None else unpacking.unpacked(event.data)
            if not piece:
                continue
            if is_taken is None:
                is_taken = sink.takes(status, headers, piece)
            if not is_taken:
                kept.append(piece)
            elif not await sink.put(piece):
                raise ConnectionAbortedError
        if unpacking is not None:
            unpacking.end()
        return WireResponse(status, headers, b"".join(kept), is_poured=bool(is_taken))

    def _rest(self) -> None:
        """Make ready for the next exchange, if the server allows one and sent nothing beyond its answer."""
        http = self._http
        if http.our_state is h11.DONE and http.their_state is h11.DONE and http.trailing_data == (b"", False):
            http.start_next_cycle()
            self._idle_until = time.monotonic() + KEEP_IDLE_S
        else:
            self._idle_until = 0.0


class _Unpacking:
    """Unpack a body that comes piece by piece: gzip of any number of members, or deflate, with its frame or without."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_ZLIB_OR_GZIP)
        self._has_begun = False

    def unpacked(self, piece: bytes) -> bytes:
        """Return what a piece holds; raises zlib.error."""
        pieces = []
        while piece:
            if self._member.eof:
                self._member = zlib.decompressobj(_ZLIB_OR_GZIP)
            pieces.append(self._some(piece))
            piece = self._member.unused_data
        return b"".join(pieces)

    def end(self) -> None:
        """Raise zlib.error if the body broke off."""
        if self._has_begun and not self._member.eof:
            raise zlib.error

    def _some(self, piece: bytes) -> bytes:
        try:
            return self._member.decompress(piece)
        except zlib.error:
            if self._has_begun:
                raise
            self._member = zlib.decompressobj(-zlib.MAX_WBITS)  # as some servers do, and every client reads
            return self._member.decompress(piece)
        finally:
            self._has_begun = True


async def _stream(host: str, port: int, context: ssl.SSLContext | None, timeout_s: float) -> Stream:
    if is_trio_running():
        from ongage_async._transport._trio_stream import TrioStream

        return await TrioStream.connect(host, port, context, timeout_s)
    from ongage_async._transport._asyncio_stream import AsyncioStream

    return await AsyncioStream.connect(host, port, context, timeout_s)


def _is_packed(headers: dict[str, str]) -> bool:
    """Say whether a body is compressed in a way that we asked for; other codings stay as they are."""
    return headers.get("content-encoding", "").strip().lower() in _PACKED


def _reason(error: BaseException | None) -> str:
    """Return the first text along the causes: on trio the outermost errors have none."""
    while error is not None:
        if str(error):
            return str(error)
        error = error.__cause__ or error.__context__
    return "no reason given"
