"""The ledger file itself: created whole, locked, read and written so that a kill at any instant leaves a valid state.

The first block says whose file it is and never changes. Two slots take turns: a state is written to the slot that does
not hold the newest one, with the next number and a checksum, so one of the two is valid at any time. Dates go to a ring
before the state that counts them. Reads and writes are plain `pread` and `pwrite`, not a memory map: a map is 4 µs
faster, but a truncated file or a full disk then kills the process by SIGBUS (docs/decisions/file-ledger.md).

Whether another member's process is alive is asked from the kernel: each holds a lock on one byte far behind the end.
Called by `_file.py`, which alone knows about waiting.
"""

import contextlib
import errno
import hashlib
import math
import os
import secrets
import stat
import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING or os.name == "posix":
    import fcntl

from ongage_async.config import Limits
from ongage_async.errors import ConfigurationError
from ongage_async.governor._file_place import network_file_system
from ongage_async.governor._file_state import Dates, State, decode, encode, span_of
from ongage_async.governor._ledger import LedgerLostError

__all__ = ["Store", "check_limits"]

MOST_CALLS = 200_000
"""Limits beyond this do not fit a slot in the worst case (every call ended without an answer)."""

_MAGIC, _VERSION = b"ONGAGE\0L", 1
_FIRST = struct.Struct("<8sI4x32s16s16s")  # magic, version, account, file id, heir of
_BOOT_AT = 512
_SLOT_AT, _SLOT_BYTES = 4096, 2 << 20
_SLOT = struct.Struct("<IIQ")  # checksum, words, number
_RING_AT = _SLOT_AT + 2 * _SLOT_BYTES
_ALIVE_AT = 1 << 60
_GUESS = 4096
_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_REMEDY = "stop every process that uses it, remove the file, wait a window, and start again"


class Store:
    """An open ledger file. Everything but opening and looking at it is done under the lock.

    Attributes:
        path: Its place.
        file_id: Its own number.
        heir_of: The file id of the one whose state was carried over when it was made, or nothing.
        is_stale: It was seen to hold an older state than before.
    """

    def __init__(self, path: Path, fd: int, *, file_id: bytes, heir_of: bytes) -> None:
        self.path = path
        self.file_id, self.heir_of = file_id, heir_of
        self.is_stale = False
        self._fd = fd
        found = os.fstat(fd)
        self._ident = (found.st_dev, found.st_ino)
        self._number = 0
        self._state: State | None = None
        self._tail = self._ring = 0

    # -- opening ------------------------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Path, account_key: str) -> Self | None:
        """Open the file; None if there is none.

        Raises:
            ConfigurationError: There is something there that cannot be used; the sentence says what to do.
        """
        _check_place(path)
        try:
            fd = os.open(path, _FLAGS)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError(_refused(error)) from None
        try:
            _check_owner(os.fstat(fd))
            file_id, heir_of = _check_first(os.pread(fd, _FIRST.size + 4, 0), account_key)
            return cls(path, fd, file_id=file_id, heir_of=heir_of)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def create(cls, path: Path, account_key: str, state: State, heir_of: bytes) -> None:
        """Put a whole new file there, unless there is one by now: of two creators one wins."""
        _check_place(path)
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            fd = os.open(fresh, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                file_id = secrets.token_bytes(16)
                first = _FIRST.pack(_MAGIC, _VERSION, _hash(account_key), file_id, heir_of)
                _write(fd, first + struct.pack("<I", zlib.crc32(first)), 0)
                store = cls(fresh, fd, file_id=file_id, heir_of=heir_of)
                store.save(state)
                store.write_boot(state.boot)
                _allocate(fd, state.ring)
                os.fsync(fd)
            finally:
                os.close(fd)
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
        except OSError as error:
            raise ConfigurationError(_refused(error)) from None
        finally:
            fresh.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file and of all locks on it; in a forked child this leaves the parent's alone."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # -- locking ------------------------------------------------------------------------------------------------------

    def try_lock(self) -> bool:
        """Lock the file for this process if nobody else has it; never waits."""
        if self._fd < 0:
            raise LedgerLostError("the ledger was closed, or opened anew")
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self) -> None:
        """Give the lock back."""
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def claim(self, name: str) -> None:
        """Show others that the member lives, for as long as this process has the file open."""
        if CAN_TELL:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _byte(fcntl.F_WRLCK, name))

    def resign(self, name: str) -> None:
        """Take that back, so that the member can claim it on the same file opened anew."""
        if CAN_TELL:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _byte(fcntl.F_UNLCK, name))

    def is_alive(self, name: str, heard_s: float) -> bool:
        """Return whether a member of another process lives.

        Args:
            name: The member.
            heard_s: Seconds since it was last heard of: what counts where the kernel cannot tell.
        """
        if not CAN_TELL:
            return heard_s < _FORGET_S
        answer = fcntl.fcntl(self._fd, fcntl.F_OFD_GETLK, _byte(fcntl.F_WRLCK, name))
        return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)

    # -- reading and writing ------------------------------------------------------------------------------------------

    def is_there(self) -> bool:
        """Return whether the file is still what the path names."""
        try:
            found = os.stat(self.path, follow_symlinks=False)  # noqa: PTH116 - for every call; Path.stat is slower
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._ident

    def load(self) -> State | None:
        """Return the newest valid state; None if neither slot holds one. What is returned may be changed and saved."""
        newest = next(self._slots(), None)
        if newest is None:
            return None
        number, vector = newest
        if number < self._number:
            self.is_stale = True
            raise LedgerLostError(f"the ledger file went back in time, as if an old copy was put back: {_REMEDY}")
        if number != self._number or self._state is None:
            old = self._state
            state = decode(vector, old)
            self._read_dates(state.dates, state.ring, *span_of(vector), fresh=old is None)
            self._number, self._state, self._tail, self._ring = number, state, state.dates.tail, state.ring
        return self._state

    def save(self, state: State) -> None:
        """Write a state so that it counts at once and wholly, or not at all."""
        dates = state.dates
        room = 2 * max(state.account.limits.calls, len(dates)) + 2
        if room > state.ring:
            state.ring = max(1024, 1 << (room - 1).bit_length())
        start = max(self._tail, dates.head) if state.ring == self._ring else dates.head
        if start < dates.tail:
            news = [dates[i] for i in range(start - dates.tail, 0)] if dates.tail - start < 8 else list(dates)
            self._write_dates(state.ring, start, news[start - dates.tail :])
        vector = encode(state)
        number = self._number + 1
        if len(vector) > _SLOT_BYTES - _SLOT.size:
            raise LedgerLostError("the ledger file is full: more calls ended without an answer than it can hold")
        body = _SLOT.pack(0, len(vector) // 8, number)[4:] + vector
        _write(self._fd, struct.pack("<I", zlib.crc32(body)) + body, _SLOT_AT + number % 2 * _SLOT_BYTES)
        self._number, self._state, self._tail, self._ring = number, state, dates.tail, state.ring

    def forget(self) -> None:
        """Read everything anew next time, after something failed half-way."""
        self._state = None

    def write_boot(self, boot: float) -> None:
        """Note, apart from the states, in which boot they are written."""
        word = struct.pack("<d", boot)
        _write(self._fd, word + struct.pack("<I", zlib.crc32(word)), _BOOT_AT)

    def is_of_boot(self, boot: float) -> bool:
        """Return whether that note names `boot`; an unreadable one is taken to."""
        word = os.pread(self._fd, 12, _BOOT_AT)
        if len(word) < 12 or zlib.crc32(word[:8]) != struct.unpack_from("<I", word, 8)[0]:
            return True
        return bool(struct.unpack_from("<d", word)[0] == boot)

    def _slots(self) -> Iterator[tuple[int, bytes]]:
        heads = []
        for at in (_SLOT_AT, _SLOT_AT + _SLOT_BYTES):
            data = os.pread(self._fd, _GUESS, at)
            if len(data) >= _SLOT.size:
                heads.append((_SLOT.unpack_from(data)[2], at, data))
        for number, at, data in sorted(heads, reverse=True):
            if number == self._number and self._state is not None:
                yield number, b""
                return
            checksum, words, _ = _SLOT.unpack_from(data)
            size = _SLOT.size + 8 * words
            if number and size <= _SLOT_BYTES:
                whole = data[:size] if size <= len(data) else os.pread(self._fd, size, at)
                if len(whole) == size and zlib.crc32(whole[4:]) == checksum:
                    yield number, whole[_SLOT.size :]
                    return

    def _read_dates(self, dates: Dates, ring: int, head: int, tail: int, *, fresh: bool) -> None:
        start = head if fresh or dates.tail < head else dates.tail
        if start != dates.tail:
            dates.clear()
            dates.head = dates.tail = start
        news = array("d")
        for index, count in _pieces(ring, start, tail):
            news.frombytes(os.pread(self._fd, 8 * count, _RING_AT + 8 * (ring + index)))
        if len(news) != tail - start or any(math.isnan(date) for date in news):
            raise LedgerLostError(f"the ledger file is damaged (dates are missing): {_REMEDY}")
        dates.follow(head, tail, news)

    def _write_dates(self, ring: int, start: int, dates: Sequence[float]) -> None:
        done = 0
        for index, count in _pieces(ring, start, start + len(dates)):
            _write(self._fd, array("d", dates[done : done + count]).tobytes(), _RING_AT + 8 * (ring + index))
            done += count


CAN_TELL = sys.platform == "linux" and sys.maxsize > 2**32
"""Whether the kernel says if another process lives."""

_FORGET_S = 60.0
"""Where the kernel cannot tell whether a process lives, a member that was not heard of for so long is forgotten."""


def _byte(kind: int, name: str) -> bytes:
    """Return a `struct flock` for the byte that is the member's own."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, _ALIVE_AT + int(name, 16), 1, 0)


def _pieces(ring: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where in a ring the dates from number `start` to `end` lie: index and count, one or two."""
    while start < end:
        index = start % ring
        count = min(ring - index, end - start)
        yield index, count
        start += count


def _write(fd: int, data: bytes, at: int) -> None:
    if os.pwrite(fd, data, at) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _allocate(fd: int, ring: int) -> None:
    """Reserve room for what is written all the time, so that a disk that fills up later does no harm."""
    reserve: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
    if reserve is not None:
        for at, size in ((0, 65536), (_SLOT_AT + _SLOT_BYTES, 65536), (_RING_AT + 8 * ring, 8 * ring)):
            try:
                reserve(fd, at, size)
            except OSError as error:
                if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}:
                    raise


def check_limits(limits: Limits) -> None:
    """Refuse limits that a file cannot serve."""
    if limits.calls > MOST_CALLS:
        raise ConfigurationError(f"governor: a ledger file serves up to {MOST_CALLS:,} calls per window: use redis://")


def _hash(account_key: str) -> bytes:
    return hashlib.sha256(b"ongage ledger\0" + account_key.encode()).digest()


def _check_place(path: Path) -> None:
    if os.name != "posix":
        raise ConfigurationError("governor: a ledger file needs POSIX file locks: use redis:// on this system")
    if not path.parent.is_dir():
        raise ConfigurationError(f"governor: there is no directory {path.parent}: create it, for this user alone")
    if (kind := network_file_system(path.parent)) is not None:
        raise ConfigurationError(
            f"governor: {path.parent} is on a network file system ({kind}), whose locks cannot be relied on: use a "
            "local disk for one machine, or redis:// for several"
        )


def _check_owner(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError("governor: what this URL names is no regular file: name a file of its own")
    if found.st_uid != os.geteuid():
        raise ConfigurationError(
            "governor: the ledger file belongs to another user: run all processes that share it as one user"
        )
    if found.st_mode & 0o022:
        raise ConfigurationError("governor: others may write to the ledger file: chmod 600 it")


def _check_first(block: bytes, account_key: str) -> tuple[bytes, bytes]:
    """Return the file's id and whose heir it is."""
    if len(block) < _FIRST.size + 4:
        raise ConfigurationError(f"governor: the ledger file is empty or was cut short: {_REMEDY}")
    magic, version, account, file_id, heir_of = _FIRST.unpack_from(block)
    if magic != _MAGIC:
        raise ConfigurationError("governor: this file is no ledger: name another path, and leave it as it is")
    if zlib.crc32(block[: _FIRST.size]) != struct.unpack_from("<I", block, _FIRST.size)[0]:
        raise ConfigurationError(f"governor: the ledger file is damaged: {_REMEDY}")
    if version != _VERSION:
        raise ConfigurationError(
            f"governor: the ledger file is of version {version}, and this library writes {_VERSION}: let all "
            "processes use the same version of the library, with a file of its own"
        )
    if account != _hash(account_key):
        raise ConfigurationError(
            "governor: this ledger file belongs to another account: give each account a file of its own"
        )
    return file_id, heir_of if any(heir_of) else b""


def _refused(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "governor: the ledger file is a symbolic link: name the file itself"
    if error.errno in {errno.EPERM, errno.EOPNOTSUPP}:
        return f"governor: the file system refuses ({error.strerror}; hard links and locks are needed): use another one"
    return f"governor: the ledger file cannot be opened or made: {error.strerror}"
