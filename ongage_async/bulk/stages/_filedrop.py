"""Serve staged files: a small ASGI app with random one-time paths, an allow-list and a log of who fetched what.

It is mounted in a web app of the user's, or served by `_serve.py`. Paths are found in a table of hashes, never in a
file system, so that there is nothing to traverse and nothing to list; and whatever is not exactly an open path, asked
for properly by an allowed client, gets one and the same 404.
"""

import datetime as dt
import hashlib
import hmac
import ipaddress
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
from attrs import define, field

from ongage_async.bulk.stages._stage import Fetch, Stage, StagedFile, require_https
from ongage_async.errors import ConfigurationError, StagingError

__all__ = ["FileDrop"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PIECE_BYTES = 256 * 1024
CLOSED_POLL_S = 0.25
LOG_WAIT_S = 2.0
LOGGED_FETCHES = 1_000
KEPT_LOGS = 1_000
_one_range = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE).fullmatch
_TYPES = {".zip": b"application/zip", ".csv": b"text/csv; charset=utf-8"}


@define
class _Entry:
    """One open path."""

    path: Path
    key: str
    size_bytes: int
    fetches: list[Fetch] = field(factory=list)
    running: int = 0
    is_open: bool = True


class FileDrop(Stage):
    """Stage files by serving them from this program.

    Mount `app` where the vendor can reach it (``app.mount("/ongage-files", drop.app)``), or let `serve` run a server.

    Args:
        public_url: The address under which `app` is reached from outside.
        allow: Networks or addresses whose clients may fetch, ``("203.0.113.0/24",)``; None: every client. Behind a
            proxy the client is the proxy, unless your server reads its headers.
        insecure: Allow plain http to somewhere else than this machine.

    Raises:
        ConfigurationError: `public_url` is not https, or `allow` is empty or holds something that is no network.
    """

    def __init__(self, public_url: str, *, allow: Iterable[str] | None = None, insecure: bool = False) -> None:
        self._public_url = require_https(public_url, "public_url", insecure=insecure).rstrip("/")
        self._allow = _networks(allow)
        self._open: dict[bytes, _Entry] = {}
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # by name; closed ones stay for their log
        self._lock = threading.Lock()  # a drop may be served by another thread than the one that stages

    @classmethod
    def serve(
        cls,
        host: str = "127.0.0.1",
        port: int = 0,
        public_url: str | None = None,
        *,
        allow: Iterable[str] | None = None,
        proxies: Iterable[str] = (),
        insecure: bool = False,
    ) -> AbstractAsyncContextManager["FileDrop"]:
        """Run a server for a drop, in a thread of its own, while the block runs.

        Args:
            host: Address to listen on.
            port: Port to listen on; 0: a free one.
            public_url: How it is reached from outside, usually through a proxy that speaks https; None: as `host` says,
                for vendors on this machine (the emulator).
            allow: As for `FileDrop`.
            proxies: Addresses of proxies whose ``X-Forwarded-For`` is believed.
            insecure: As for `FileDrop`.

        Raises:
            ConfigurationError: uvicorn is not installed, or `public_url` is missing or not https.
            StagingError: The address cannot be listened on.
        """
        from ongage_async.bulk.stages._serve import served  # it is built on this module

        return served(cls, host, port, public_url, allow=allow, proxies=tuple(proxies), insecure=insecure)

    async def put(self, path: Path, name: str) -> StagedFile:
        """Open a random path to the file, which is served where it is; see `Stage.put`."""
        try:
            size_bytes = (await anyio.Path(path).stat()).st_size
        except OSError as error:
            raise StagingError(f"{name} cannot be served: {error.strerror}") from error
        key = f"{secrets.token_urlsafe(32)}/{name}"
        entry = _Entry(path, key, size_bytes)
        with self._lock:
            if name in self._entries:
                raise StagingError(f"{name} was staged before: names are used once")
            self._entries[name] = self._open[_hash(key)] = entry
            self._forget()
        return StagedFile(name, f"{self._public_url}/{quote(key)}")

    async def remove(self, staged: StagedFile) -> None:
        """Close its path, also to clients that are in the middle of it; see `Stage.remove`."""
        with self._lock:
            if (entry := self._entries.get(staged.name)) is not None:
                entry.is_open = False
                self._open.pop(_hash(entry.key), None)

    async def log(self, staged: StagedFile) -> tuple[Fetch, ...] | None:
        """Return who asked for it with the right path, allowed or not; see `Stage.log`.

        After `remove`, downloads that are at their last bytes or being cut off are waited for: they take milliseconds,
        and a client that has all of its file may be ahead of the line that says so.
        """
        entry = self._entries.get(staged.name)
        if entry is None:
            return None
        with anyio.move_on_after(LOG_WAIT_S):
            while entry.running and not entry.is_open:  # noqa: ASYNC110 - they run in another thread's loop
                await anyio.sleep(0.01)
        return tuple(entry.fetches)

    def close(self) -> None:
        """Close all paths."""
        with self._lock:
            for entry in self._entries.values():
                entry.is_open = False
            self._open.clear()

    def _forget(self) -> None:
        closed = [name for name, entry in self._entries.items() if not entry.is_open]
        for name in closed[: max(0, len(closed) - KEPT_LOGS)]:
            del self._entries[name]

    @property
    def app(self) -> "FileDrop":
        """The ASGI app to mount: the drop itself, since servers take a bound method for an ASGI 2 app."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = _client(scope)
        entry = self._find(scope["path"])
        allowed = self._is_allowed(client)  # asked also for unknown paths, so that both take the same time
        method = scope["method"]
        if entry is None or method not in ("GET", "HEAD"):
            await _not_found(send)
        elif not allowed:
            self._note(entry, client, method, 404)
            await _not_found(send)
        else:
            await self._give(entry, client, scope, receive, send)

    def _find(self, path: str) -> _Entry | None:
        """Find an entry by the last two parts of a path.

        The table is keyed by hashes: how long a look-up takes tells about the hash, of which nobody can aim at a part.
        """
        key = "/".join(path.rsplit("/", 2)[-2:])
        entry = self._open.get(_hash(key))
        if entry is None or not hmac.compare_digest(entry.key.encode(), key.encode()):
            return None
        return entry

    def _is_allowed(self, client: str) -> bool:
        if self._allow is None:
            return True
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._allow)

    def _note(
        self, entry: _Entry, client: str, method: str, status: int, sent: int = 0, complete: bool = False
    ) -> None:
        if len(entry.fetches) < LOGGED_FETCHES:
            entry.fetches.append(Fetch(dt.datetime.now(dt.UTC), client, method, status, sent, complete))

    async def _give(self, entry: _Entry, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        part = _asked_part(scope, entry.size_bytes)
        status = 416 if part is None else 200 if len(part) == entry.size_bytes else 206
        body = _Body(entry, part or range(0), empty=scope["method"] == "HEAD" or part is None)
        at = dt.datetime.now(dt.UTC)
        entry.running += 1
        try:
            await send(_head(status, entry, part))
            await body.send(receive, send)
        finally:
            if len(entry.fetches) < LOGGED_FETCHES:
                fetch = Fetch(at, client, scope["method"], status, body.sent_bytes, body.complete and status != 416)
                entry.fetches.append(fetch)
            entry.running -= 1


class _Body:
    """Send a part of a file piece by piece, until the client leaves or the path is closed."""

    def __init__(self, entry: _Entry, part: range, *, empty: bool) -> None:
        self._entry, self._part, self._empty = entry, part, empty
        self.sent_bytes = 0
        self.complete = False

    async def send(self, receive: Receive, send: Send) -> None:
        """Send it; `complete` and `sent_bytes` tell how that went, also when it raises."""
        if self._empty or not self._part:
            await send({"type": "http.response.body", "body": b""})
            self.complete = True
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_when_gone, receive, tasks.cancel_scope)
            tasks.start_soon(self._stop_when_closed, tasks.cancel_scope)
            await self._stream(send)
            tasks.cancel_scope.cancel()

    async def _stop_when_gone(self, receive: Receive, scope: anyio.CancelScope) -> None:
        """Watch for the client's leaving: servers swallow what is sent to one who is gone."""
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async def _stop_when_closed(self, scope: anyio.CancelScope) -> None:
        """Leave a reader who is too slow to be told between two pieces that the path was closed."""
        while self._entry.is_open:  # noqa: ASYNC110 - an event of one loop cannot be set from another
            await anyio.sleep(CLOSED_POLL_S)
        scope.cancel()

    async def _stream(self, send: Send) -> None:
        """Send the pieces; a response that stays short is cut off by the server, so that it does not look whole."""
        async with await anyio.open_file(self._entry.path, "rb") as file:
            await file.seek(self._part.start)
            while left := len(self._part) - self.sent_bytes:
                piece = await file.read(min(PIECE_BYTES, left))
                if not piece or not self._entry.is_open:
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": len(piece) < left})
                self.sent_bytes += len(piece)
            self.complete = True


def _asked_part(scope: Scope, size: int) -> range | None:
    """Return the bytes that a request asks for: all, or its single range; None when it lies outside.

    Several ranges, other units and ``If-Range`` get the whole, as RFC 9110 §14.2 allows.
    """
    headers = {bytes(name).lower(): bytes(value).decode("latin-1") for name, value in scope["headers"]}
    found = _one_range(headers.get(b"range", "").replace(" ", ""))
    if not found or b"if-range" in headers or scope["method"] != "GET" or found.groups() == ("", ""):
        return range(size)
    first, last = found.groups()
    if not first:
        part = range(max(0, size - int(last)), size)
    else:
        part = range(int(first), min(int(last) + 1, size) if last else size)
        if last and int(last) < int(first):
            return range(size)  # not a valid range at all
    return part or None


def _head(status: int, entry: _Entry, part: range | None) -> Message:
    headers = [
        (b"content-type", _TYPES.get(entry.path.suffix, b"text/plain; charset=utf-8")),
        (b"content-length", b"%d" % len(part or ())),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-robots-tag", b"noindex"),
    ]
    if status == 206 and part is not None:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (part.start, part.stop - 1, entry.size_bytes)))
    if status == 416:
        headers.append((b"content-range", b"bytes */%d" % entry.size_bytes))
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _not_found(send: Send) -> None:
    body = b"Not Found"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})


def _client(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0]).partition("%")[0]


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _networks(allow: Iterable[str] | None) -> tuple[Network, ...] | None:
    if allow is None:
        return None
    try:
        networks = tuple(ipaddress.ip_network(text, strict=False) for text in allow)
    except ValueError as error:
        raise ConfigurationError(f"allow: {error}; give networks like 203.0.113.0/24") from None
    if not networks:
        raise ConfigurationError("allow is empty, so nobody could fetch: name the vendor's networks, or pass None")
    return networks
