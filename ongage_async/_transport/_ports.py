"""What goes in and out of the transport, and what it asks of others. Values and protocols only."""

from collections.abc import Mapping
from typing import Any, Protocol

from attrs import field, frozen

__all__ = ["HTTPClient", "Sink", "Stream", "WireResponse"]


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


class Stream(Protocol):
    """One connection of bytes on the running event loop, TLS included."""

    async def read(self, timeout_s: float) -> bytes:
        """Return what came, empty at the end; raises TimeoutError after that long a silence, or OSError."""
        ...

    async def write(self, data: bytes, timeout_s: float) -> None:
        """Send; raises TimeoutError. Of a connection that broke `read` tells, when it has given what came before."""
        ...

    def is_quiet(self) -> bool:
        """Say that nothing has come, not even the end, and all is sent: only such a connection can be used again."""
        ...

    async def aclose(self) -> None:
        """Close it now."""
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
