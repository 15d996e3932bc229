"""Fetch an import's file by its URL, as the vendor's servers do. The only file that makes HTTP requests.

Used by the imports. Hosts can be mounted as ASGI apps, so that a file drop is tested without sockets.
"""

from typing import Any

from attrs import define, field

from ongage_async.emulator._asgi import ASGIApp

__all__ = ["FetchError", "Fetcher"]


class FetchError(Exception):
    """Say why a file could not be fetched, without its URL."""


@define
class Fetcher:
    """Fetch files over HTTP or from mounted apps.

    Args:
        timeout_s: For connecting, and between two pieces of the file.
        max_bytes: Largest file taken.
    """

    timeout_s: float = 30.0
    max_bytes: int = 1 << 30
    _mounted: dict[str, ASGIApp] = field(factory=dict, init=False)

    def mount(self, prefix: str, app: ASGIApp) -> None:
        """Let an ASGI app answer for a scheme and host such as ``https://drop.test``."""
        self._mounted[prefix] = app

    async def fetch(self, url: str) -> bytearray:
        """Return the whole file.

        Raises:
            FetchError: No answer, or one other than 2xx, or too many bytes.
        """
        import httpx

        try:
            async with self._client(httpx, url) as client, client.stream("GET", url) as response:
                if not response.is_success:
                    raise FetchError(f"File could not be downloaded: HTTP {response.status_code}")
                return await self._read(response)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:  # ValueError: no name of a host
            raise FetchError(f"File could not be downloaded: {type(error).__name__}") from error

    def _client(self, httpx: Any, url: str) -> Any:
        return httpx.AsyncClient(
            mounts={prefix: httpx.ASGITransport(app=app) for prefix, app in self._mounted.items()},
            verify=url.startswith("https:"),  # making a TLS context costs more than a small import
            timeout=self.timeout_s,
            follow_redirects=True,
            trust_env=False,
        )

    async def _read(self, response: Any) -> bytearray:
        data = bytearray()
        async for piece in response.aiter_bytes():
            data += piece
            if len(data) > self.max_bytes:
                raise FetchError("File is too large")
        return data
