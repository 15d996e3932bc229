"""One connection of bytes on trio. Loaded where trio runs."""

import ssl
from typing import Self

import trio

__all__ = ["TrioStream"]

MOST_BYTES = 64 * 1024


class TrioStream:
    """A `Stream`.

    Args:
        stream: What is read and written: the socket's stream, or TLS around it.
        socket: The socket at its bottom.
    """

    def __init__(
        self, stream: "trio.SocketStream | trio.SSLStream[trio.SocketStream]", socket: trio.socket.SocketType
    ) -> None:
        self._stream = stream
        self._socket = socket

    @classmethod
    async def connect(cls, host: str, port: int, context: ssl.SSLContext | None, timeout_s: float) -> Self:
        """Connect, with TLS if there is a context.

        Raises:
            TimeoutError: It took too long.
            OSError: It is refused, or the certificate is not trusted.
        """
        with trio.move_on_after(timeout_s):
            plain = await trio.open_tcp_stream(host, port)
            if context is None:
                return cls(plain, plain.socket)
            secured = trio.SSLStream(plain, context, server_hostname=host, https_compatible=True)
            try:
                await secured.do_handshake()
            except BaseException as error:
                plain.socket.close()
                if isinstance(error, trio.BrokenResourceError):
                    raise ConnectionError from error
                raise
            return cls(secured, plain.socket)
        raise TimeoutError

    async def read(self, timeout_s: float) -> bytes:
        """Return what came; empty at the end."""
        try:
            with trio.move_on_after(timeout_s):
                return bytes(await self._stream.receive_some(MOST_BYTES))
        except trio.BrokenResourceError as error:
            raise ConnectionResetError from error
        raise TimeoutError

    async def write(self, data: bytes, timeout_s: float) -> None:
        """Send all of it, to whoever takes it: a server that hung up in the middle may have answered before."""
        try:
            with trio.move_on_after(timeout_s):
                await self._stream.send_all(data)
                return
        except trio.BrokenResourceError:
            return
        raise TimeoutError

    def is_quiet(self) -> bool:
        """Say that nothing came; TLS may have read on beyond the last answer."""
        if isinstance(self._stream, trio.SSLStream) and self._stream._incoming.pending:  # no public way to ask
            return False
        return not self._socket.is_readable()

    async def aclose(self) -> None:
        """Close at once, without TLS's farewell, which some servers never answer."""
        self._socket.close()
