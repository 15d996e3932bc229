"""Put a file where the vendor can fetch it: the `Stage` protocol, and the stage that needs nothing but a directory.

The vendor loads files by URL only (vendor page §4.2) and advises long random names, https, and deletion right after the
import (§4, seed S0). A stage does these; `_run.py` asks it to. The stage that serves the file itself is `_filedrop.py`,
the one that uploads it is `_store.py`; `_open.py` knows which one a user means.
"""

import datetime as dt
import ipaddress
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

import anyio
import anyio.to_thread
from attrs import field, frozen

from ongage_async.errors import ConfigurationError, StagingError

__all__ = ["Fetch", "HostedFile", "Stage", "StagedFile", "UrlStage", "done_or_undone", "is_loopback", "require_https"]

UNDO_S = 10.0
"""How long a cancelled caller waits until its work is undone; the thread finishes undoing even if that takes longer."""


@frozen
class StagedFile:
    """Name a file that the vendor can fetch.

    Attributes:
        name: Its random name.
        url: Where it is fetched. It opens the file to everyone who has it, so it is in no repr, log or report.
        expires_at: When the URL dies, aware, UTC; None: it lives until the file is removed.
    """

    name: str
    url: str = field(repr=False)
    expires_at: dt.datetime | None = None


@frozen
class Fetch:
    """Tell who fetched, or tried to fetch, a staged file.

    Attributes:
        at: When the request came; aware, UTC.
        client: The client's IP address; empty when the server did not say.
        method: ``GET`` or ``HEAD``.
        status: What it was answered: 200, 206, 416, or 404 for a client outside the allow-list.
        sent_bytes: Bytes of the file that were handed to the network.
        complete: All bytes that were asked for were handed over before the client left.
    """

    at: dt.datetime
    client: str
    method: str
    status: int
    sent_bytes: int = 0
    complete: bool = False


class Stage(Protocol):
    """What `imports.run` needs of a place for files.

    Where files outlive the program, it should also have a `place`, a str that tells it from others: a load that goes on
    in another process then refuses another stage than its first one, where it could not remove what it left.
    """

    async def put(self, path: Path, name: str) -> StagedFile:
        """Make the file at `path` fetchable.

        The file stays where it is until `remove` has returned: a stage may serve it in place.

        Args:
            path: A local file; it does not change any more.
            name: A long random file name that nothing else has.

        Raises:
            StagingError: It could not be put there; nothing is left behind.
        """
        ...

    async def remove(self, staged: StagedFile) -> None:
        """Make it unfetchable for good. Doing it twice is harmless.

        Raises:
            StagingError: It may still be fetchable.
        """
        ...

    async def log(self, staged: StagedFile) -> tuple[Fetch, ...] | None:
        """Return who fetched it so far, oldest first, also after `remove`; None where the stage cannot know."""
        ...

    async def renew(self, staged: StagedFile) -> StagedFile:
        """Return the same file with a URL that has its whole life before it; earlier URLs die at their own time.

        For a file that had to wait before its import was created. Unchanged where URLs do not expire.

        Raises:
            StagingError: No URL could be made.
        """
        return staged


class UrlStage(Stage):
    """Copy the file into a directory that a web server of yours publishes.

    Args:
        base_url: The directory's address, ``https://files.example.com/ongage``.
        directory: The directory. Switch its index off: the random name is the secret.
        insecure: Allow plain http to somewhere else than this machine.

    Raises:
        ConfigurationError: `base_url` is not https.
    """

    def __init__(self, base_url: str, directory: str | Path, *, insecure: bool = False) -> None:
        self._base_url = require_https(base_url, "base_url", insecure=insecure).rstrip("/")
        self._directory = Path(directory)
        self.place = str(self._directory.absolute())

    async def put(self, path: Path, name: str) -> StagedFile:
        """Copy the file; see `Stage.put`."""
        target = self._directory / name
        try:
            await done_or_undone(partial(_copy, path, target), partial(target.unlink, missing_ok=True))
        except OSError as error:
            raise StagingError(
                f"the file could not be copied into the published directory: {error.strerror}"
            ) from error
        return StagedFile(name, f"{self._base_url}/{quote(name)}")

    async def remove(self, staged: StagedFile) -> None:
        """Delete the copy, also one that a killed program left half done; see `Stage.remove`."""
        target = self._directory / staged.name
        try:
            for path in (target, _unfinished(target)):
                await anyio.to_thread.run_sync(partial(path.unlink, missing_ok=True))
        except OSError as error:
            raise StagingError(f"{staged.name} could not be deleted: {error.strerror}. Delete it") from error

    async def log(self, staged: StagedFile) -> tuple[Fetch, ...] | None:  # noqa: ARG002
        """Return None: only the access log of your web server knows."""
        return None


@frozen
class HostedFile:
    """Name a file that you host already: the vendor fetches it as it is.

    It is a source, not a stage: nothing is checked, put anywhere or deleted; the report has the vendor's counts only.

    Args:
        url: Its full address; a pre-signed URL is fine. It is in no repr, log or report.
        insecure: Allow plain http to somewhere else than this machine.
    """

    url: str = field(repr=False)
    insecure: bool = False

    def __attrs_post_init__(self) -> None:
        require_https(self.url, "url", insecure=self.insecure)

    @property
    def name(self) -> str:
        """The last part of its path, which an import of it is known by."""
        return urlsplit(self.url).path.rpartition("/")[2] or "hosted file"


async def done_or_undone(
    work: Callable[[], object], undo: Callable[[], object], stopped: threading.Event | None = None
) -> None:
    """Do blocking work in a worker thread. When it fails, or its caller is cancelled, all of it is undone.

    A thread cannot be cancelled, and whoever waits for one can be cancelled at any time: asyncio's own cancellation
    does not ask whether the wait is shielded. So the thread undoes its work itself when nobody waits for it any more.

    Args:
        work: What is done.
        undo: The opposite; harmless when there is nothing to undo, and a second time.
        stopped: Set when the caller is cancelled, for work that looks whether it should go on.
    """
    stopped = stopped or threading.Event()
    begun, ended = threading.Event(), threading.Event()

    def run() -> None:
        begun.set()
        try:
            if not stopped.is_set():
                work()
            if stopped.is_set():
                undo()
        except BaseException:
            with suppress(Exception):  # the first error is the one to tell
                undo()
            raise
        finally:
            ended.set()

    try:
        await anyio.to_thread.run_sync(run, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        stopped.set()
        if begun.is_set():  # else it never will be, or ends at once
            with anyio.move_on_after(UNDO_S, shield=True), suppress(Exception):
                await anyio.to_thread.run_sync(ended.wait, UNDO_S, abandon_on_cancel=True)
                await anyio.to_thread.run_sync(undo, abandon_on_cancel=True)  # it may have ended just before
        raise


def require_https(url: str, setting: str, *, insecure: bool = False) -> str:
    """Return `url` if a file with addresses may travel over it.

    Raises:
        ConfigurationError: It is no URL of a web server, or plain http to another machine.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f'{setting} must be a full address like "https://files.example.com/ongage"')
    if parts.scheme == "http" and not insecure and not is_loopback(parts.hostname):
        raise ConfigurationError(
            f"{setting} is plain http: the addresses in the file could be read on the way. Use https, "
            "or pass insecure=True if the way is safe"
        )
    return url


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _copy(source: Path, target: Path) -> None:
    """Copy under the final name at the end only, readable for the web server."""
    part = _unfinished(target)
    try:
        shutil.copyfile(source, part)
        part.chmod(0o644)
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _unfinished(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")
