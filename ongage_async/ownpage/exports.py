"""Exports of how campaigns did. Source: vendor page §5 #11, #12."""

from datetime import date
from pathlib import Path

from ongage_async._operation import ListIn, Operation, Repeat
from ongage_async.config import Lane
from ongage_async.errors import InvalidInputError
from ongage_async.models._converter import OnDrift
from ongage_async.models.ownpage import OwnpageExport
from ongage_async.ownpage._session import ListCaller
from ongage_async.resources._answers import Reader
from ongage_async.resources._download import Target, download

CREATE = Operation("exports.create", "GET", "/newsletters/stats/export", Repeat.SAFE, list_in=ListIn.NOWHERE)
DOWNLOAD = Operation(
    "exports.download", "GET", "/export/{token}/{filename}", Repeat.SAFE, lane=Lane.BULK, list_in=ListIn.NOWHERE
)


class Exports:
    """Export the performance of campaigns."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: ListCaller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def create(self, start: date, end: date) -> OwnpageExport:
        """Make an export of the campaigns of some days.

        Args:
            start: First day.
            end: Last day; whether it is part of the export is not documented.

        Returns:
            What opens the export for 24 hours; see `download`.

        Raises:
            InvalidInputError: It ends before it starts.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: a second one is another copy.
        Source: vendor page §5 #11 (vendor doc).
        """
        if end < start:
            raise InvalidInputError("the export ends before it starts")
        query = {"startDate": start.strftime("%Y-%m-%d"), "endDate": end.strftime("%Y-%m-%d")}
        return self._read.one(OwnpageExport, await self._caller.call(CREATE, query=query), CREATE)

    async def download(self, export: OwnpageExport, target: Target) -> Path:
        """Download an export: streamed, and under its name only when it is whole.

        Args:
            export: From `create`, at most 24 hours ago.
            target: Path of the file.

        Returns:
            The path.

        Raises:
            NotFoundError: It is not there any more, or not yet (*assumed*).

        Cost: 1 call, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #12 (vendor doc).
        """
        path = {"token": export.token, "filename": export.filename}
        (made,) = await download(self._caller, DOWNLOAD, target, path=path, name=Path(export.filename).name)
        return made
