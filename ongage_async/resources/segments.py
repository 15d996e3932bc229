"""Segments: saved questions about the contacts of a list. Source: vendor page §3.8."""

import warnings
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

from ongage_async._operation import Operation, Repeat
from ongage_async.errors import InvalidInputError
from ongage_async.models import Export, MutationResult, Page, Segment, SegmentType
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import PAGE_SIZE, Each, Reader, paging
from ongage_async.resources._download import Streamer, Target, download
from ongage_async.resources._inputs import text
from ongage_async.resources._raw import body_of
from ongage_async.resources.criteria import Criteria, render_segment

GET = Operation("segments.get", "GET", "/api/segments/{segment_id}", Repeat.SAFE)
PAGE = Operation("segments.page", "GET", "/api/segments", Repeat.SAFE)
CREATE = Operation("segments.create", "POST", "/api/segments", Repeat.IF_UNSENT)
UPDATE = Operation("segments.update", "PUT", "/api/segments/{segment_id}", Repeat.SAFE)
POPULATE_EXTERNAL = Operation(
    "segments.populate_external", "PUT", "/api/segments/{segment_id}/populate_external", Repeat.SAFE
)
DELETE = Operation("segments.delete", "DELETE", "/api/segments/{segment_id}", Repeat.SAFE)
EXPORT = Operation("segments.export", "POST", "/api/segments/export", Repeat.IF_UNSENT)
EXPORT_RETRIEVE = Operation("segments.export_retrieve", "GET", "/api/segments/{export_id}/export_retrieve", Repeat.SAFE)


class Segments:
    """Read and change the segments of a list."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Streamer, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def get(self, segment_id: int, *, list_id: int | None = None) -> Segment:
        """Get one segment with its rules.

        Raises:
            NotFoundError: There is no such segment, or the user may not see it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.8, GET /api/segments/<id> (vendor doc).
        """
        answer = await self._caller.call(GET, path={"segment_id": segment_id}, list_id=list_id)
        return self._read.one(Segment, answer, GET)

    async def page(
        self,
        *,
        sort: str | None = None,
        order: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        list_id: int | None = None,
    ) -> Page[Segment]:
        """Get one page of a list's segments, without their rules.

        Args:
            sort: Column.
            order: ``ASC`` or ``DESC``.
            offset: Items to leave out at the start.
            limit: Items at most; None leaves it to the vendor. 500 was seen in use.
            list_id: The list; None: this client's.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.8, GET /api/segments (vendor doc).
        """
        answer = await self._caller.call(PAGE, query=paging(sort, order, offset, limit), list_id=list_id)
        return self._read.page(Segment, answer, PAGE, offset=offset, limit=limit)

    def each(
        self,
        *,
        page_size: int = PAGE_SIZE,
        sort: str | None = None,
        order: str | None = None,
        list_id: int | None = None,
    ) -> AsyncIterator[Segment]:
        """Iterate over all segments of a list.

        Returns:
            An iterator that gives each segment once; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.8, §1.5.
        """

        async def fetch(offset: int, limit: int) -> Page[Segment]:
            return await self.page(sort=sort, order=order, offset=offset, limit=limit, list_id=list_id)

        return Each(fetch, key=lambda item: item.id, page_size=page_size)

    async def create(
        self,
        name: str,
        criteria: Criteria | None = None,
        *,
        type: SegmentType | str = SegmentType.ACTIVE,  # noqa: A002  # the vendor's name
        description: str | None = None,
        is_external: bool | None = None,
        external_url: str | None = None,
        is_whitelist: bool | None = None,
        favorite: bool | None = None,
        included_segment_cache: Any = None,
        excluded_segment_cache: Any = None,
        default_include_segment: Any = None,
        default_exclude_segment: Any = None,
        default_whitelist_segment: Any = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> Segment:
        """Create a segment.

        Args:
            name: Its name.
            criteria: Which contacts; see `ongage_async.resources.criteria`. None for an external segment.
            type: ``Active``; ``Test`` and ``Deleted`` are another client's.
            description: What it is for.
            is_external: Whether its contacts are given by `populate_external`, or fetched.
            external_url: Where the vendor fetches the contacts of an external segment.
            is_whitelist: Meaning and values of this and the following are not known; the names are other clients'.
            favorite: See above.
            included_segment_cache: See above.
            excluded_segment_cache: See above.
            default_include_segment: See above.
            default_exclude_segment: See above.
            default_whitelist_segment: See above.
            extra: More keys of the body, as they are.
            list_id: The list; None: this client's.

        Returns:
            The segment as far as the vendor answers with it; its `id` at least.

        Raises:
            InvalidInputError: The name is blank, or the criteria cannot be written.
            BadRequestError: The call makes no sense to the vendor.
            ValidationError: The vendor refused the data.
            DecodeError: The answer holds no id; the segment was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two segments.
        Source: vendor page §3.8, POST /api/segments (vendor doc; body: client code).
        """
        body = body_of(
            extra,
            name=text(name, "name"),
            type=type,
            criteria=None if criteria is None else render_segment(criteria),
            description=description,
            is_external=is_external,
            external_url=external_url,
            is_whitelist=is_whitelist,
            favorite=favorite,
            included_segment_cache=included_segment_cache,
            excluded_segment_cache=excluded_segment_cache,
            default_include_segment=default_include_segment,
            default_exclude_segment=default_exclude_segment,
            default_whitelist_segment=default_whitelist_segment,
        )
        answer = await self._caller.call(CREATE, body=body, list_id=list_id)
        return self._read.changed(Segment, answer, CREATE)

    async def update(
        self,
        segment_id: int,
        *,
        name: str,
        criteria: Criteria | None = None,
        type: SegmentType | str | None = None,  # noqa: A002  # the vendor's name
        description: str | None = None,
        is_external: bool | None = None,
        external_url: str | None = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> Segment:
        """Update a segment; the rules that it had are replaced, so campaigns that use it reach other people.

        Args:
            segment_id: The segment.
            name: Required by the vendor even when it stays.
            criteria: The new rules. What becomes of the old ones without any is not known: give them again.
            type: As for `create`.
            description: What it is for.
            is_external: As for `create`.
            external_url: As for `create`.
            extra: More keys of the body, as they are; see `create` for names.
            list_id: The list; None: this client's.

        Returns:
            The segment as far as the vendor answers with it; its `id` at least.

        Raises:
            InvalidInputError: The name is blank, or the criteria cannot be written.
            NotFoundError: There is no such segment, or the user may not see it.
            ValidationError: The vendor refused the data.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §3.8, PUT /api/segments/<id> (vendor doc; body: client code).
        """
        body = body_of(
            extra,
            name=text(name, "name"),
            type=type,
            criteria=None if criteria is None else render_segment(criteria),
            description=description,
            is_external=is_external,
            external_url=external_url,
        )
        answer = await self._caller.call(UPDATE, path={"segment_id": segment_id}, body=body, list_id=list_id)
        return self._read.changed(Segment, answer, UPDATE, known_id=segment_id)

    async def populate_external(
        self, segment_id: int, recipients: Iterable[Mapping[str, Any]], *, list_id: int | None = None
    ) -> MutationResult:
        """Give an external segment its contacts; whether those it had are replaced is not known.

        Args:
            segment_id: A segment with `is_external`.
            recipients: Mappings with `email` and values of list fields; 33 MB in one call, by another client's code.
            list_id: The list; None: this client's.

        Returns:
            The counters as far as the vendor gives them; the answer's shape is not documented.

        Raises:
            InvalidInputError: No recipients, or one without an address.
            ValidationError: The segment is not external, or the vendor refused the data.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: the same contacts are in it after one send or two.
        Source: vendor page §3.8, PUT /api/segments/<id>/populate_external (vendor doc; body: client code).
        """
        rows = [dict(recipient) for recipient in recipients]
        if not rows:
            raise InvalidInputError("no recipients: give at least one")
        for number, row in enumerate(rows, 1):
            text(row.get("email"), f"the email of recipient {number}")
        answer = await self._caller.call(
            POPULATE_EXTERNAL, path={"segment_id": segment_id}, body={"recipients": rows}, list_id=list_id
        )
        return self._read.mutation(answer, POPULATE_EXTERNAL)

    async def delete(self, segment_id: int, *, list_id: int | None = None) -> None:
        """Delete a segment for good, and unschedule every campaign that uses it.

        Raises:
            NotFoundError: There is no such segment; with `attempts` > 1 an earlier attempt may have deleted it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is gone after one send or two.
        Source: vendor page §3.8, DELETE /api/segments/<id> (vendor doc); the campaigns are another client's word.
        """
        await self._caller.call(DELETE, path={"segment_id": segment_id}, list_id=list_id)

    async def export(self, name: str, *, extra: Mapping[str, Any], list_id: int | None = None) -> Export:
        """Start an export by the deprecated endpoint; use `exports.create`.

        Args:
            name: Its name.
            extra: The other keys: as for `exports.create`, and ``type: "behavior"`` in another client's code.
            list_id: The list; None: this client's.

        Returns:
            The export as far as the vendor answers with it; its `id` at least.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two exports.
        Source: vendor page §3.8 and §3.11, POST /api/segments/export (vendor doc), deprecated.
        """
        warnings.warn("segments.export is deprecated by the vendor: use exports.create", DeprecationWarning, 2)
        answer = await self._caller.call(EXPORT, body=body_of(extra, name=text(name, "name")), list_id=list_id)
        return self._read.changed(Export, answer, EXPORT)

    async def export_retrieve(
        self, export_id: int, path: Target, *, unzip: bool = False, list_id: int | None = None
    ) -> tuple[Path, ...]:
        """Stream an export's file by the deprecated endpoint; use `exports.download`, which also waits for it.

        Args:
            export_id: The export.
            path: The file; with `unzip` a folder.
            unzip: Whether to unpack the ZIP into the folder.
            list_id: The list; None: this client's.

        Returns:
            The paths of the files that were made.

        Raises:
            ValidationError: It is not finished yet.
            DecodeError: The answer is no file, or its ZIP is broken.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.8 and §3.11, GET /api/segments/<export id>/export_retrieve (vendor doc), deprecated.
        """
        warnings.warn(
            "segments.export_retrieve is deprecated by the vendor: use exports.download", DeprecationWarning, 2
        )
        return await download(
            self._caller,
            EXPORT_RETRIEVE,
            path,
            path={"export_id": export_id},
            name=f"export-{export_id}.csv",
            unzip=unzip,
            list_id=list_id,
        )
