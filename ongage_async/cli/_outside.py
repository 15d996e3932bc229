"""Small looks at the outside for ``ongage doctor``, by the standard library alone: a clock, a URL, a folder.

None of them is a call of the API, so none is in the account's budget.
"""

import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path

import anyio.to_thread

__all__ = ["clock_off_s", "fetch", "probe_file"]

PATIENCE_S = 10.0


async def clock_off_s(base_url: str) -> float | None:
    """Return by how many seconds this machine's clock is ahead of a server's; None if the server tells no date."""
    return await anyio.to_thread.run_sync(_clock_off_s, base_url)


def _clock_off_s(base_url: str) -> float | None:
    request = urllib.request.Request(base_url, method="HEAD")  # noqa: S310 - the client has checked that it is http(s)
    before = time.time()
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310
            told: str | None = answer.headers.get("Date")
    except urllib.error.HTTPError as error:  # any answer has a date
        told = error.headers.get("Date")
    except OSError:
        return None
    try:
        return (before + time.time()) / 2 - parsedate_to_datetime(told or "").timestamp()
    except ValueError:
        return None


async def fetch(url: str, content: bytes) -> str:
    """Return why a staged file could not be fetched as it is; nothing if it could. Never names the URL."""
    return await anyio.to_thread.run_sync(_fetch, url, content)


def _fetch(url: str, content: bytes) -> str:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310 - a stage's own URL
            came = answer.read(len(content) + 1)
    except urllib.error.HTTPError as error:
        return f"the staged file's URL answers with status {error.code}"
    except urllib.error.URLError as error:
        reason = error.reason.strerror if isinstance(error.reason, OSError) else None
        return f"the staged file's URL cannot be reached: {reason or 'no connection'}"
    except OSError as error:
        return f"the staged file's URL cannot be reached: {error.strerror or 'no answer'}"
    return "" if came == content else "the staged file's URL gives something else than the file"


@contextmanager
def probe_file(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Have a small file without contacts in a folder while the block runs."""
    path = folder / f"ongage-doctor-{secrets.token_hex(16)}.csv"
    content = b"email\n"
    with path.open("xb") as file:
        file.write(content)
    try:
        yield path, content
    finally:
        path.unlink(missing_ok=True)
