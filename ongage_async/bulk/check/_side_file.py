"""Give the side file its place once, also when the run that does so is killed in between.

It is written among the parts, and takes its own name only after the journal knows that name: a run that is killed
while it reads the source leaves no side file, and one that is resumed does not make a second one. Blocking, for worker
threads.
"""

import itertools
import os
import shutil
from pathlib import Path

from ongage_async.errors import ConfigurationError

__all__ = ["free_name", "publish"]


def free_name(wish: Path) -> Path:
    """Return `wish`, or the first numbered variant that does not exist; absolute, for runs in another folder.

    Raises:
        ConfigurationError: No file can be made there.
    """
    wish = wish.absolute()
    if not os.access(wish.parent, os.W_OK | os.X_OK):
        raise _no_place(wish, "the directory cannot be written to")
    names = (wish if n == 1 else wish.with_name(f"{wish.stem}-{n}{wish.suffix}") for n in itertools.count(1))
    return next(path for path in names if not os.path.lexists(path))


def publish(written: Path, place: Path) -> bool:
    """Move a side file to its place; false if somebody else's file lies there.

    Raises:
        ConfigurationError: It cannot be written there.
    """
    try:
        if not _is_linked(written, place) and not _is_linked(_copy_of(place), place):
            _link(written, place)
    except FileExistsError:
        return False
    except OSError as error:
        raise _no_place(place, error.strerror) from error
    written.unlink()
    _copy_of(place).unlink(missing_ok=True)
    return True


def _no_place(place: Path, reason: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"the side file {place.name} cannot be written ({reason}): pass another place as side_file="
    )


def _link(written: Path, place: Path) -> None:
    """Link it, or a copy where it lies on another file system; unlike a rename, a link never takes a file's place."""
    try:
        os.link(written, place)
    except FileExistsError:
        raise
    except OSError:
        _copy(written, _copy_of(place))
        try:
            os.link(_copy_of(place), place)
        except FileExistsError:
            _copy_of(place).unlink()
            raise
        except OSError:  # a file system without links: whoever takes the name in this very moment loses his file
            if os.path.lexists(place):
                raise FileExistsError(place) from None
            _copy_of(place).rename(place)


def _copy(written: Path, copy: Path) -> None:
    """Copy it whole, and have it on the disk."""
    copy.unlink(missing_ok=True)  # of a run that was killed
    handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it holds addresses
    with os.fdopen(handle, "wb") as target, written.open("rb") as original:
        shutil.copyfileobj(original, target)
        target.flush()
        os.fsync(target.fileno())


def _copy_of(place: Path) -> Path:
    return place.with_name(f".{place.name}.ongage-copy")


def _is_linked(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)
