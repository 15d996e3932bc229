"""Put a file where the vendor can fetch it: the `Stage` protocol, and the two stages that need no server of ours.

The vendor loads files by URL only (vendor page §4.2) and advises long random names, https, and deletion right after the
import (§4, seed S0). A stage does these; `_run.py` asks it to. The stage that serves the file itself is `_filedrop.py`.
"""

import datetime as dt
import ipaddress
import shutil
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

import anyio
import anyio.to_thread
from attrs import field, frozen

from ongage_async.errors import ConfigurationError, StagingError

__all__ = ["Fetch", "HostedFile", "Stage", "StagedFile", "UrlStage", "require_https"]


@frozen
class StagedFile:
    """Name a file that the vendor can fetch.

    Attributes:
        name: Its random name.
        url: Where it is fetched. It opens the file to everyone who has it, so it is in no repr, log or report.
    """

    name: str
    url: str = field(repr=False)


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
    """What `imports.run` needs of a place for files."""

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


class UrlStage:
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

    async def put(self, path: Path, name: str) -> StagedFile:
        """Copy the file; see `Stage.put`."""
        target = self._directory / name
        try:
            await anyio.to_thread.run_sync(partial(_copy, path, target))
        except OSError as error:
            raise StagingError(
                f"the file could not be copied into the published directory: {error.strerror}"
            ) from error
        except anyio.get_cancelled_exc_class():  # the copy ended in its thread, and nobody else knows of it
            target.unlink(missing_ok=True)
            raise
        return StagedFile(name, f"{self._base_url}/{quote(name)}")

    async def remove(self, staged: StagedFile) -> None:
        """Delete the copy; see `Stage.remove`."""
        target = self._directory / staged.name
        try:
            await anyio.to_thread.run_sync(partial(target.unlink, missing_ok=True))
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


def require_https(url: str, setting: str, *, insecure: bool = False) -> str:
    """Return `url` if a file with addresses may travel over it.

    Raises:
        ConfigurationError: It is no URL of a web server, or plain http to another machine.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f'{setting} must be a full address like "https://files.example.com/ongage"')
    if parts.scheme == "http" and not insecure and not _is_loopback(parts.hostname):
        raise ConfigurationError(
            f"{setting} is plain http: the addresses in the file could be read on the way. Use https, "
            "or pass insecure=True if the way is safe"
        )
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _copy(source: Path, target: Path) -> None:
    """Copy under the final name at the end only, readable for the web server."""
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, part)
        part.chmod(0o644)
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
