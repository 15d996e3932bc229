"""The way that every file goes, whatever the vendor: checked into a private copy, staged, and cleaned up after.

Here are the steps and what is undone when one of them fails or is cancelled; their order, and the vendor's calls in
between, are the caller's (`_run.py`, and the file loads of the other vendor).
"""

import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread
from attrs import define

from ongage_async.bulk._ports import Phase
from ongage_async.bulk.check._clean import Cleaner, Tally
from ongage_async.bulk.stages._stage import Stage, StagedFile
from ongage_async.errors import ConfigurationError, OngageError

__all__ = [
    "Staging",
    "Tell",
    "check",
    "no_side_file_unless",
    "private_directory",
    "random_name",
    "removing",
]

STEP_S = 0.02
"""How long a worker thread checks rows before it looks up: a cancellation waits for that long."""
CLEAN_UP_S = 10.0
"""How long a cancelled load may take to remove its staged file."""


class Tell(Protocol):
    """Say how far a phase is."""

    def __call__(self, phase: Phase, done: float, total: float | None, unit: str, detail: str = "") -> None:
        """See `Progress` for the arguments."""
        ...


@define
class Staging:
    """A file that is staged while a block runs.

    Attributes:
        stage: Where.
        file: What.
        deleted: Whether it was removed after the block.
    """

    stage: Stage
    file: StagedFile
    deleted: bool = False


async def check(cleaner: Cleaner, tell: Tell) -> Tally:
    """Sort a source in worker threads, a step at a time.

    Raises:
        CSVError: The source cannot be used; no file is left.
        StagingError: The clean copy could not be written; no file is left.
    """
    try:
        await anyio.to_thread.run_sync(cleaner.open)
        more = True
        while more:
            tell("check", cleaner.read_bytes, cleaner.size_bytes, "bytes")
            more = await anyio.to_thread.run_sync(_check_for_a_while, cleaner)
        tell("check", cleaner.read_bytes, cleaner.read_bytes, "bytes")
        await anyio.to_thread.run_sync(cleaner.close)
    except BaseException:
        try:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(cleaner.discard)
        except BaseException:  # asyncio's own second cancellation asks no shield, and may come first
            cleaner.discard()
            raise
        raise
    return cleaner.tally()


def _check_for_a_while(cleaner: Cleaner) -> bool:
    end = time.monotonic() + STEP_S
    return cleaner.step(lambda: time.monotonic() >= end)


@contextmanager
def no_side_file_unless(may_exist: Callable[[], bool], tally: Tally) -> Iterator[None]:
    """Remove the side file of a load that failed before an import could exist: it is made again next time."""
    try:
        yield
    except BaseException:
        if tally.side_file is not None and not may_exist():
            tally.side_file.unlink(missing_ok=True)
        raise


def random_name(path: Path) -> str:
    """Return a name for a staged file that nobody can guess and nothing else has."""
    return f"{secrets.token_hex(24)}{path.suffix}"


@asynccontextmanager
async def removing(stage: Stage, file: StagedFile) -> AsyncGenerator[Staging]:
    """Remove a staged file after the block, whatever happens."""
    staged = Staging(stage, file)
    try:
        yield staged
    except BaseException as error:
        await _remove(staged)
        if not staged.deleted:
            error.add_note(f"The staged file {staged.file.name} could not be removed: remove it.")
        raise
    else:
        await _remove(staged)


async def _remove(staged: Staging) -> None:
    """Remove the staged file, whatever happens around; a failure is told, for the load itself has ended by now."""
    with anyio.move_on_after(CLEAN_UP_S, shield=True):
        try:
            await staged.stage.remove(staged.file)
            staged.deleted = True
        except OngageError:
            staged.deleted = False


@asynccontextmanager
async def private_directory(parent: Path | None) -> AsyncGenerator[Path]:
    """Make a directory that only this user can read (0700) and remove it with all that is in it, cancelled or not.

    Made without a thread: the result of a thread is lost when its waiter is cancelled, and the directory with it.
    """
    try:
        directory = Path(tempfile.mkdtemp(prefix="ongage-", dir=parent))
    except OSError as error:
        raise ConfigurationError(f"no temporary directory can be made ({error.strerror}): pass work_dir=") from error
    try:
        yield directory
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(directory, ignore_errors=True))
