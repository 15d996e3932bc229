"""Contact activity reports: who was sent, opened and clicked what, and when. Source: vendor page §3.6.

What they share with searches (get, page, each, watch, wait, delete) is in `_report_jobs.py`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ongage_async._operation import Operation, Repeat
from ongage_async.models import ContactActivity, ContactResult
from ongage_async.resources._download import Target
from ongage_async.resources._report_jobs import ROWS_PER_PAGE, ReportJobs, Routes, body
from ongage_async.resources.criteria import Criteria

CREATE = Operation("contact_activity.create", "POST", "/api/contact_activity", Repeat.IF_UNSENT)
GET = Operation("contact_activity.get", "GET", "/api/contact_activity/{report_id}", Repeat.SAFE)
PAGE = Operation("contact_activity.page", "GET", "/api/contact_activity", Repeat.SAFE)
RESULT = Operation("contact_activity.rows", "GET", "/api/contact_activity/{report_id}/result", Repeat.SAFE)
EXPORT = Operation("contact_activity.download", "GET", "/api/contact_activity/{report_id}/export", Repeat.SAFE)
EXPORT_DETAILED = Operation(
    "contact_activity.download_detailed", "GET", "/api/contact_activity/{report_id}/export_detailed", Repeat.SAFE
)
DELETE = Operation("contact_activity.delete", "DELETE", "/api/contact_activity/{report_id}", Repeat.SAFE)


class ContactActivities(ReportJobs[ContactActivity]):
    """Report on what contacts did: `create`, `wait`, then `rows`, `download` or `download_detailed`."""

    __slots__ = ()

    _model = ContactActivity
    _routes = Routes(CREATE, GET, PAGE, DELETE)

    async def create(
        self,
        title: str,
        criteria: Criteria,
        *,
        selected_fields: Sequence[str] | None = None,
        from_date: datetime | int | None = None,
        to_date: datetime | int | None = None,
        user_type: str | None = None,
        include_behavior: bool | None = None,
        combined_as_and: bool | None = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> ContactActivity:
        """Start a report; it is then made at the vendor's.

        Args:
            title: Its name.
            criteria: Which contacts, by `field` and `behavior`; see `ongage_async.resources.criteria`.
            selected_fields: Columns: list fields, system fields, and ``sent``, ``opens``, ``clicks``,
                ``last_sent_date``, ``last_open_date``.
            from_date: Start of the time reported on: an aware datetime or Unix seconds.
            to_date: Its end.
            user_type: ``all``, ``active``, …: the values are other clients'.
            include_behavior: Whether sent, opens and clicks are in it.
            combined_as_and: Whether all criteria must be met; None: as `criteria` says.
            extra: More keys of the body, as they are.
            list_id: The list; None: this client's.

        Returns:
            The report as far as the vendor answers with it: its `id`, and a status of pending.

        Raises:
            InvalidInputError: The title is blank, a time has no zone, or the criteria cannot be written.
            DecodeError: The answer holds no id; the report was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two reports.
        Source: vendor page §3.6, POST /api/contact_activity (vendor doc; body: client code).
        """
        request = body(
            title,
            criteria,
            selected_fields=selected_fields,
            include_behavior=include_behavior,
            combined_as_and=combined_as_and,
            extra=extra,
            user_type=user_type,
            from_date=from_date,
            to_date=to_date,
        )
        return await self._create(request, list_id)

    def rows(
        self,
        report_id: int,
        *,
        sort: str | None = None,
        order: str | None = None,
        page_size: int = ROWS_PER_PAGE,
        list_id: int | None = None,
    ) -> AsyncIterator[ContactResult]:
        """Iterate over the rows of a completed report.

        The vendor's newest text no longer names this endpoint; where it fails use `download` (vendor page §6.1 #13).

        Args:
            report_id: The report.
            sort: Column.
            order: ``ASC`` or ``DESC``.
            page_size: Rows per call.
            list_id: The list; None: this client's.

        Returns:
            An iterator over typed rows; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.6, GET …/<id>/result (vendor doc, client code), in older versions of the page only; that
            it takes `offset` and `limit` is inferred.
        """
        return self._rows(RESULT, report_id, sort, order, page_size, list_id)

    async def download(
        self, report_id: int, path: Target, *, unzip: bool = False, list_id: int | None = None
    ) -> tuple[Path, ...]:
        """Stream the aggregated CSV of a completed report to a file, in flat memory; it is whole or not there.

        Args:
            report_id: The report; `wait` for it first.
            path: The file; with `unzip` a folder.
            unzip: Whether to unpack the file into the folder, should it be a ZIP.
            list_id: The list; None: this client's.

        Returns:
            The paths of the files that were made. They are readable by their owner only.

        Raises:
            InvalidInputError: The path cannot be used; nothing was sent.
            ValidationError: The report is not completed; assumed, the vendor does not say.
            DecodeError: The answer is no file, or its ZIP is broken.

        Cost: 1 call, lane NORMAL; its place among the parallel calls is taken until the last byte.
        Repeat: SAFE, it reads.
        Source: vendor page §3.6, GET …/<id>/export (vendor doc).
        """
        return await self._download(EXPORT, report_id, path, unzip, list_id)

    async def download_detailed(
        self, report_id: int, path: Target, *, unzip: bool = False, list_id: int | None = None
    ) -> tuple[Path, ...]:
        """Stream the combined detailed CSV of a completed report to a file; all else as for `download`.

        Cost: 1 call, lane NORMAL; its place among the parallel calls is taken until the last byte.
        Repeat: SAFE, it reads.
        Source: vendor page §3.6, GET …/<id>/export_detailed (vendor doc).
        """
        return await self._download(EXPORT_DETAILED, report_id, path, unzip, list_id)
