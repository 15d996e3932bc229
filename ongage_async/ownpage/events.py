"""What happened to newsletters, day by day, as files or as typed events. Source: vendor page §5 #10."""

import csv
import io
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date
from itertools import islice
from pathlib import Path
from typing import IO, Any, Self, cast

import anyio
import anyio.to_thread

from ongage_async._operation import ListIn, Operation, Repeat
from ongage_async.config import Lane
from ongage_async.errors import DecodeError
from ongage_async.models._converter import OnDrift, structure
from ongage_async.models.ownpage import EventKind, OwnpageEvent
from ongage_async.ownpage._session import ListCaller
from ongage_async.resources._download import Target, download
from ongage_async.resources._inputs import choice

GET = Operation(
    "events.download", "GET", "/newsletters/events/{kind}/{day}", Repeat.SAFE, lane=Lane.BULK, list_in=ListIn.NOWHERE
)

ROWS_A_TURN = 500
IN_MEMORY_BYTES = 1 << 20
"""How much of a day's file is kept in memory; the rest goes to a temporary file that has no name."""


class Events:
    """Get the events of a day: a premium feature of the account. A day's file is whole after midnight."""

    __slots__ = ("_caller", "_on_drift")

    def __init__(self, caller: ListCaller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._on_drift = on_drift

    async def download(self, kind: EventKind | str, day: date, target: Target) -> Path:
        """Download the events of a kind and a day as the vendor's CSV file.

        It is streamed, and appears under its name only when it is whole.

        Args:
            kind: What happened.
            day: The day, by the vendor's clock.
            target: Path of the file.

        Returns:
            The path.

        Raises:
            PermissionDeniedError: The account lacks the feature (*assumed*: the vendor names no code).
            NotFoundError: There is no such file (*assumed*).

        Cost: 1 call, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #10 (vendor doc).
        """
        path = _path(kind, day)
        (made,) = await download(self._caller, GET, target, path=path, name=f"{path['kind']}-{path['day']}.csv")
        return made

    def each(self, kind: EventKind | str, day: date) -> AsyncIterator[OwnpageEvent]:
        """Iterate over the events of a kind and a day.

        The file is fetched whole at the first step, so that no call stays open while you work.

        Args:
            kind: What happened.
            day: The day, by the vendor's clock.

        Returns:
            An iterator in the order of the file; it may be left at any time.

        Raises:
            DecodeError: While iterating: the answer is no CSV file with the vendor's columns.

        Cost: 1 call, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #10 (vendor doc).
        """
        return _Events(self._caller, _path(kind, day), self._on_drift)


def _path(kind: EventKind | str, day: date) -> dict[str, str]:
    return {"kind": choice(EventKind, kind, "kind").value, "day": day.strftime("%Y-%m-%d")}


class _Events:
    """The events of one file; an object and not an async generator: it may be left at any time."""

    def __init__(self, caller: ListCaller, path: Mapping[str, str], on_drift: OnDrift | None) -> None:
        self._caller, self._path, self._on_drift = caller, path, on_drift
        self._spool: IO[bytes] | None = None
        self._rows: Iterator[dict[str, Any]] = iter(())
        self._ready: deque[OwnpageEvent] = deque()
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> OwnpageEvent:
        if self._spool is None and not self._is_over:
            await self._fetch()
        if not self._ready and not self._is_over:
            self._ready.extend(await anyio.to_thread.run_sync(self._take))
            self._is_over = not self._ready
        if self._is_over and not self._ready:
            await self.aclose()
            raise StopAsyncIteration
        return self._ready.popleft()

    async def aclose(self) -> None:
        """End the iteration and forget the file."""
        self._is_over = True
        self._ready.clear()
        self._close()

    def _close(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def __del__(self) -> None:
        self._close()

    async def _fetch(self) -> None:
        spool = cast("IO[bytes]", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))  # noqa: SIM115 - see _close
        self._spool = spool

        async def pour(pieces: AsyncIterator[bytes]) -> None:
            spool.seek(0)
            spool.truncate()
            async for piece in pieces:
                await anyio.to_thread.run_sync(spool.write, piece)

        await self._caller.stream(GET, pour, path=self._path)
        spool.seek(0)
        text = io.TextIOWrapper(io.BufferedReader(_Unclosed(spool)), encoding="utf-8-sig", newline="")
        self._rows = csv.DictReader(text)

    def _take(self) -> list[OwnpageEvent]:
        try:
            return [self._event(row) for row in islice(self._rows, ROWS_A_TURN)]
        except (UnicodeDecodeError, csv.Error) as error:
            raise DecodeError(
                f"the events cannot be read as CSV in UTF-8 ({type(error).__name__})", operation=GET.name
            ) from None

    def _event(self, row: dict[Any, Any]) -> OwnpageEvent:
        if "date" not in row or "email" not in row:
            raise DecodeError("the file has no columns `date` and `email`", operation=GET.name)
        named = {key.strip(): value for key, value in row.items() if key is not None}
        return structure(OwnpageEvent, named, operation=GET.name, on_drift=self._on_drift)


class _Unclosed(io.RawIOBase):
    """Read a file that stays another's to close."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)
