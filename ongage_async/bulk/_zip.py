"""Write a ZIP archive of exactly one file, as the vendor takes it, while its rows are still being made.

The vendor loads "a ZIP that contains only one CSV/TXT file" and opens it with a password that is a setting of the
account (vendor page §4.2, §4.5). Which encryption it opens is unknown, so both that well-kept libraries write are
offered: AES by pyzipper, and the traditional one by libarchive. `_parts.py` is the caller; it runs in worker threads.
"""

import importlib
import io
import os
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal, Protocol

from ongage_async.errors import ConfigurationError, StagingError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Buffer

__all__ = ["Encryption", "ZipWriter", "check_password", "open_aes"]

Encryption = Literal["aes", "zipcrypto"]

LEVEL = 4
"""Of deflate: twice as fast as 6, for files of contacts that get a tenth larger."""
PIECE_BYTES = 1 << 20


class ZipWriter(io.BufferedIOBase):
    """Write one file into a new archive, piece by piece.

    A binary file: `io.TextIOWrapper` and the csv module write through it. The archive is whole after `close`; leaving
    the block by an exception removes it, as `discard` does. It is ZIP64 only if it has to be (from 2 GiB on), so that
    old readers open the others.

    Args:
        path: The archive; must not exist. Only this user can read it.
        inner_name: Name of the file in it, ``contacts.csv``.
        password: What opens it; None: no encryption.
        encryption: ``aes`` (AES-256, WinZip's AE-2), or ``zipcrypto``, the traditional one: weak (whoever knows a few
            rows can open the archive), known to every reader. Unused without a password.

    Raises:
        ConfigurationError: The password cannot be used, or the library that encrypts is not installed.
        FileExistsError: `path` exists.

    Cost: flat memory. ``zipcrypto`` is written by `close`, from a private copy beside the archive.
    """

    def __init__(
        self, path: Path, inner_name: str, password: str | None = None, encryption: Encryption = "aes"
    ) -> None:
        super().__init__()
        check_password(password, encryption)
        if not inner_name or "/" in inner_name or not inner_name.isascii():
            raise ConfigurationError(f"{inner_name!r} cannot be the name of the file in an archive")
        self._path = path
        self._file: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")
        try:
            self._entry = _open_entry(path, self._file, inner_name, password, encryption)
        except BaseException:
            self.discard()
            raise

    @property
    def size_bytes(self) -> int:
        """Size of the archive so far; deflate keeps some back, and ``zipcrypto`` counts what is not compressed yet."""
        return self._entry.size_bytes()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: "Buffer", /) -> int:
        """Compress a piece.

        Raises:
            OSError: The disk is full.
        """
        return self._entry.write(data)

    def close(self) -> None:
        """Finish the archive; doing it twice is harmless.

        Raises:
            OSError: The disk is full.
            StagingError: The library that encrypts could not do it.
        """
        if self.closed:
            return
        try:
            with self._file:
                self._entry.finish()
        except BaseException:
            self.discard()
            raise
        super().close()

    def discard(self) -> None:
        """Remove what was written; doing it twice is harmless."""
        if (entry := getattr(self, "_entry", None)) is not None:
            entry.drop()
        with suppress(OSError):  # what is in its buffer may find the disk full
            self._file.close()
        self._path.unlink(missing_ok=True)
        self._entry = _Nothing()
        super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def check_password(password: str | None, encryption: Encryption = "aes") -> None:
    """Find out before the first row whether archives can be written with this password.

    Raises:
        ConfigurationError: They cannot; it says why.
    """
    if encryption not in ("aes", "zipcrypto"):
        raise ConfigurationError(f'encryption="{encryption}" is unknown: "aes" or "zipcrypto"')
    if password is None:
        return
    if not password or not password.isascii() or not password.isprintable():
        raise ConfigurationError(
            "the ZIP password must be printable ASCII, at least a character of it: readers disagree on how others "
            "are spelled in bytes"
        )
    _pyzipper() if encryption == "aes" else _libarchive()


def open_aes(file: BinaryIO) -> zipfile.ZipFile:
    """Open an archive for reading whose file is encrypted by AES.

    Raises:
        ConfigurationError: The library that decrypts is not installed.
    """
    archive: zipfile.ZipFile = _pyzipper().AESZipFile(file)
    return archive


class _Entry(Protocol):
    """The one file of an archive that is being written."""

    def write(self, data: "Buffer", /) -> int: ...
    def size_bytes(self) -> int: ...
    def finish(self) -> None: ...
    def drop(self) -> None: ...


def _open_entry(path: Path, file: BinaryIO, name: str, password: str | None, encryption: Encryption) -> _Entry:
    if password is None:
        return _Deflated(file, zipfile.ZipFile(file, "w"), _Member(name))
    if encryption == "zipcrypto":
        return _Traditional(path, file, name, password)
    pyzipper = _pyzipper()
    archive = pyzipper.AESZipFile(file, "w", encryption=pyzipper.WZ_AES)
    archive.setpassword(password.encode())
    member: Any = type("_AESMember", (_RoomForZip64, archive.zipinfo_cls), {})
    return _Deflated(file, archive, member(name))


class _Deflated:
    """A file that is compressed, and encrypted, as it comes."""

    def __init__(self, file: BinaryIO, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        member.compress_type = zipfile.ZIP_DEFLATED
        member._compresslevel = LEVEL  # type: ignore[attr-defined]  # its public name is of Python 3.13
        self._file, self._archive = file, archive
        self._data: IO[bytes] = archive.open(member, "w", force_zip64=True)

    def write(self, data: "Buffer", /) -> int:
        return self._data.write(data)

    def size_bytes(self) -> int:
        return self._file.tell()

    def finish(self) -> None:
        self._data.close()
        self._archive.close()

    def drop(self) -> None:
        """Leave it unfinished. Its parts are told that they are closed, or they would try to end it when forgotten."""
        self._archive.fp = None
        with suppress(Exception):
            self._data.close()


class _RoomForZip64:
    """A member whose local header keeps twenty bytes free, in case that the file turns out larger than 2 GiB.

    The header stands before the data, whose size is not known yet. Python's choice is a ZIP64 header for every file
    that might be large, which some readers do not know; here the twenty bytes of the ZIP64 field are kept by a field
    that all readers skip, and changed for it when needed.
    """

    extra: bytes
    file_size: int
    compress_size: int

    def FileHeader(self, zip64: bool | None = None) -> bytes:  # noqa: N802, ARG002 - the name and arguments of zipfile
        """Return the local header: as long at the end as it was in the beginning."""
        is_large = max(self.file_size, self.compress_size) > zipfile.ZIP64_LIMIT
        self.extra = b"" if is_large else ROOM
        above: Any = super()
        header: bytes = above.FileHeader(is_large)
        self.extra = b""
        return header

    def encode_local_header(self, *, extra: bytes, **fields: Any) -> bytes:
        """Put the room in pyzipper's header, which has no place for `extra`."""
        above: Any = super()
        header: bytes = above.encode_local_header(extra=extra or ROOM, **fields)
        return header


class _Member(_RoomForZip64, zipfile.ZipInfo):
    pass


ROOM = struct.pack("<HHHH12x", 0xA220, 16, 0xA028, 12)
"""A "growth hint" (APPNOTE §4.6.12), of the size of a ZIP64 field."""


class _Traditional:
    """A file that is kept as it is, and compressed and encrypted at the end: libarchive asks for its size first."""

    def __init__(self, path: Path, file: BinaryIO, name: str, password: str) -> None:
        self._file, self._name, self._password = file, name, password
        self._path = path.with_name(f"{path.name}.plain")
        self._plain: BinaryIO = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")

    def write(self, data: "Buffer", /) -> int:
        return self._plain.write(data)

    def size_bytes(self) -> int:
        return self._plain.tell()

    def finish(self) -> None:
        libarchive = _libarchive()
        size_bytes = self._plain.tell()
        self._plain.seek(0)
        pieces = iter(lambda: self._plain.read(PIECE_BYTES), b"")
        options = f"encryption=zipcrypt,compression-level={LEVEL}"
        try:
            with libarchive.fd_writer(
                self._file.fileno(), "zip", options=options, passphrase=self._password
            ) as archive:
                archive.add_file_from_memory(self._name, size_bytes, pieces, permission=0o600)
        except libarchive.ArchiveError as error:
            raise StagingError(f"the archive could not be written: {error.msg}") from None
        self.drop()

    def drop(self) -> None:
        with suppress(OSError):
            self._plain.close()
        self._path.unlink(missing_ok=True)


class _Nothing:
    """What is left of a discarded archive."""

    def write(self, data: "Buffer", /) -> int:  # noqa: ARG002
        raise ValueError("write to a closed archive")

    def size_bytes(self) -> int:
        return 0

    def finish(self) -> None: ...

    def drop(self) -> None: ...


def _pyzipper() -> Any:
    try:
        return importlib.import_module("pyzipper")
    except ImportError:
        raise ConfigurationError(
            "ZIP archives with a password need pyzipper: pip install 'ongage-async[zip]'"
        ) from None


def _libarchive() -> Any:
    try:
        return importlib.import_module("libarchive")
    except ImportError:
        missing = "pip install 'ongage-async[zipcrypto]'"
    except (AttributeError, OSError, TypeError):  # what the wrapper ends with when it does not find the C library
        missing = "install the library itself (libarchive13 on Debian and Ubuntu; `brew install libarchive`)"
    raise ConfigurationError(f'encryption="zipcrypto" needs libarchive: {missing}; or use encryption="aes"')
