"""Files from the vendor to the disk: streamed in flat memory, atomic, and unpacked on request.

Families with an export use `download`; what streams is the engine. A file appears under its final name only when it is
whole; whatever happens before leaves nothing behind.
"""

import os
import tempfile
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import anyio
import anyio.to_thread
from attrs import define, field

from ongage_async._operation import Answer, Caller, Operation
from ongage_async.errors import DecodeError, InvalidInputError
from ongage_async.resources._unzip import unpack

T = TypeVar("T")

Target = str | os.PathLike[str]
_ZIP = b"PK\x03\x04"


class Streamer(Caller, Protocol):
    """What a family with downloads needs of the engine: calls, and calls whose answer is a file."""

    async def stream(
        self,
        operation: Operation,
        pour: Callable[[AsyncIterator[bytes]], Awaitable[None]],
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> Answer:
        """Make one governed, retried call and hand its body to `pour`, once per attempt that brings one."""
        ...


async def download(
    caller: Streamer,
    operation: Operation,
    target: Target,
    *,
    path: Mapping[str, str | int],
    name: str,
    unzip: bool = False,
    list_id: int | None = None,
) -> tuple[Path, ...]:
    """Stream the answer of one call into a file, or unpack it into a folder.

    Args:
        caller: The engine.
        operation: The call; it must be safe to repeat.
        target: The file; with `unzip` the folder, which is made if it is missing.
        path: Values of the route's parameters.
        name: Name in the folder of a body that is no ZIP.
        unzip: Whether to unpack a ZIP.
        list_id: The list.

    Returns:
        The paths of the files that were made: one without `unzip`, in the archive's order with it.

    Raises:
        InvalidInputError: The target cannot be used; nothing was sent.
        DecodeError: The answer is no file, a ZIP that is cut short, or one that must not be unpacked.
        OSError: The disk's.
    """
    place = await _in_thread(_checked, Path(target), unzip)
    part = _Part(place if unzip else place.parent)
    try:
        await caller.stream(operation, part.pour, path=path, list_id=list_id)
        if not part.size_bytes:
            raise DecodeError("the answer is no file", operation=operation.name)
        try:
            return await _in_thread(part.unpack_into if unzip else part.become, place, name)
        except DecodeError as error:
            error.operation = operation.name
            raise
    finally:
        with anyio.CancelScope(shield=True):
            await _in_thread(part.remove)


def _checked(target: Path, unzip: bool) -> Path:
    if unzip:
        if target.exists() and not target.is_dir():
            raise InvalidInputError("with unzip=True give a folder, and this is a file")
        target.mkdir(parents=True, exist_ok=True)
    elif target.is_dir():
        raise InvalidInputError("give the path of a file, and this is a folder; or unpack into it with unzip=True")
    elif not target.parent.is_dir():
        raise InvalidInputError("the file's folder does not exist")
    return target


@define(eq=False)
class _Part:
    """A file that is not yet whole, in the folder where it will stand, readable by its owner only."""

    folder: Path
    size_bytes: int = 0
    _file: IO[bytes] | None = field(default=None, init=False)
    _head: bytes = field(default=b"", init=False)

    async def pour(self, pieces: AsyncIterator[bytes]) -> None:
        """Write the pieces of one attempt, from the beginning."""
        self.size_bytes = 0
        async for piece in pieces:
            await _in_thread(self._write, piece)

    def become(self, target: Path, _name: str) -> tuple[Path, ...]:
        """Take the final name, in one step."""
        self._check_whole()
        return (self._end().replace(target),)

    def unpack_into(self, folder: Path, name: str) -> tuple[Path, ...]:
        """Unpack a ZIP; anything else stands in the folder as it is."""
        self._check_whole()
        return unpack(self._end(), folder) if self._head == _ZIP else self.become(folder / name, name)

    def remove(self) -> None:
        """Leave nothing behind; a part that has got its final name is no longer here."""
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)

    def _write(self, piece: bytes) -> None:
        if self._file is None:
            handle, path = tempfile.mkstemp(".part", ".ongage-", self.folder)
            os.close(handle)
            self._file = Path(path).open("wb")  # noqa: SIM115  # closed by `remove`, whatever happens
        if not self.size_bytes:
            self._file.seek(0)
            self._file.truncate()
        self._file.write(piece)
        self._head = (self._head[: self.size_bytes] + piece)[: len(_ZIP)]
        self.size_bytes += len(piece)

    def _check_whole(self) -> None:
        """Refuse half a ZIP: a body without a length may end early unnoticed, but a ZIP's index stands at its end."""
        self._flush()
        if self._head == _ZIP and not zipfile.is_zipfile(self._path):
            raise DecodeError("the ZIP file that came is cut short or broken")

    def _flush(self) -> None:
        if self._file is not None and not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())

    def _end(self) -> Path:
        if self._file is not None:
            self._file.close()
        return self._path

    @property
    def _path(self) -> Path:
        return Path(self._file.name if self._file else "")


async def _in_thread(work: Callable[..., T], *args: Any) -> T:
    return await anyio.to_thread.run_sync(work, *args)
