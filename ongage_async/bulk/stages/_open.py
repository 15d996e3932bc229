"""Tell which stage a user means who names a place in one line: ``s3://bucket/prefix``, a directory, an address.

The words of that line and what may be wrong with them live here; the stages are in `_stage.py`, `_filedrop.py` and
`_store.py`.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ongage_async.bulk.stages._stage import HostedFile, Stage, UrlStage
from ongage_async.errors import ConfigurationError

__all__ = ["open_stage"]

STORE_SCHEMES = ("s3", "gs", "az")
SCHEMES = (*STORE_SCHEMES, "file", "https", "http")
_ALSO_CALLED = {"gcs": "gs", "google": "gs", "gcp": "gs", "azure": "az", "abfs": "az", "abfss": "az", "s3a": "s3"}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/").match  # two letters or more: "C:/" is a path


def open_stage(
    where: str | os.PathLike[str] | Stage,
    *,
    public_url: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    life_s: float | None = None,
    config: Mapping[str, Any] | None = None,
    endpoint: str | None = None,
    credential_provider: Callable[..., Any] | None = None,
    insecure: bool = False,
) -> Stage:
    """Return the stage that `where` names.

    Args:
        where: ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://container/prefix`` (extra ``stores``); a
            directory that a web server of yours publishes, as a path or ``file:///srv/files``, with `public_url`; the
            address of that directory, ``https://files.example.com/ongage``, with `directory`; or a stage, which is
            returned as it is, for instance a `FileDrop` that your web app has mounted.
        public_url: The address of the directory that `where` names.
        directory: The directory whose address `where` is.
        life_s: How long signed URLs of an object store live; None: an hour.
        config: Settings of obstore (``region``, ``access_key_id``, …); None: the environment's.
        endpoint: Address of a store that speaks the protocol of S3.
        credential_provider: One of obstore's.
        insecure: Allow plain http to another machine.

    Raises:
        ConfigurationError: `where` names no stage, or a setting is missing, wrong or without effect; it says which.
    """
    of_stores = {
        "life_s": life_s,
        "config": config,
        "endpoint": endpoint,
        "credential_provider": credential_provider,
    }
    of_directories = {"public_url": public_url, "directory": directory}
    if isinstance(where, HostedFile):
        raise ConfigurationError("a HostedFile is what is loaded, not a place to put files: pass it as the source")
    if not isinstance(where, (str, os.PathLike)):
        _without_effect("a stage of your own", of_stores | of_directories | {"insecure": insecure or None})
        return where
    scheme, place = _scheme(os.fspath(where))
    if scheme in STORE_SCHEMES:
        _without_effect(f"{scheme}://", of_directories)
        return _object_stage(place, {name: value for name, value in of_stores.items() if value is not None}, insecure)
    _without_effect("a directory", of_stores)
    if scheme in ("http", "https"):
        _without_effect("an address", {"public_url": public_url})
        return _published(place, directory, insecure)
    _without_effect("a path", {"directory": directory})
    if public_url is None:
        raise ConfigurationError(
            f'stage="{place}" is a directory: pass public_url=, the address under which a web server of yours '
            "publishes it. Without one, serve the files yourself: FileDrop"
        )
    return UrlStage(public_url, _existing(Path(place)), insecure=insecure)


def _scheme(where: str) -> tuple[str, str]:
    """Return the scheme of `where`, empty for a path, and what is to be opened."""
    if (found := _URL(where)) is None:
        if not where or where.partition(":")[0].lower() in (*SCHEMES, *_ALSO_CALLED):
            raise ConfigurationError(f'stage="{where}" names no place: write "s3://bucket/prefix", or a directory')
        return "", where
    scheme = found[1].lower()
    if scheme not in SCHEMES:
        close = _ALSO_CALLED.get(scheme) or next(iter(difflib.get_close_matches(scheme, SCHEMES, 1, 0.5)), None)
        advice = f'did you mean "{close}://"?' if close else f"there are {', '.join(f'{each}://' for each in SCHEMES)}"
        raise ConfigurationError(f'stage="{scheme}://…" is not known: {advice}')
    parts = urlsplit(where)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError("stage= takes no ?query, #fragment or password: pass settings as arguments")
    if scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise ConfigurationError(f'"file://{parts.netloc}" is not on this machine: write "file:///directory"')
        return scheme, unquote(parts.path)
    if not parts.hostname:
        raise ConfigurationError(f'stage="{where}" names no place: write "{scheme}://name/prefix"')
    return scheme, scheme + where[len(scheme) :]


def _object_stage(url: str, settings: dict[str, Any], insecure: bool) -> Stage:
    try:
        from ongage_async.bulk.stages._store import ObjectStage
    except ModuleNotFoundError as error:
        if error.name != "obstore":
            raise
        raise ConfigurationError("object stores need obstore: pip install 'ongage-async[stores]'") from None
    return ObjectStage(url, **settings, insecure=insecure)


def _published(url: str, directory: str | os.PathLike[str] | None, insecure: bool) -> Stage:
    if directory is None:
        raise ConfigurationError(
            "an address cannot be written to: pass directory=, whose content it publishes; or, if the file is there "
            "already, pass HostedFile(url) as the source"
        )
    return UrlStage(url, _existing(Path(directory)), insecure=insecure)


def _existing(directory: Path) -> Path:
    if not directory.is_dir():
        raise ConfigurationError(f"there is no directory {directory}")
    return directory


def _without_effect(place: str, settings: Mapping[str, Any]) -> None:
    if given := [f"{name}=" for name, value in settings.items() if value is not None]:
        raise ConfigurationError(f"{', '.join(given)} has no effect on {place} as stage=")
