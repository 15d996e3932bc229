"""Unpack a ZIP that came over the net: nothing outside its folder, nothing without end, all files or none.

Runs in a worker thread and notices when the caller is cancelled. Used by `_download.py`.
"""

import errno
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import anyio.from_thread

from ongage_async.errors import DecodeError

MOST_BYTES = 64 * 2**30
"""Unpacked bytes of one archive: a list of 100 million contacts stays below this."""
MOST_RATIO = 200
"""Times the archive's own size, beyond the first 100 MB; rows of a CSV that are much alike reach about 50."""
MOST_FILES = 10_000

_FREE_BYTES = 100 * 2**20
_PIECE_BYTES = 2**20
_LONGEST_NAME_BYTES = 255
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, ValueError, OverflowError)


def unpack(archive: Path, folder: Path, *, most_bytes: int = MOST_BYTES) -> tuple[Path, ...]:
    """Unpack an archive into a folder; files that are there already are replaced.

    Args:
        archive: The ZIP.
        folder: An existing folder.
        most_bytes: Refuse an archive that unpacks to more.

    Returns:
        The files, in the archive's order.

    Raises:
        DecodeError: It is broken, encrypted, too large, or a name in it leads elsewhere; the folder is as it was.
    """
    most_bytes = min(most_bytes, max(_FREE_BYTES, archive.stat().st_size * MOST_RATIO))
    stage = Path(tempfile.mkdtemp(".part", ".ongage-", folder))
    try:
        with zipfile.ZipFile(archive) as opened:
            names = _write_all(opened, stage, most_bytes)
        return tuple(_move(stage, folder, name) for name in names)
    except _BROKEN as error:
        raise _broken(error) from None
    except OSError as error:
        if error.errno == errno.EINVAL:  # an index that points before the file
            raise _broken(error) from None
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _broken(error: Exception) -> DecodeError:
    return DecodeError(f"the ZIP file that came cannot be unpacked ({type(error).__name__})")


def _write_all(opened: zipfile.ZipFile, stage: Path, most_bytes: int) -> list[PurePosixPath]:
    members = [member for member in opened.infolist() if not member.is_dir()]
    names = [_safe_name(member) for member in members]
    _check_distinct(names)
    left = most_bytes
    for member, name in zip(members, names, strict=True):
        staged = stage / name
        staged.parent.mkdir(parents=True, exist_ok=True)
        left -= _write(opened, member, staged, left)
    return names


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, staged: Path, most_bytes: int) -> int:
    """Write one member and return its size; what is counted are the bytes that come, not what the index claims."""
    size = 0
    with opened.open(member) as source, staged.open("xb") as file:
        while piece := source.read(_PIECE_BYTES):
            size += len(piece)
            if size > most_bytes:
                raise DecodeError("the ZIP file that came unpacks to far more than an export can hold")
            file.write(piece)
            anyio.from_thread.check_cancelled()
    return size


def _safe_name(member: zipfile.ZipInfo) -> PurePosixPath:
    """Return a member's path in the folder, or refuse one that could lead out of it."""
    name = member.orig_filename
    parts = name.split("/")
    mode = member.external_attr >> 16
    is_odd = any(part in ("", ".", "..") or len(part.encode()) > _LONGEST_NAME_BYTES for part in parts)
    if is_odd or "\\" in name or ":" in name or any(letter < " " for letter in name):
        raise DecodeError("the ZIP file that came holds a name that leads out of its folder")
    if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        raise DecodeError("the ZIP file that came holds a link or a device")
    if member.flag_bits & 1 or member.compress_type not in _METHODS:
        raise DecodeError("the ZIP file that came is encrypted or oddly packed: download it without unzip=True")
    return PurePosixPath(*parts)


def _check_distinct(names: list[PurePosixPath]) -> None:
    """Refuse two members of one name, also where the disk ignores case, and a file that is another's folder."""
    if len(names) > MOST_FILES:
        raise DecodeError(f"the ZIP file that came holds more than {MOST_FILES} files")
    folded = {str(name).casefold() for name in names}
    folders = {str(folder).casefold() for name in names for folder in name.parents}
    if len(folded) < len(names) or folded & folders:
        raise DecodeError("the ZIP file that came holds two files of one name")


def _move(stage: Path, folder: Path, name: PurePosixPath) -> Path:
    final = folder / name
    final.parent.mkdir(parents=True, exist_ok=True)
    return (stage / name).replace(final)
