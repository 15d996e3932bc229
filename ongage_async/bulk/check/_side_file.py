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
    """Return `wish`, or the first numbered variant that does not exist."""
    names = (wish if n == 1 else wish.with_name(f"{wish.stem}-{n}{wish.suffix}") for n in itertools.count(1))
    return next(path for path in names if not path.exists())


def publish(written: Path, place: Path) -> bool:
    """Move a side file to its place; false if somebody else's file lies there.

    Raises:
        ConfigurationError: It cannot be written there.
    """
    try:
        _link(written, place)
    except FileExistsError:
        if not place.samefile(written):
            return False
    except OSError as error:
        raise ConfigurationError(
            f"the side file {place.name} cannot be written ({error.strerror}): pass another place as side_file="
        ) from error
    written.unlink()
    return True


def _link(written: Path, place: Path) -> None:
    try:
        os.link(written, place)  # unlike a rename, it never writes over a file
    except FileExistsError:
        raise
    except OSError:  # another file system, or one without links
        with place.open("xb") as copy, written.open("rb") as original:
            place.chmod(0o600)
            shutil.copyfileobj(original, copy)
