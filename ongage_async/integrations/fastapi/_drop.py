"""A file drop for several workers: one of them loads, whichever the vendor happens to reach serves the file.

`FileDrop` keeps its open paths in memory, so that a vendor who reaches another worker would find nothing. Here the
files lie in a directory that the workers share, and a path is open if it carries the directory's own signature of the
file's name; each worker then serves the file by a `FileDrop` of its own, with its allow-list, ranges and log.
"""

import datetime as dt
import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import anyio
import anyio.to_thread
import attrs

from ongage_async.bulk import Fetch, FileDrop, StagedFile, UrlStage
from ongage_async.errors import ConfigurationError

__all__ = ["SharedDrop"]

_SIGNED = re.compile(r"/[0-9a-f]{64}/.*", re.DOTALL)
KEY_BYTES = 32
LOGS_S = 7 * 86400.0
"""How long it is kept who fetched a file."""


class SharedDrop(UrlStage):
    """Stage files in a directory that all workers of an app serve; made by `Ongage.mount_drop`. It is an ASGI app.

    Args:
        public_url: The address under which it is mounted.
        folder: A private directory that all workers share; it is made.
        allow: Networks whose clients may fetch; None: every client.
        insecure: Allow plain http to somewhere else than this machine.

    Raises:
        ConfigurationError: `public_url` is not https, or `allow` is wrong.
    """

    def __init__(
        self, public_url: str, folder: Path, *, allow: Iterable[str] | None = None, insecure: bool = False
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(public_url, folder, insecure=insecure)
        self._url = public_url.rstrip("/")
        self._folder = folder
        self._key = _key_of(folder)
        self._served: dict[str, StagedFile] = {}
        self._told: dict[str, int] = {}
        self._opening: anyio.Lock | None = None  # of the event loop that serves, which need not be this one
        self._drop = FileDrop(public_url, allow=allow, insecure=insecure)

    async def put(self, path: Path, name: str) -> StagedFile:
        """Copy the file into the folder and open a path to it; see `Stage.put`."""
        await anyio.to_thread.run_sync(self._forget)
        await super().put(path, name)
        await anyio.Path(self._folder / name).chmod(0o600)  # no web server but ourselves reads it
        return StagedFile(name, f"{self._url}/{self._signature(name)}/{quote(name)}")

    async def remove(self, staged: StagedFile) -> None:
        """Delete the copy, which closes its path in every worker; see `Stage.remove`."""
        await super().remove(staged)
        await self._drop.remove(staged)

    async def log(self, staged: StagedFile) -> tuple[Fetch, ...] | None:
        """Return who asked for it with the right path, of whichever worker; see `Stage.log`."""
        try:
            lines = await anyio.Path(self._log_of(staged.name)).read_text("utf-8")
        except FileNotFoundError:
            return ()
        return tuple(_read_fetch(line) for line in lines.splitlines())

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request: 404 unless its path is open."""
        staged = await self._opened(scope["path"]) if scope["type"] == "http" else None
        if staged is None:
            await self._drop(scope, receive, send)  # which knows no such path
            return
        try:
            await self._drop({**scope, "path": urlsplit(staged.url).path}, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                self._note(staged.name, await self._drop.log(staged) or ())

    async def _opened(self, path: str) -> StagedFile | None:
        """Return the file that a path opens, as this worker serves it."""
        signature, _, name = "/".join(path.rsplit("/", 2)[-2:]).partition("/")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._signature(name).encode()):
            return None
        self._opening = self._opening or anyio.Lock()
        async with self._opening:
            await self._close_what_is_gone()
            file = self._folder / name
            if name not in self._served and await anyio.Path(file).is_file():
                self._served[name] = await self._drop.put(file, name)
        return self._served.get(name)

    async def _close_what_is_gone(self) -> None:
        """Close the paths of files that another worker has removed, also to clients that are in the middle of them."""
        for name in list(self._served):
            if not await anyio.Path(self._folder / name).is_file():
                await self._drop.remove(self._served.pop(name))

    def _signature(self, name: str) -> str:
        return hmac.new(self._key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    # -- who fetched --------------------------------------------------------------------------------------------------

    def _log_of(self, name: str) -> Path:
        return self._folder / f".{name}.fetches"

    def _note(self, name: str, fetches: tuple[Fetch, ...]) -> None:
        """Write down what the other workers cannot know."""
        told, self._told[name] = self._told.get(name, 0), len(fetches)
        lines = [json.dumps(attrs.asdict(fetch), default=str) + "\n" for fetch in fetches[told:]]
        with self._log_of(name).open("a", encoding="utf-8") as file:
            file.write("".join(lines))

    def _forget(self) -> None:
        """Delete the logs of files that nobody asks about any more."""
        for log in self._folder.glob(".*.fetches"):
            with suppress(FileNotFoundError):  # another worker's broom
                if time.time() - log.stat().st_mtime > LOGS_S:
                    log.unlink()

    @contextmanager
    def unlogged(self) -> Iterator[None]:
        """Keep the secret paths out of uvicorn's access log meanwhile."""
        blot = _Blot()
        log = logging.getLogger("uvicorn.access")
        log.addFilter(blot)
        try:
            yield
        finally:
            log.removeFilter(blot)


class _Blot(logging.Filter):
    """Blot out signatures in lines of uvicorn's access log, whose third argument is the path.

    Known by their look: a proxy may have taken a part of the path away, and an app may have several drops.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        args = record.args
        if isinstance(args, tuple) and len(args) > 2 and _SIGNED.search(path := str(args[2])):
            record.args = (*args[:2], _SIGNED.sub("/‹secret›", path), *args[3:])
        return True


def _key_of(folder: Path) -> bytes:
    """Return the folder's key; the first worker makes it, whole before it can be seen."""
    path = folder / ".key"
    if not path.exists():
        own = folder / f".key.{secrets.token_hex(8)}"
        own.touch(mode=0o600)
        with own.open("wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(own, path)
        own.unlink()
    key = path.read_bytes()
    if len(key) != KEY_BYTES:  # an empty one would let everybody sign
        raise ConfigurationError(f"the key {path} of the file drop is damaged: delete it while no worker runs")
    return key


def _read_fetch(line: str) -> Fetch:
    facts = json.loads(line)
    return Fetch(**{**facts, "at": dt.datetime.fromisoformat(facts["at"])})
