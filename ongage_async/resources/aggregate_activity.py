"""Custom aggregate activity reports: what all contacts together did. Source: vendor page §3.7.

What they share with searches (get, page, each, watch, wait, delete) is in `_report_jobs.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ongage_async._operation import Operation, Repeat
from ongage_async.models import AggregateActivity
from ongage_async.resources._download import Target
from ongage_async.resources._report_jobs import ReportJobs, Routes, body
from ongage_async.resources.criteria import Criteria

CREATE = Operation("aggregate_activity.create", "POST", "/api/aggregate_activity", Repeat.IF_UNSENT)
GET = Operation("aggregate_activity.get", "GET", "/api/aggregate_activity/{report_id}", Repeat.SAFE)
PAGE = Operation("aggregate_activity.page", "GET", "/api/aggregate_activity", Repeat.SAFE)
EXPORT = Operation("aggregate_activity.download", "GET", "/api/aggregate_activity/{report_id}/export", Repeat.SAFE)
DELETE = Operation("aggregate_activity.delete", "DELETE", "/api/aggregate_activity/{report_id}", Repeat.SAFE)


class AggregateActivities(ReportJobs[AggregateActivity]):
    """Report on what all contacts did: `create`, `wait`, then `download`; the vendor has no rows as JSON here."""

    __slots__ = ()

    _model = AggregateActivity
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
    ) -> AggregateActivity:
        """Start a report; it is then made at the vendor's.

        Args:
            title: Its name.
            criteria: Which contacts; see `ongage_async.resources.criteria`.
            selected_fields: Columns.
            from_date: Start of the time reported on: an aware datetime or Unix seconds.
            to_date: Its end.
            user_type: ``all``, ``active``, …: the values are other clients'.
            include_behavior: As for contact activity.
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
        Source: vendor page §3.7, POST /api/aggregate_activity (vendor doc; body: client code): it is that of contact
            activity.
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

    async def download(
        self, report_id: int, path: Target, *, unzip: bool = False, list_id: int | None = None
    ) -> tuple[Path, ...]:
        """Stream the CSV of a completed report to a file, in flat memory; it is whole or not there.

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
        Source: vendor page §3.7, GET …/<id>/export (vendor doc).
        """
        return await self._download(EXPORT, report_id, path, unzip, list_id)
