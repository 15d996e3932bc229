"""Imports: the vendor fetches a file and works through it. Source: vendor page §4.

Here are the calls and the waiting for their end. Getting rows to where the vendor can fetch them, and resuming after a
crash, is `_loads.py` and `bulk/`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import anyio
import attrs

from ongage_async import _jobs, _wire
from ongage_async._operation import Answer, Caller, Operation, Repeat
from ongage_async._together import Group, Groups
from ongage_async.config import Lane
from ongage_async.errors import ImportFailedError, InvalidInputError, JobTimeoutError, mask, mask_deep
from ongage_async.models import Import, ImportAction, Page
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import PAGE_SIZE, Each, Reader, paging
from ongage_async.resources._inputs import MOST_ROWS, choice, given, text
from ongage_async.resources._loads import Loads

CREATE = Operation("imports.create", "POST", "/api/import", Repeat.IF_UNSENT)
CREATE_AND_WELCOME = attrs.evolve(CREATE, repeat=Repeat.NEVER)
GET = Operation("imports.get", "GET", "/api/import/{import_id}", Repeat.SAFE)
POLL = attrs.evolve(GET, lane=Lane.BULK)
PAGE = Operation("imports.page", "GET", "/api/import", Repeat.SAFE)
POLL_PAGE = attrs.evolve(PAGE, lane=Lane.BULK)

_DELIMITERS = {",": ",", "|": "|", ";": ";", "\t": "t", "t": "t"}


class Imports(Loads):
    """Start imports and follow them.

    Args:
        caller: The engine.
        on_drift: Told what the models do not know.
        group_of: From a list to those who watch imports of it in the same way.
    """

    __slots__ = ("_caller", "_group_of", "_read")

    def __init__(
        self,
        caller: Caller,
        on_drift: OnDrift | None = None,
        group_of: Callable[[int | None], Group[Import]] | None = None,
    ) -> None:
        self._caller = caller
        self._read = Reader(on_drift)
        self._group_of = group_of or Groups[Import]().of

    async def create(
        self,
        file_url: str,
        import_action: ImportAction | str = ImportAction.ADD,
        *,
        csv_delimiter: str = ",",
        encoding: str = "UTF-8",
        overwrite: bool = False,
        ignore_empty: bool = False,
        overwrite_only_nulls: bool = False,
        send_welcome_message: bool = False,
        fields: Mapping[str, Any] | None = None,
        import_type: str | None = None,
        list_id: int | None = None,
    ) -> Import:
        """Start an import: it runs at the vendor's, cannot be stopped from here, and what it changes cannot be undone.

        Args:
            file_url: Where the vendor fetches a CSV or TXT file, or a ZIP with exactly one of these.
            import_action: What to do with each address: add, remove (hard delete), unsubscribe, resubscribe, bounce,
                complaint.
            csv_delimiter: Comma, ``|``, ``;`` or tab. Tab is sent as the letter ``t``, as the vendor writes it; whether
                the tab itself is taken is not known (vendor page §6.1 #11).
            encoding: Of the file.
            overwrite: Whether contacts that exist are changed.
            ignore_empty: Whether empty values leave what is there.
            overwrite_only_nulls: Whether only empty fields are filled.
            send_welcome_message: Whether new contacts get the list's welcome message.
            fields: Column map keyed by field, ``{"email": {"name": "email", "type": "email"}}``; None: all fields.
            import_type: ``sending`` (the vendor's default) or ``suppression``; known from other clients' code only.
            list_id: The list; None: this client's.

        Returns:
            The import as far as the vendor answers with it; its `id` at least.

        Raises:
            InvalidInputError: The URL is no http(s) URL, or an action or delimiter is unknown.
            ServerError: Status 500 is also what the vendor says of data it refuses.
            DecodeError: The answer holds no id; look for the file's name in `page` before starting it again.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice imports the file twice. NEVER with `send_welcome_message`: that reaches people.
        Source: vendor page §4.2 (seed, vendor doc); the answer's shape is not known (§6.2 #1).
        """
        body = {
            "file_url": _checked_url(file_url),
            "import_action": choice(ImportAction, import_action, "import_action").value,
            "csv_delimiter": _delimiter(csv_delimiter),
            "encoding": text(encoding, "encoding"),
            "overwrite": overwrite,
            "ignore_empty": ignore_empty,
            "overwrite_only_nulls": overwrite_only_nulls,
            "send_welcome_message": send_welcome_message,
            **given(fields=fields if fields is None else dict(fields), import_type=import_type),
        }
        operation = CREATE_AND_WELCOME if send_welcome_message else CREATE
        answer = await self._caller.call(operation, body=body, list_id=list_id)
        _refuse_if_code(answer)
        return self._read.changed(Import, answer, CREATE)

    async def get(self, import_id: int, *, list_id: int | None = None) -> Import:
        """Get one import as it is now.

        Raises:
            NotFoundError: There is no such import, or the user may not see it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §4.1, §4.4 (seed, vendor doc).
        """
        return await self._get(GET, import_id, list_id)

    async def page(
        self,
        *,
        sort: str | None = None,
        order: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        list_id: int | None = None,
    ) -> Page[Import]:
        """Get one page of a list's imports.

        Args:
            sort: Column.
            order: ``ASC`` or ``DESC``.
            offset: Items to leave out at the start.
            limit: Items at most; None leaves it to the vendor. 500 was seen in use.
            list_id: The list; None: this client's.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §4.1 (seed, vendor doc); one object in place of an array is taken as one item (§6.1 #6).
        """
        answer = await self._caller.call(PAGE, query=paging(sort, order, offset, limit), list_id=list_id)
        return self._read.page(Import, answer, PAGE, offset=offset, limit=limit)

    def each(
        self,
        *,
        page_size: int = PAGE_SIZE,
        sort: str | None = None,
        order: str | None = None,
        list_id: int | None = None,
    ) -> AsyncIterator[Import]:
        """Iterate over all imports of a list.

        Returns:
            An iterator that gives each import once; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §4.1, §1.5.
        """

        async def fetch(offset: int, limit: int) -> Page[Import]:
            return await self.page(sort=sort, order=order, offset=offset, limit=limit, list_id=list_id)

        return Each(fetch, key=lambda item: item.id, page_size=page_size)

    def watch(
        self, import_id: int, *, interval_s: float | None = None, just_created: bool = False, list_id: int | None = None
    ) -> AsyncIterator[Import]:
        """Follow an import: a snapshot at once, one at every change, and an end after the first final one.

        A failed import is an end like any other (`wait` raises). Unknown statuses and ``40004`` on either side of
        ``40003`` are survived, and so are up to two hours of lost connections, 5xx and 429.

        Args:
            import_id: The import.
            interval_s: Seconds between polls; None: 2 s at first, 60 s after an hour.
            just_created: Whether a 404 in the first 60 s may mean "not yet there".
            list_id: The list; None: this client's.

        Raises:
            NotFoundError: While iterating: there is no such import, or it vanished.

        Cost: 1 call per poll, lane BULK. Imports of one list that are watched at the same time, by views of one client
            with the same options, share 1 call per poll.
        Repeat: SAFE, it reads.
        Source: vendor page §4.3.
        """
        group, who = self._group_of(list_id), object()

        async def alone() -> Import:
            return await self._get(POLL, import_id, list_id)

        async def page(jobs: int) -> Mapping[int, Import]:
            query = paging("id", "DESC", 0, min(max(2 * jobs, 2 * PAGE_SIZE), MOST_ROWS))
            answer = await self._caller.call(POLL_PAGE, query=query, list_id=list_id)
            found = self._read.page(Import, answer, POLL_PAGE, offset=0, limit=None)
            return {item.id: item for item in found}

        def is_final(snapshot: Import) -> bool:
            if snapshot.is_final:
                group.leave(who)
            return snapshot.is_final

        return _jobs.watch(
            alone,
            is_final=is_final,
            name=POLL.name,
            interval_s=interval_s,
            known=just_created,
            describe=_in_words,
            same=_same,
            together=partial(group.look, who, import_id, page),
        )

    async def wait(
        self,
        import_id: int,
        *,
        timeout_s: float | None = None,
        interval_s: float | None = None,
        just_created: bool = False,
        list_id: int | None = None,
    ) -> Import:
        """Wait for the end of an import.

        Args:
            import_id: The import.
            timeout_s: Seconds to wait at most; None: for ever.
            interval_s: As for `watch`.
            just_created: As for `watch`.
            list_id: The list; None: this client's.

        Returns:
            The completed import, with its counts.

        Raises:
            ImportFailedError: It ended with a status ≥ 90000; `job` is the last snapshot.
            JobTimeoutError: `timeout_s` is over; the import goes on, and `job` is the last snapshot.
            NotFoundError: There is no such import, or it vanished.

        Cost: 1 call per poll, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §4.3.
        """
        last: Import | None = None
        with anyio.move_on_after(timeout_s):
            async for seen in self.watch(import_id, interval_s=interval_s, just_created=just_created, list_id=list_id):
                last = seen
        if last is None or not last.is_final:
            words = _in_words(last) if last else "nothing yet"
            raise JobTimeoutError(
                f"import {import_id} has not ended after {timeout_s} s; last seen: {words}. It goes on at the vendor's",
                job=last and _without_secrets(last),
                operation="imports.wait",
            )
        return _completed(last)

    async def _get(self, operation: Operation, import_id: int, list_id: int | None) -> Import:
        answer = await self._caller.call(operation, path={"import_id": import_id}, list_id=list_id)
        return self._read.one(Import, _lone(answer), operation)


def _completed(job: Import) -> Import:
    if not job.is_failed:
        return job
    raise ImportFailedError(
        f"import {job.id} failed: {_in_words(job)}",
        status=int(job.status or 0),
        job=_without_secrets(job),
        operation="imports.wait",
    )


def _in_words(job: Import) -> str:
    """Say how far an import is, in words that may stand in a log."""
    number = "no status" if job.status is None else f"status {int(job.status)}"
    words = [job.status_desc, job.status_info]
    return mask(": ".join([number, *(word for word in words if word)]))


def _same(before: Import, after: Import) -> bool:
    """Tell whether two snapshots say the same; of different shapes, only what both have is compared.

    A single answer and the collection differ in their keys and in `type`, whatever the import does (vendor page §4.4).
    """
    if before.type == after.type:
        return before == after
    pairs = [(getattr(before, name), getattr(after, name)) for name in _COMPARED]
    return all(one == other for one, other in pairs if one is not None and other is not None)


def _without_secrets(job: Import) -> Import:
    """Return the import with URLs' queries and addresses masked: errors are pickled, and a presigned URL is a key."""
    texts: dict[str, Any] = {name: mask(text) for name in _TEXTS if (text := getattr(job, name))}
    return attrs.evolve(job, **texts, extra=mask_deep(job.extra))


_COMPARED = tuple(item.name for item in attrs.fields(Import) if item.name not in ("type", "extra"))
_TEXTS = ("name", "status_desc", "status_info", "file", "file_url")


def _lone(answer: Answer) -> Answer:
    """Take the one object out of an array: assumed, as the vendor mixes the two up elsewhere (vendor page §6.1 #6)."""
    match answer.payload:
        case [only]:
            return attrs.evolve(answer, payload=only)
        case _:
            return answer


def _refuse_if_code(answer: Answer) -> None:
    """Raise if the payload is an error in the clothes of a success (vendor page §4.1: a `code` key means failure)."""
    payload = answer.payload
    if isinstance(payload, dict) and "code" in payload and payload.get("id") in (None, ""):
        raise _wire.refusal(CREATE, answer.status, {}, {"payload": payload})


def _checked_url(file_url: str) -> str:
    """Return the URL, or refuse it without showing it."""
    try:
        parts = urlsplit(text(file_url, "file_url").strip())
    except ValueError:
        parts = urlsplit("")
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise InvalidInputError("file_url must be a full http or https URL that the vendor's servers can fetch")
    return file_url.strip()


def _delimiter(csv_delimiter: str) -> str:
    try:
        return _DELIMITERS[csv_delimiter]
    except KeyError:
        raise InvalidInputError("csv_delimiter must be a comma, a pipe, a semicolon or a tab") from None
