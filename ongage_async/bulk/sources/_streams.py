"""Open the bytes of a file wherever they are packed: plain, gzip, ZIP, or the standard input.

What comes out is a `ByteStream`, read once from its beginning, in memory that does not grow. Archives are never
unpacked on the disk, and one that swells out of all proportion ends the reading. What the bytes mean is for `_csv.py`;
`_sources.py` is the caller.
"""

import glob
import gzip
import io
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Protocol, cast

from ongage_async.bulk._zip import open_aes
from ongage_async.errors import CSVError

__all__ = ["STDIN", "ByteStream", "UnreadableError", "open_bytes", "paths_of", "refuse_strangers"]

STDIN = "-"
BLOCK_BYTES = 64 * 1024
BOMB_BYTES, BOMB_RATIO = 16 << 20, 200
"""A file that grew 200-fold and beyond 16 MiB while it was unpacked is not read on; contacts grow three- to tenfold."""

_GZIP, _ZIP = b"\x1f\x8b", b"PK"
_STRANGERS = (
    (_GZIP, "packed twice: unpack it once"),
    (b"PK\x03\x04", "an archive within an archive: unpack it once"),
    (b"PAR1", "a packed Parquet file: unpack it first"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook: save it as CSV"),
    (b"BZh", "packed by bzip2: unpack it first, or pack it by gzip"),
    (b"\xfd7zXZ", "packed by xz: unpack it first, or pack it by gzip"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd: unpack it first, or pack it by gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first, or pack it as ZIP"),
    (b"Rar!", "a RAR archive: unpack it first, or pack it as ZIP"),
    (b"SQLite format 3\0", "an SQLite database: query it and pass the rows"),
)
_LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db")
"""What programs put into archives beside the file that was meant."""


class UnreadableError(Exception):
    """The bytes end here; the reader, which knows the row, makes a `CSVError` of it.

    Attributes:
        reason: Short reason.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class ByteStream:
    """Bytes that are read once, and what there is to know of them.

    Args:
        name: For messages and reports.
        content: What is read.
        size_bytes: Size of the file as it lies on the disk; None where nobody knows.
        position: Returns how much of that file was read.
        close: Lets go of everything.
        is_packed: The bytes are those of a file inside the one on the disk.
    """

    def __init__(
        self,
        name: str,
        content: _Readable,
        *,
        size_bytes: int | None,
        position: Callable[[], int],
        close: Callable[[], None],
        is_packed: bool = False,
    ) -> None:
        self.name, self.size_bytes, self.close = name, size_bytes, close
        self._content, self._position, self._is_packed = content, position, is_packed
        self._unpacked_bytes = 0

    @property
    def read_bytes(self) -> int:
        """How much of the file on the disk was read."""
        return self._position()

    def read(self) -> bytes:
        """Return the next bytes; none at the end.

        Raises:
            UnreadableError: The file is damaged, the password wrong, or it grows beyond measure.
        """
        try:
            data = self._content.read(BLOCK_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, ValueError) as error:
            raise UnreadableError(f"the archive is damaged or cut off ({error})", "damaged archive") from None
        except OSError as error:
            raise UnreadableError(f"the file cannot be read on ({error.strerror or error})", "cannot be read") from None
        self._unpacked_bytes += len(data)
        if self._is_packed and self._unpacked_bytes > max(BOMB_BYTES, BOMB_RATIO * self._position()):
            raise UnreadableError(
                f"the file grows more than {BOMB_RATIO}-fold while it is unpacked, as those do that are made to fill "
                "memories: if it is meant, unpack it yourself",
                "archive bomb",
            )
        return data


def open_bytes(path: str | Path, *, password: str | None = None) -> ByteStream:
    """Open a file, or the standard input (``-``), and what is packed in it.

    Args:
        path: The file; what it is packed by is told by its first bytes, not by its name.
        password: What opens it, if it is an encrypted ZIP archive.

    Raises:
        CSVError: It cannot be opened; it is an archive of none or many files; it is known to be no text.
    """
    with ExitStack() as files:
        name, file, size_bytes = _open(path, files)
        counted = _Counted(file)
        magic = file.peek(16)[:16]
        content: _Readable = counted
        position, is_packed = counted.tell, True
        if magic.startswith(_GZIP):
            content = files.enter_context(gzip.GzipFile(fileobj=cast("Any", counted)))
        elif magic.startswith(_ZIP) and magic[2:4] in (b"\x03\x04", b"\x05\x06", b"\x07\x08"):
            content, position = _open_member(file, name, password, files), file.tell
        else:
            is_packed = False
        close = files.pop_all().close
    return ByteStream(name, content, size_bytes=size_bytes, position=position, close=close, is_packed=is_packed)


def paths_of(source: Any) -> list[str | Path] | None:
    """Return the paths that a source names, patterns resolved; None if it names none.

    Raises:
        CSVError: A pattern or a list without a file.
    """
    if isinstance(source, str | PathLike):
        return _expanded(fspath(source))
    if isinstance(source, Sequence) and source and all(isinstance(item, str | PathLike) for item in source):
        return [path for item in source for path in _expanded(fspath(item))]
    return None


def _expanded(path: str) -> list[str | Path]:
    if path == STDIN:
        return [STDIN]
    if not glob.has_magic(path) or Path(path).exists():
        return [Path(path)]
    if found := sorted(glob.glob(path, recursive=True)):  # noqa: PTH207 - the pattern may be absolute
        return [Path(item) for item in found]
    raise CSVError(f"no file matches {Path(path).name}", reason="cannot be opened")


def refuse_strangers(name: str, head: bytes) -> None:
    """Refuse what is known to be no text.

    Raises:
        CSVError: It is not; the message says what to do.
    """
    for magic, what in _STRANGERS:
        if head.startswith(magic):
            raise CSVError(f"{name} is {what}", reason="not a text file")


def _open(path: str | Path, files: ExitStack) -> tuple[str, io.BufferedReader, int | None]:
    if path == STDIN:
        return "stdin", cast("io.BufferedReader", sys.stdin.buffer), None
    path = Path(path)
    try:
        file = files.enter_context(path.open("rb"))
    except OSError as error:
        raise CSVError(f"{path.name} cannot be opened: {error.strerror}", reason="cannot be opened") from error
    return path.name, file, os.fstat(file.fileno()).st_size if file.seekable() else None


class _Counted:
    """A file that counts what is read from it, since a pipe cannot tell."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file, self._count = file, 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read1(size)
        self._count += len(data)
        return data

    def tell(self) -> int:
        return self._count


def _open_member(file: io.BufferedReader, name: str, password: str | None, files: ExitStack) -> _Readable:
    """Open the only file of an archive."""
    if not file.seekable():
        raise CSVError(
            f"{name} is a ZIP archive, whose table of contents stands at its end: save it to a file first",
            reason="ZIP from a pipe",
        )
    try:
        archive = files.enter_context(zipfile.ZipFile(file))
        member = _only_member(archive, name)
        if not member.flag_bits & 1:
            return files.enter_context(archive.open(member))
        if password is None:
            raise CSVError(f"{name} is encrypted: pass password=", reason="password needed")
        if member.compress_type == AES:
            archive = files.enter_context(open_aes(file))
        return files.enter_context(archive.open(member.filename, pwd=password.encode()))
    except RuntimeError:
        raise CSVError(f"the password does not open {name}", reason="wrong password") from None
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise CSVError(f"{name} is a damaged or unusual ZIP archive ({error})", reason="damaged archive") from None


AES = 99
"""What an archive gives as the compression of a file that is encrypted by AES."""


def _only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    files = [info for info in archive.infolist() if not info.is_dir()]
    if any(info.filename == "[Content_Types].xml" for info in files):
        raise CSVError(f"{name} is an Excel or Office document: save it as CSV", reason="not a text file")
    meant = [info for info in files if not (info.filename.startswith(_LITTER) or info.filename.endswith(_LITTER))]
    if len(meant) != 1:
        raise CSVError(
            f"{name} holds {len(meant)} files: a ZIP archive must hold exactly one",
            reason="not one file in the archive",
        )
    return meant[0]
