"""Stage files in an object store: S3 and what speaks its protocol, Google Cloud Storage, Azure Blob Storage.

The only file that knows obstore, which needs its extra (``stores``): `_open.py` imports this one when a user names a
bucket. obstore's async functions are asyncio's; its blocking ones run in worker threads, under asyncio and trio alike.
"""

import datetime as dt
import io
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, S3Store

from ongage_async.bulk.stages._stage import UNDO_S, Fetch, Stage, StagedFile, done_or_undone, require_https
from ongage_async.errors import ConfigurationError, StagingError, mask

__all__ = ["LONGEST_LIFE_S", "STORES", "ObjectStage"]

STORES: dict[str, tuple[Any, str]] = {
    "s3": (S3Store, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    "gs": (GCSStore, "GOOGLE_APPLICATION_CREDENTIALS"),
    "az": (AzureStore, "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"),
}
"""Scheme → kind of store, and the environment variables of its usual credentials."""
LONGEST_LIFE_S = 7 * 24 * 3600.0
"""Of a signed URL, in all three stores."""
PART_BYTES = 5 << 20
PARTS_AT_ONCE = 2
"""Memory of an upload: about this many parts, however large the file; and several files may be on their way."""
CLIENT = {"timeout": "120s", "connect_timeout": "5s"}
"""Two parts over a line of a megabit still arrive; an address of nobody is noticed."""
RETRIES = {"max_retries": 5, "retry_timeout": dt.timedelta(seconds=150)}
"""Every request of ours may be repeated. obstore's own ten would look a minute for credentials that there are not."""
TROUBLES = (BaseError, OSError, ValueError)
"""What obstore raises."""
_code = re.compile(r"<Code>(\w{1,60})</Code>").search
_asked_the_machine = re.compile(
    r"169\.254\.169\.254|token request|/latest/(api/token|meta-data)|computeMetadata"
).search
_is_endpoint = re.compile(r"(aws_)?endpoint(_url)?(_s3)?", re.IGNORECASE).fullmatch
_TYPES = {".zip": "application/zip", ".csv": "text/csv; charset=utf-8"}


class ObjectStage(Stage):
    """Upload files into a bucket, and sign URLs that open one of them for a while.

    The bucket stays private. Who fetched a file is known to the store's own access log only.

    Args:
        url: ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://container/prefix``.
        life_s: How long a URL lives, 60 s to 7 days. It must outlast the import's time in the vendor's queue; the file
            itself is deleted as soon as the import has ended. With temporary credentials (roles) it dies with these.
        config: Settings of obstore, such as ``region`` or ``access_key_id``; they win over the environment.
        endpoint: Address of a store that speaks the protocol of S3, ``https://minio.example.com``.
        credential_provider: One of obstore's, for instance its ``Boto3CredentialProvider`` for profiles.
        insecure: Allow plain http to an endpoint on another machine.

    Raises:
        ConfigurationError: A setting is wrong; it says which.
    """

    def __init__(
        self,
        url: str,
        *,
        life_s: float = 3600.0,
        config: Mapping[str, Any] | None = None,
        endpoint: str | None = None,
        credential_provider: Callable[..., Any] | None = None,
        insecure: bool = False,
    ) -> None:
        if not 60 <= life_s <= LONGEST_LIFE_S:
            raise ConfigurationError(f"life_s={life_s:g} is not within 60 and {LONGEST_LIFE_S:.0f} (7 days)")
        self._url, self._insecure = url, insecure
        self.place = f"{endpoint or ''} {url.rstrip('/')}"
        self._scheme = urlsplit(url).scheme
        self._life = dt.timedelta(seconds=life_s)
        settings = dict(config or {}) | ({} if endpoint is None else {"endpoint": endpoint})
        if self._scheme == "s3":
            settings.setdefault("disable_bulk_delete", True)  # to delete one, which every S3-compatible store can
        self._store = _store(url, settings, credential_provider, insecure=insecure)

    def __repr__(self) -> str:
        return f"ObjectStage({self._url!r})"

    async def put(self, path: Path, name: str) -> StagedFile:
        """Upload the file in parts; see `Stage.put`."""
        stopped = threading.Event()
        upload = partial(_upload, self._store, path, name, stopped)
        try:
            await done_or_undone(upload, partial(_delete, self._store, name), stopped)
        except TROUBLES as error:
            raise self._trouble(f"{name} could not be uploaded to", error) from None
        return await self._signed(name, remove_on_failure=True)

    async def remove(self, staged: StagedFile) -> None:
        """Delete the object, even if nobody waits for the answer any more; see `Stage.remove`."""
        try:
            await anyio.to_thread.run_sync(_delete, self._store, staged.name, abandon_on_cancel=True)
        except TROUBLES as error:
            raise self._trouble(f"{staged.name} could not be deleted from", error, "Delete it") from None

    async def log(self, staged: StagedFile) -> tuple[Fetch, ...] | None:  # noqa: ARG002
        """Return None: only the store's own access log knows."""
        return None

    async def renew(self, staged: StagedFile) -> StagedFile:
        """Sign another URL, which is a computation and no request where the credentials are keys; see `Stage.renew`."""
        return await self._signed(staged.name)

    async def _signed(self, name: str, *, remove_on_failure: bool = False) -> StagedFile:
        now = dt.datetime.now(dt.UTC)
        try:
            url = await anyio.to_thread.run_sync(_sign, self._store, name, self._life, abandon_on_cancel=True)
            require_https(url, "endpoint", insecure=self._insecure)
        except BaseException as error:
            if remove_on_failure:
                with anyio.move_on_after(UNDO_S, shield=True), suppress(StagingError):
                    await self.remove(StagedFile(name, ""))
            if isinstance(error, TROUBLES):
                raise self._trouble(f"no URL could be signed for {name} in", error) from None
            raise
        return StagedFile(name, url, now + self._life)

    def _trouble(self, what: str, error: Exception, advice: str = "") -> StagingError:
        bucket = urlsplit(self._url)
        reason = _reason(error, self._scheme)
        return StagingError(f"{what} {bucket.scheme}://{bucket.netloc}: {reason}{advice and f'. {advice}'}")


def _upload(store: Any, path: Path, name: str, stopped: threading.Event) -> None:
    """Upload a file in parts; obstore gives up the parts of an upload that fails."""
    with _Pieces(path, stopped) as pieces:
        obstore.put(
            store,
            name,
            pieces,
            attributes={"Content-Type": _TYPES.get(path.suffix, "text/plain; charset=utf-8")},
            chunk_size=PART_BYTES,
            max_concurrency=PARTS_AT_ONCE,
        )


class _Pieces(io.FileIO):
    """A file that can be told to end in an error."""

    def __init__(self, path: Path, stopped: threading.Event) -> None:
        super().__init__(path)
        self._stopped = stopped

    def read(self, size: int | None = -1, /) -> bytes | Any:
        """Return the next piece."""
        if self._stopped.is_set():
            raise InterruptedError("the upload was cancelled")
        return super().read(-1 if size is None else size)


def _store(url: str, config: dict[str, Any], provider: Callable[..., Any] | None, *, insecure: bool) -> Any:
    scheme = urlsplit(url).scheme
    kind, _ = STORES[scheme]
    client: dict[str, Any] = dict(CLIENT)
    if endpoint := _endpoint(scheme, config):
        require_https(endpoint, "endpoint", insecure=insecure)
        client["allow_http"] = endpoint.startswith("http://")
    try:
        return kind.from_url(
            url, config=config, client_options=client, retry_config=RETRIES, credential_provider=provider
        )
    except (*TROUBLES, TypeError) as error:
        raise ConfigurationError(f"this object store cannot be opened: {_first_line(error)}") from None


def _endpoint(scheme: str, config: Mapping[str, Any]) -> str | None:
    given = [value for name, value in config.items() if _is_endpoint(name)]
    if scheme == "s3":
        given += [os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")]
    return next((str(value) for value in given if value), None)


def _sign(store: Any, name: str, life: dt.timedelta) -> str:
    return str(obstore.sign(store, "GET", name, life))


def _delete(store: Any, name: str) -> None:
    with suppress(FileNotFoundError):  # Google's and Azure's answer where S3 says nothing
        obstore.delete(store, name)


def _reason(error: Exception, scheme: str) -> str:
    """Say in a line what went wrong. obstore tells the whole story, with URLs and what it knows of credentials."""
    text = str(error)
    code = found[1] if (found := _code(text)) else ""
    if _asked_the_machine(text) or code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
        return f"no valid credentials were found: set {STORES[scheme][1]}, or pass config="
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return f"the credentials do not allow it{code and f' ({code})'}"
    if isinstance(error, FileNotFoundError) and code:
        return f"the store says {code}"
    return f"the store says {code}" if code else _first_line(error)


def _first_line(error: Exception) -> str:
    return mask(str(error).partition("\n")[0])[:300]
