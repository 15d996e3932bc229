"""One connection of bytes on asyncio (or uvloop): a protocol with one reader. Loaded where asyncio runs.

An answer that comes in one piece costs one wait and one timer, which is a third less of a whole call than with anyio's
sockets under httpcore.
"""

import asyncio
import select
import ssl
from typing import Any, Self, cast

__all__ = ["AsyncioStream"]

ENOUGH_BYTES = 256 * 1024
"""What is kept unread before the server has to wait."""

NEXT_ADDRESS_S = 0.25
"""How long one of a host's addresses is tried alone (RFC 8305 §8)."""


class AsyncioStream(asyncio.Protocol):
    """A `Stream`; the loop hands it bytes as they come."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport
        self._socket = select.poll() if hasattr(select, "poll") else None  # Windows has none
        self._pieces: list[bytes] = []
        self._unread_bytes = 0
        self._reader: asyncio.Future[None] | None = None
        self._closed = loop.create_future()
        self._has_ended = False
        self._error: OSError | None = None

    @classmethod
    async def connect(cls, host: str, port: int, context: ssl.SSLContext | None, timeout_s: float) -> Self:
        """Connect, with TLS if there is a context.

        Raises:
            TimeoutError: It took too long.
            OSError: It is refused, or the certificate is not trusted.
        """
        loop = asyncio.get_running_loop()
        # Loops that are not asyncio's own, like uvloop, try a host's addresses one after the other.
        options: dict[str, Any] = (
            {"happy_eyeballs_delay": NEXT_ADDRESS_S} if isinstance(loop, asyncio.BaseEventLoop) else {}
        )
        name = host if context is not None else None
        if context is not None:
            options["ssl_handshake_timeout"] = timeout_s
        attempt = loop.create_task(
            loop.create_connection(lambda: cls(loop), host, port, ssl=context, server_hostname=name, **options)
        )
        done, _ = await asyncio.wait((attempt,), timeout=timeout_s)
        if not done:  # not cancelled: asyncio would lose the socket of an address that answers just now
            _late.add(attempt)
            attempt.add_done_callback(_hang_up)
            raise TimeoutError
        _, stream = attempt.result()
        return stream

    async def read(self, timeout_s: float) -> bytes:
        """Return all that came, waiting if that is nothing yet; empty at the end."""
        if not self._pieces and not self._has_ended:
            await self._arrival(timeout_s)
        if self._pieces:
            return self._taken()
        if self._error is not None:
            raise self._error
        return b""

    async def write(self, data: bytes, timeout_s: float) -> None:  # noqa: ARG002 - the answer's deadline covers it
        """Send; what the socket does not take at once waits in memory, where it was before."""
        self._transport.write(data)

    def is_quiet(self) -> bool:
        """Say that nothing came and all is sent; the socket is asked too: the loop may not have looked at it yet."""
        if self._pieces or self._has_ended or self._transport.get_write_buffer_size():
            return False
        return self._socket is None or not self._socket.poll(0)

    async def aclose(self) -> None:
        """Close at once, without TLS's farewell, which some servers never answer."""
        self._transport.abort()
        if not self._closed.done():
            await self._closed

    async def _arrival(self, timeout_s: float) -> None:
        reader = self._reader = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, _fail, reader)
        try:
            await reader
        finally:
            timer.cancel()
            self._reader = None

    def _taken(self) -> bytes:
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if self._unread_bytes > ENOUGH_BYTES and not self._has_ended:
            self._transport.resume_reading()
        self._unread_bytes = 0
        return data

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # -- what the loop calls ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the loop's end."""
        self._transport = cast("asyncio.Transport", transport)
        if self._socket is not None:
            self._socket.register(transport.get_extra_info("socket"), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Keep what came, and hold the server up when nobody reads it."""
        self._pieces.append(data)
        if self._unread_bytes <= ENOUGH_BYTES < self._unread_bytes + len(data):
            self._transport.pause_reading()
        self._unread_bytes += len(data)
        self._wake()

    def eof_received(self) -> None:
        """Note the end; the loop closes the connection."""
        self._has_ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end and its reason."""
        self._has_ended = True
        self._error = exc if isinstance(exc, OSError) else None
        if not self._closed.done():
            self._closed.set_result(None)
        self._wake()


_late: "set[asyncio.Task[Any]]" = set()
"""Attempts to connect that nobody waits for any more; asyncio itself keeps only weak references."""


def _hang_up(attempt: "asyncio.Task[Any]") -> None:
    _late.discard(attempt)
    if not attempt.cancelled() and attempt.exception() is None:
        transport, _ = attempt.result()
        transport.abort()


def _fail(reader: "asyncio.Future[None]") -> None:
    if not reader.done():
        reader.set_exception(TimeoutError())
