"""Exports: contacts of segments or mailings as a file. Source: vendor page §3.11.

An export has no status to look at: its file is asked for until it is there, which is what `download` does.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from ongage_async import _jobs
from ongage_async._operation import ListIn, Operation, Repeat
from ongage_async.config import Lane
from ongage_async.errors import DecodeError, InvalidInputError, JobTimeoutError, ValidationError
from ongage_async.models import Export, ExportDateFormat, ExportStatus
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import Reader
from ongage_async.resources._download import Streamer, Target, download
from ongage_async.resources._inputs import choice, text
from ongage_async.resources._raw import body_of, ids

CREATE = Operation("exports.create", "POST", "/api/export", Repeat.IF_UNSENT, list_in=ListIn.BODY)
RETRIEVE = Operation("exports.download", "GET", "/api/export/{export_id}/retrieve", Repeat.SAFE, Lane.BULK)

LONGEST_WAIT_S = 6 * 3600.0
"""A 412 means "not finished yet" and "invalid" alike, so waiting for an export has an end unless the caller says."""


class Exports:
    """Export contacts: `create`, then `download`."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Streamer, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def create(
        self,
        name: str,
        *,
        date_format: ExportDateFormat | str,
        status: Sequence[ExportStatus | str],
        segment_id: Sequence[int] | int | None = None,
        mailing_id: Sequence[int] | int | None = None,
        fields_selected: Sequence[str] | None = None,
        file_format: str = "csv",
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> Export:
        """Start an export; it is then made at the vendor's.

        Args:
            name: Its name.
            date_format: How dates are written: one of the vendor's eight.
            status: Which contacts; ``bounced`` and ``complaint`` for exports of segments only.
            segment_id: The segments. This or `mailing_id`, unless the list is a suppression list.
            mailing_id: The mailings.
            fields_selected: List fields, and ``ocx_contact_id``, ``ocx_created_date``, ``ocx_unsubscribe_date``;
                None: all list fields.
            file_format: ``csv``; ``xls`` is known from another client's code only.
            extra: More keys of the body, as they are.
            list_id: The list, in the body; None: this client's. The vendor requires it for a suppression list.

        Returns:
            The export as far as the vendor answers with it; its `id` at least.

        Raises:
            InvalidInputError: The name is blank, no status, an unknown one, or both segments and mailings.
            ValidationError: The vendor refused the call.
            DecodeError: The answer holds no id; the export was most likely started.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two exports.
        Source: vendor page §3.11, POST /api/export (vendor doc); that the answer holds an `id` is other clients' code.
        """
        if segment_id is not None and mailing_id is not None:
            raise InvalidInputError("export segments or mailings: give one of the two")
        if isinstance(status, str) or not status:
            raise InvalidInputError("status must be a list with at least one status")
        body = body_of(
            extra,
            name=text(name, "name"),
            date_format=choice(ExportDateFormat, date_format, "date_format").value,
            file_format=text(file_format, "file_format"),
            status=[choice(ExportStatus, each, "status").value for each in status],
            segment_id=ids(segment_id, "segment_id"),
            mailing_id=ids(mailing_id, "mailing_id"),
            fields_selected=fields_selected,
        )
        answer = await self._caller.call(CREATE, body=body, list_id=list_id)
        return self._read.changed(Export, answer, CREATE)

    async def download(
        self,
        export_id: int,
        path: Target,
        *,
        unzip: bool = False,
        timeout_s: float | None = LONGEST_WAIT_S,
        interval_s: float | None = None,
        list_id: int | None = None,
    ) -> tuple[Path, ...]:
        """Wait for an export and stream it to a file, in flat memory; the file is whole or not there.

        The vendor sends a ZIP with one CSV or more.

        Args:
            export_id: The export.
            path: The file; with `unzip` a folder.
            unzip: Whether to unpack the ZIP into the folder.
            timeout_s: Seconds at most until the file is here; None: for ever.
            interval_s: Seconds between tries; None: 2 s at first, 60 s after an hour.
            list_id: The list; None: this client's.

        Returns:
            The paths of the files that were made. They are readable by their owner only.

        Raises:
            InvalidInputError: The path cannot be used; nothing was sent.
            JobTimeoutError: `timeout_s` is over; the export goes on, and its cause is the vendor's last word.
            NotFoundError: There is no such export.
            ValidationError: The vendor says 412 and names what is wrong; without details it means "not yet".
            DecodeError: The ZIP is broken, or must not be unpacked.

        Cost: 1 call per try, lane BULK; the last one keeps its place among the parallel calls until the last byte.
        Repeat: SAFE, it reads.
        Source: vendor page §3.11, GET /api/export/<id>/retrieve (vendor doc), 412 until it is finished.
        """
        last_word: list[ValidationError] = []

        async def fetch() -> tuple[Path, ...] | DecodeError:
            try:
                return await self._retrieve(export_id, path, unzip, list_id)
            except ValidationError as refusal:
                if refusal.errors:
                    raise
                last_word[:] = [refusal]
                return ()
            except DecodeError as broken:  # a file came: asking for it again would bring the same one
                return broken

        with anyio.move_on_after(timeout_s):
            async for end in _jobs.watch(fetch, is_final=bool, name=RETRIEVE.name, interval_s=interval_s):
                if isinstance(end, DecodeError):
                    raise end
                if end:
                    return end
        raise JobTimeoutError(
            f"export {export_id} is not here after {timeout_s} s; it goes on at the vendor's",
            operation=RETRIEVE.name,
        ) from (last_word[0] if last_word else None)

    async def _retrieve(self, export_id: int, path: Target, unzip: bool, list_id: int | None) -> tuple[Path, ...]:
        return await download(
            self._caller,
            RETRIEVE,
            path,
            path={"export_id": export_id},
            name=f"export-{export_id}.csv",
            unzip=unzip,
            list_id=list_id,
        )
