"""Files: fetched by their address, and applied to a list in the background. Source: vendor page §5 #8, seed S4."""

import itertools
from collections.abc import Mapping

import anyio
from attrs import Factory, define, field

from ongage_async.emulator._answers import Refusal
from ongage_async.emulator._fetch import Fetcher, FetchError
from ongage_async.emulator._import_file import Table, UnreadableFileError
from ongage_async.emulator._spawn import spawn
from ongage_async.emulator.ownpage._state import File, OwnpageState

__all__ = ["FileEngine"]

_PIECE_ROWS = 500
_KNOWN = ("email", "subscribed", "unsubscribed_cause", "guid")


@define(eq=False)
class FileEngine:
    """Import files; the settings may be changed at any time.

    Args:
        state: Where lists and files are.
        fetcher: Fetches the files.
        fetch_s: How long a file waits to be fetched, when that comes after the answer.
        queued_s: How long a fetched file waits until its first row.
        rows_per_s: How fast rows are applied; None means as fast as the machine can.
    """

    state: OwnpageState
    fetcher: Fetcher = Factory(Fetcher)
    fetch_s: float = 0.02
    queued_s: float = 0.02
    rows_per_s: float | None = None
    _numbers: "itertools.count[int]" = field(factory=lambda: itertools.count(12), init=False, repr=False)

    async def create(self, list_id: int, url: str) -> File:
        """Take a file and begin its import.

        Raises:
            Refusal: 400, it cannot be fetched, if that is tried before the answer.
        """
        number = next(self._numbers)
        file = File(id=number, list_id=list_id, url=url, created=self.state.clock.unix())
        if self.state.readings.file_fetch == "at_once":
            try:
                data = await self.fetcher.fetch(url)
            except FetchError as error:
                raise Refusal(400, str(error)) from error
            file.size = len(data)
            spawn(self._apply, file, data)
        else:
            spawn(self._fetch, file)
        self.state.files[file.id] = file
        return file

    async def _fetch(self, file: File) -> None:
        await anyio.sleep(self.fetch_s)
        try:
            data = await self.fetcher.fetch(file.url)
        except FetchError as error:
            file.problem = str(error)
            return
        file.size = len(data)
        await self._apply(file, data)

    async def _apply(self, file: File, data: bytearray) -> None:
        await anyio.sleep(self.queued_s)
        try:
            table = Table(data, "utf-8", _delimiter(data))
            while rows := table.take(_PIECE_ROWS):
                for cells in rows:
                    self._put(file, dict(zip(table.header, cells, strict=False)))
                await anyio.sleep(len(rows) / self.rows_per_s if self.rows_per_s else 0.0)
        except UnreadableFileError as error:
            file.problem = str(error)

    def _put(self, file: File, row: Mapping[str, str]) -> None:
        known = {key: value for key, value in row.items() if value and (key in _KNOWN or key.startswith("data_"))}
        self.state.lists[file.list_id].put(known, self.state.clock.unix(), file.done)


def _delimiter(data: bytearray) -> str:
    header = bytes(data.partition(b"\n")[0])
    return ";" if header.count(b";") > header.count(b",") else ","
