"""Mailings: campaigns that go to segments of a list, now or at a time. Source: vendor page §3.12.

Here is what makes, finds and follows them; what starts and stops them is `_mailing_control.py`, and `Mailings` has it
all.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

import anyio
import attrs

from ongage_async import _jobs
from ongage_async._operation import Operation, Repeat
from ongage_async.config import Lane
from ongage_async.errors import InvalidInputError, JobError, JobTimeoutError, mask, mask_deep
from ongage_async.models import Mailing, MailingType, Page, SplitType
from ongage_async.resources._answers import PAGE_SIZE, Each, paging
from ongage_async.resources._inputs import given, text, unix_s
from ongage_async.resources._mailing_control import MailingControl
from ongage_async.resources._raw import Objects, body_of, ids

GET = Operation("mailings.get", "GET", "/api/mailings/{mailing_id}", Repeat.SAFE)
POLL = attrs.evolve(GET, lane=Lane.BULK)
PAGE = Operation("mailings.page", "GET", "/api/mailings", Repeat.SAFE)
CREATE = Operation("mailings.create", "POST", "/api/mailings", Repeat.NEVER)
UPDATE = Operation("mailings.update", "PUT", "/api/mailings/{mailing_id}", Repeat.NEVER)
RESCHEDULE = attrs.evolve(UPDATE, repeat=Repeat.IF_UNSENT)

Launch = datetime | Literal["now"]
"""When a mailing goes out: an aware datetime, or ``"now"``."""


class MailingFilters(TypedDict, total=False):
    """Name what `Mailings.each` passes to `Mailings.page`."""

    date_from: datetime | int
    date_to: datetime | int
    mailing_name: str
    email_name: str
    is_test: bool
    mailing_type: MailingType | str
    sort: str
    order: str
    list_id: int | None


class MailingOptions(TypedDict, total=False):
    """Name the settings of a mailing that `create` and `update` share.

    Attributes:
        description: What it is for; required by one client of 2014.
        segments_excluded: Segments to spare (client code).
        distribution: Objects with `esp_connection_id`, `percent`, `domain`; who splits by domain needs an entry whose
            `domain` is ``default``.
        emails_limit: Messages at most (client code).
        tracking_domain: For links (inferred).
        image_domain: For images (inferred).
        is_test: Whether it is a test; it then goes to `recipients`.
        recipients: Addresses of a test (client code).
        keep_segment_sort: Whether it goes out in the segment's order; needs `emails_limit_global_active`.
        emails_limit_global_active: Whether the limit holds over all segments.
        send_by_timezone: Object with `ip`, `timezone`, `zipcode`, `airport`.
        pre_process: Whether it is prepared an hour early; then it cannot be changed (client code).
        type: ``campaign`` or ``split`` (client code of 2014, like the next five).
        split_type: ``email``, ``segment``, ``esp`` or ``subject``.
        subjects: Of a split by subject.
        favorite: Whether it is marked.
        use_default_esp: Whether the list's own connection sends it.
        extra: More keys, as they are.
    """

    description: str
    segments_excluded: Sequence[int]
    distribution: Objects
    emails_limit: int
    tracking_domain: str
    image_domain: str
    is_test: bool
    recipients: Sequence[str]
    keep_segment_sort: bool
    emails_limit_global_active: bool
    send_by_timezone: Mapping[str, Any]
    pre_process: bool
    type: MailingType | str
    split_type: SplitType | str
    subjects: Sequence[str]
    favorite: bool
    use_default_esp: bool
    extra: Mapping[str, Any]


class Mailings(MailingControl):
    """Make, launch, stop and follow mailings."""

    __slots__ = ()

    async def get(self, mailing_id: int, *, list_id: int | None = None) -> Mailing:
        """Get one mailing as it is now.

        Raises:
            NotFoundError: There is no such mailing, or the user may not see it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.12, GET /api/mailings/<id> (vendor doc).
        """
        return await self._get(GET, mailing_id, list_id)

    async def page(
        self,
        *,
        date_from: datetime | int | None = None,
        date_to: datetime | int | None = None,
        mailing_name: str | None = None,
        email_name: str | None = None,
        is_test: bool | None = None,
        mailing_type: MailingType | str | None = None,
        sort: str | None = None,
        order: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        list_id: int | None = None,
    ) -> Page[Mailing]:
        """Get one page of a list's mailings; their objects have other keys than `get` gives.

        Args:
            date_from: An aware datetime, or Unix seconds (client code).
            date_to: The same.
            mailing_name: Name of the mailing.
            email_name: Name of its message.
            is_test: Tests, or the others (client code).
            mailing_type: Such as ``transactional``.
            sort: Column.
            order: ``ASC`` or ``DESC``.
            offset: Items to leave out at the start.
            limit: Items at most; None leaves it to the vendor. 1000 was seen in use.
            list_id: The list; None: this client's.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.12, GET /api/mailings (vendor doc).
        """
        filters = given(
            date_from=date_from,
            date_to=date_to,
            mailing_name=mailing_name,
            email_name=email_name,
            is_test=is_test,
            mailing_type=mailing_type,
        )
        query = {**filters, **paging(sort, order, offset, limit)}
        answer = await self._caller.call(PAGE, query=query, list_id=list_id)
        return self._read.page(Mailing, answer, PAGE, offset=offset, limit=limit)

    def each(self, *, page_size: int = PAGE_SIZE, **filters: Unpack[MailingFilters]) -> AsyncIterator[Mailing]:
        """Iterate over all mailings of a list.

        Args:
            page_size: Items per call.
            filters: As for `page`.

        Returns:
            An iterator that gives each mailing once; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.12, §1.5.
        """

        async def fetch(offset: int, limit: int) -> Page[Mailing]:
            return await self.page(offset=offset, limit=limit, **filters)

        return Each(fetch, key=lambda item: item.id, page_size=page_size)

    async def create(
        self,
        name: str,
        *,
        launch: Launch,
        email_message: Sequence[int] | int,
        segments: Sequence[int] | int | None = None,
        list_id: int | None = None,
        **options: Unpack[MailingOptions],
    ) -> Mailing:
        """Create a mailing that SENDS ITSELF: at once with ``launch="now"``, else at the time that `launch` says.

        The vendor has no drafts here: a mailing without a date launches when it is made, and what is sent cannot be
        called back. So the launch must be said by name.

        Args:
            name: Its name.
            launch: ``"now"``, or an aware datetime.
            email_message: Messages by id; several for a split.
            segments: Segments by id; a test may have none.
            list_id: The list; None: this client's.
            options: See `MailingOptions`.

        Returns:
            The mailing as far as the vendor answers with it; its `id` at least.

        Raises:
            InvalidInputError: `launch` is neither, or the distribution names domains but no ``default``.
            BadRequestError: The vendor refused the data.
            NotFoundError: A message, segment or connection does not exist.
            DecodeError: The answer holds no id; it was most likely made, and may be on its way.

        Cost: 1 call, lane NORMAL.
        Repeat: NEVER: twice sends everything twice.
        Source: vendor page §3.12, POST /api/mailings (vendor doc; body: client code); the answer's shape is not known.
        """
        body = _body(launch, options, name=text(name, "name"), email_message=email_message, segments=segments)
        answer = await self._caller.call(CREATE, body=body, list_id=list_id)
        return self._read.changed(Mailing, answer, CREATE)

    async def update(
        self,
        mailing_id: int,
        *,
        name: str,
        launch: Launch,
        email_message: Sequence[int] | int | None = None,
        segments: Sequence[int] | int | None = None,
        list_id: int | None = None,
        **options: Unpack[MailingOptions],
    ) -> Mailing:
        """Change a mailing, and LAUNCH it or set its time: say `launch` as for `create`.

        To keep its time, give the same one again. ``"now"`` leaves the date out: a new mailing then launches at once,
        and whether a changed one does is not known, so it is taken to.

        Args:
            mailing_id: The mailing.
            name: Required by the vendor even when it stays.
            launch: ``"now"``, or an aware datetime.
            email_message: Messages by id.
            segments: Segments by id.
            list_id: The list; None: this client's.
            options: See `MailingOptions`.

        Returns:
            The mailing as far as the vendor answers with it; its `id` at least.

        Raises:
            InvalidInputError: As for `create`.
            NotFoundError: There is no such mailing.

        Cost: 1 call, lane NORMAL.
        Repeat: NEVER with ``"now"``; else IF_UNSENT: a late repeat would meet a mailing that is already going out.
        Source: vendor page §3.12, PUT /api/mailings/<id> (vendor doc; body: client code).
        """
        body = _body(launch, options, name=text(name, "name"), email_message=email_message, segments=segments)
        operation = UPDATE if launch == "now" else RESCHEDULE
        answer = await self._caller.call(operation, path={"mailing_id": mailing_id}, body=body, list_id=list_id)
        return self._read.changed(Mailing, answer, UPDATE, known_id=mailing_id)

    def watch(
        self,
        mailing_id: int,
        *,
        interval_s: float | None = None,
        just_created: bool = False,
        list_id: int | None = None,
    ) -> AsyncIterator[Mailing]:
        """Follow a mailing: a snapshot at once, one at every change, and an end after the first final one.

        Final are completed (with errors or without), error, cancelled, deleted and stopped; a mailing on hold is
        followed further, and so is one whose status is not known. For one that is scheduled far ahead give a long
        `interval_s`.

        Args:
            mailing_id: The mailing.
            interval_s: Seconds between polls; None: 2 s at first, 60 s after an hour.
            just_created: Whether a 404 in the first 60 s may mean "not yet there".
            list_id: The list; None: this client's.

        Raises:
            NotFoundError: While iterating: there is no such mailing, or it vanished.

        Cost: 1 call per poll, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §3.12, status codes.
        """

        async def fetch() -> Mailing:
            return await self._get(POLL, mailing_id, list_id)

        return _jobs.watch(
            fetch,
            is_final=lambda snapshot: snapshot.is_final,
            name=POLL.name,
            interval_s=interval_s,
            known=just_created,
            describe=_in_words,
        )

    async def wait(
        self,
        mailing_id: int,
        *,
        timeout_s: float | None = None,
        interval_s: float | None = None,
        just_created: bool = False,
        list_id: int | None = None,
    ) -> Mailing:
        """Wait for the end of a mailing.

        Args:
            mailing_id: The mailing.
            timeout_s: Seconds to wait at most; None: for ever.
            interval_s: As for `watch`.
            just_created: As for `watch`.
            list_id: The list; None: this client's.

        Returns:
            The last snapshot: completed, completed with errors, cancelled, deleted or stopped; see its `status`.

        Raises:
            JobError: It ended with ERROR; `job` is the last snapshot.
            JobTimeoutError: `timeout_s` is over; the mailing goes on, and `job` is the last snapshot.
            NotFoundError: There is no such mailing, or it vanished.

        Cost: 1 call per poll, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §3.12, status codes.
        """
        last: Mailing | None = None
        with anyio.move_on_after(timeout_s):
            async for seen in self.watch(mailing_id, interval_s=interval_s, just_created=just_created, list_id=list_id):
                last = seen
        words = _in_words(last) if last else "nothing yet"
        if last is None or not last.is_final:
            raise JobTimeoutError(
                f"mailing {mailing_id} has not ended after {timeout_s} s; last seen: {words}. It goes on there",
                job=last and _masked(last),
                operation="mailings.wait",
            )
        if last.is_failed:
            raise JobError(f"mailing {mailing_id} failed: {words}", job=_masked(last), operation="mailings.wait")
        return last

    async def _get(self, operation: Operation, mailing_id: int, list_id: int | None) -> Mailing:
        answer = await self._caller.call(operation, path={"mailing_id": mailing_id}, list_id=list_id)
        return self._read.one(Mailing, answer, operation)


def _body(launch: Launch, options: MailingOptions, **known: Any) -> dict[str, Any]:
    schedule_date = _schedule(launch)
    chosen: dict[str, Any] = dict(options)
    extra = chosen.pop("extra", None)
    if schedule_date is None and "schedule_date" in (extra or {}):
        raise InvalidInputError('schedule_date belongs in launch=, which says "now"')
    for name in ("email_message", "segments"):
        known[name] = ids(known[name], name)
    known["segments_excluded"] = ids(chosen.pop("segments_excluded", None), "segments_excluded")
    _check_distribution(chosen.get("distribution"))
    return body_of(extra, schedule_date=schedule_date, **known, **chosen)


def _schedule(launch: Any) -> int | None:
    if launch == "now":
        return None
    if isinstance(launch, datetime):
        return unix_s(launch, "launch")
    raise InvalidInputError('say when it goes out: launch="now", or an aware datetime')


def _check_distribution(distribution: Objects | None) -> None:
    """Refuse a split by domain that has no share for all other domains (vendor page §3.12)."""
    domains = [each.get("domain") for each in distribution or () if each.get("domain")]
    if domains and "default" not in domains:
        raise InvalidInputError('a distribution by domain needs an entry with the domain "default"')


def _in_words(mailing: Mailing) -> str:
    """Say how far a mailing is, in words that may stand in a log."""
    number = "no status" if mailing.status is None else f"status {int(mailing.status)}"
    return mask(": ".join(filter(None, [number, mailing.status_desc])))


def _masked(mailing: Mailing) -> Mailing:
    """Return the mailing with addresses masked: errors are pickled."""
    texts: dict[str, Any] = {name: mask(value) for name in _TEXTS if (value := getattr(mailing, name))}
    return attrs.evolve(mailing, **texts, extra=mask_deep(mailing.extra))


_TEXTS = ("name", "status_desc", "description", "comment", "cannot_resume_reason")
