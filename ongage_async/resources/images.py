"""Images that the vendor fetches and hosts, and their folders; of the account. Source: vendor page §3.16."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ongage_async._operation import Caller, ListIn, Operation, Repeat
from ongage_async.errors import InvalidInputError
from ongage_async.models import Image, ImageFolder, Page
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import Reader
from ongage_async.resources._inputs import text
from ongage_async.resources._raw import body_of

CREATE = Operation("images.create", "POST", "/api/image", Repeat.IF_UNSENT, list_in=ListIn.NOWHERE)
FOLDERS = Operation("images.folders", "GET", "/api/image_folder", Repeat.SAFE, list_in=ListIn.NOWHERE)


class Images:
    """Bring images to the vendor."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def create(
        self, image_url: str, *, folder_id: int | None = None, extra: Mapping[str, Any] | None = None
    ) -> Image:
        """Let the vendor fetch an image and keep it.

        There is no upload of bytes: put the file where the vendor's servers can fetch it.

        Args:
            image_url: Where it is.
            folder_id: Folder; None: the root.
            extra: More keys, as they are.

        Returns:
            The image.

        Raises:
            InvalidInputError: The URL is no http(s) URL.
            DecodeError: The answer holds no id; the image was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two.
        Source: vendor page §3.16, POST /api/image (vendor doc).
        """
        body = body_of(extra, image_url=_checked_url(image_url), folder_id=folder_id)
        return self._read.changed(Image, await self._caller.call(CREATE, body=body), CREATE)

    async def folders(self) -> Page[ImageFolder]:
        """Get the folders of images; the vendor names no way to page them.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.16, GET /api/image_folder (vendor doc).
        """
        return self._read.page(ImageFolder, await self._caller.call(FOLDERS), FOLDERS, offset=0, limit=None)


def _checked_url(image_url: str) -> str:
    """Return the URL, or refuse it without showing it."""
    try:
        parts = urlsplit(text(image_url, "image_url").strip())
    except ValueError:
        parts = urlsplit("")
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise InvalidInputError("image_url must be a full http or https URL that the vendor's servers can fetch")
    return image_url.strip()
