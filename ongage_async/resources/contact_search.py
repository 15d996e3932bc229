"""Contact searches: which contacts meet criteria, with the fields that are asked for. Source: vendor page §3.5.

What searches share with activity reports (get, page, each, watch, wait, delete) is in `_report_jobs.py`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ongage_async._operation import Operation, Repeat
from ongage_async.models import ContactResult, ContactSearch
from ongage_async.resources._download import Target
from ongage_async.resources._report_jobs import ROWS_PER_PAGE, ReportJobs, Routes, body
from ongage_async.resources.criteria import Criteria

CREATE = Operation("contact_search.create", "POST", "/api/contact_search", Repeat.IF_UNSENT)
GET = Operation("contact_search.get", "GET", "/api/contact_search/{report_id}", Repeat.SAFE)
PAGE = Operation("contact_search.page", "GET", "/api/contact_search", Repeat.SAFE)
RESULT = Operation("contact_search.rows", "GET", "/api/contact_search/{report_id}/result", Repeat.SAFE)
EXPORT = Operation("contact_search.download", "GET", "/api/contact_search/{report_id}/export", Repeat.SAFE)
DELETE = Operation("contact_search.delete", "DELETE", "/api/contact_search/{report_id}", Repeat.SAFE)


class ContactSearches(ReportJobs[ContactSearch]):
    """Search contacts: `create`, `wait`, then `rows` or `download`."""

    __slots__ = ()

    _model = ContactSearch
    _routes = Routes(CREATE, GET, PAGE, DELETE)

    async def create(
        self,
        title: str,
        criteria: Criteria,
        *,
        user_type: str | None = None,
        selected_fields: Sequence[str] | None = None,
        include_behavior: bool | None = None,
        combined_as_and: bool | None = None,
        type: str | None = None,  # noqa: A002  # the vendor's name
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> ContactSearch:
        """Start a search; it then runs at the vendor's.

        Args:
            title: Its name.
            criteria: Which contacts; see `ongage_async.resources.criteria`.
            user_type: ``all``, ``active``, …: the values are other clients'.
            selected_fields: List fields and system fields (``ocx_contact_id``, ``ocx_status``, …) of the result.
            include_behavior: Whether sent, opens and clicks are in it.
            combined_as_and: Whether all criteria must be met; None: as `criteria` says.
            type: ``filters.type``; another client sends ``Active``.
            extra: More keys of the body, as they are.
            list_id: The list; None: this client's.

        Returns:
            The search as far as the vendor answers with it: its `id`, and a status of pending.

        Raises:
            InvalidInputError: The title is blank, or the criteria cannot be written.
            DecodeError: The answer holds no id; the search was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two searches.
        Source: vendor page §3.5, POST /api/contact_search (vendor doc; body: client code); `title` is the vendor's too.
        """
        request = body(
            title,
            criteria,
            selected_fields=selected_fields,
            include_behavior=include_behavior,
            combined_as_and=combined_as_and,
            extra=extra,
            type=type,
            user_type=user_type,
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
        """Iterate over what a completed search found.

        The vendor's newest text no longer names this endpoint; where it fails use `download` (vendor page §6.1 #13).

        Args:
            report_id: The search.
            sort: Column.
            order: ``ASC`` or ``DESC``.
            page_size: Rows per call.
            list_id: The list; None: this client's.

        Returns:
            An iterator over typed rows; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.5, GET …/<id>/result (vendor doc, client code), in older versions of the page only.
        """
        return self._rows(RESULT, report_id, sort, order, page_size, list_id)

    async def download(
        self, report_id: int, path: Target, *, unzip: bool = False, list_id: int | None = None
    ) -> tuple[Path, ...]:
        """Stream the CSV of a completed search to a file, in flat memory; it is whole or not there.

        Args:
            report_id: The search; `wait` for it first.
            path: The file; with `unzip` a folder.
            unzip: Whether to unpack the file into the folder, should it be a ZIP.
            list_id: The list; None: this client's.

        Returns:
            The paths of the files that were made. They are readable by their owner only.

        Raises:
            InvalidInputError: The path cannot be used; nothing was sent.
            ValidationError: The search is not completed; assumed, the vendor does not say.
            DecodeError: The answer is no file, or its ZIP is broken.

        Cost: 1 call, lane NORMAL; its place among the parallel calls is taken until the last byte.
        Repeat: SAFE, it reads.
        Source: vendor page §3.5, GET …/<id>/export (vendor doc).
        """
        return await self._download(EXPORT, report_id, path, unzip, list_id)
