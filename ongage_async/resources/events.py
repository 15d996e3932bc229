"""Events: messages that go out by themselves, after a mailing, by a date field, or again and again.

Source: vendor page §3.17. Not the records of `ongage_async.events`, which tell what this library does.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from ongage_async._operation import Caller, Operation, Repeat
from ongage_async.errors import InvalidInputError
from ongage_async.models import EventBase, Page, TriggerEvent
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import PAGE_SIZE, Each, Reader, paging
from ongage_async.resources._inputs import given, text
from ongage_async.resources._raw import Objects, body_of, ids

GET = Operation("events.get", "GET", "/api/events/{event_id}", Repeat.SAFE)
PAGE = Operation("events.page", "GET", "/api/events", Repeat.SAFE)
CREATE = Operation("events.create", "POST", "/api/events", Repeat.IF_UNSENT)
CREATE_ACTIVE = attrs.evolve(CREATE, repeat=Repeat.NEVER)
UPDATE = Operation("events.update", "PUT", "/api/events/{event_id}", Repeat.SAFE)
TOGGLE = Operation("events.toggle_status", "PUT", "/api/events/{event_id}/status", Repeat.NEVER)
DELETE = Operation("events.delete", "DELETE", "/api/events/{event_id}", Repeat.SAFE)

_NEEDS = {"mailing": "mailing_id", "date_field": "date_field_name"}


class Events:
    """Keep the events of a list."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def get(self, event_id: int, *, list_id: int | None = None) -> TriggerEvent:
        """Get one event.

        Raises:
            NotFoundError: There is no such event.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.17, GET /api/events/<id> (vendor doc); four of its keys are client code, the rest is
            inferred.
        """
        answer = await self._caller.call(GET, path={"event_id": event_id}, list_id=list_id)
        return self._read.one(TriggerEvent, answer, GET)

    async def page(
        self,
        *,
        name: str | None = None,
        sort: str | None = None,
        order: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        list_id: int | None = None,
    ) -> Page[TriggerEvent]:
        """Get one page of a list's events.

        Args:
            name: Name.
            sort: Column.
            order: ``ASC`` or ``DESC``.
            offset: Items to leave out at the start.
            limit: Items at most; None leaves it to the vendor.
            list_id: The list; None: this client's.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.17, GET /api/events (vendor doc); the items' shape is not shown.
        """
        query = {**given(name=name), **paging(sort, order, offset, limit)}
        answer = await self._caller.call(PAGE, query=query, list_id=list_id)
        return self._read.page(TriggerEvent, answer, PAGE, offset=offset, limit=limit)

    def each(
        self,
        *,
        page_size: int = PAGE_SIZE,
        name: str | None = None,
        sort: str | None = None,
        order: str | None = None,
        list_id: int | None = None,
    ) -> AsyncIterator[TriggerEvent]:
        """Iterate over all events of a list.

        Returns:
            An iterator that gives each event once; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.17, §1.5.
        """

        async def fetch(offset: int, limit: int) -> Page[TriggerEvent]:
            return await self.page(name=name, sort=sort, order=order, offset=offset, limit=limit, list_id=list_id)

        return Each(fetch, key=lambda item: item.id, page_size=page_size)

    async def create(
        self,
        name: str,
        *,
        status: bool,
        segments: Sequence[int] | int,
        triggers: Objects,
        distribution: Objects | None = None,
        esps: Mapping[str, Any] | None = None,
        based_on: EventBase | str | None = None,
        mailing_id: int | None = None,
        date_field_name: str | None = None,
        annually_event: bool | None = None,
        ongoing_event: bool | None = None,
        start_date: datetime | int | str | None = None,
        end_date: datetime | int | str | None = None,
        segments_excluded: Sequence[int] | int | None = None,
        description: str | None = None,
        event_type: str | None = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> TriggerEvent:
        """Create an event; with `status` true it is ACTIVE and sends by itself from then on.

        Args:
            name: Its name.
            status: Whether it is active; required, so that nobody starts one by leaving it out.
            segments: Whom it concerns.
            triggers: Objects with `email_messages`, `days_diff`, `operator` (``after``), `schedule_hour`,
                `schedule_minute` (0 to 59), and `recurrence` ``{"pattern": "daily"}`` for a recurring event; client
                code adds `based_on` and `email_operator` (``not_opened``).
            distribution: Objects with `domain`, `esp_connection_id`, `percent`; this or `esps` is required.
            esps: The same as a map; its shape is not known.
            based_on: ``mailing``, ``date_field`` or ``recurring``.
            mailing_id: Required for ``mailing``.
            date_field_name: Required for ``date_field``.
            annually_event: Whether a date comes round each year.
            ongoing_event: Whether it has no end; the two dates are required if it is false.
            start_date: An aware datetime, Unix seconds, or text as the vendor takes it.
            end_date: The same.
            segments_excluded: Whom it spares.
            description: What it is for.
            event_type: ``event_list`` (client code).
            extra: More keys, as they are.
            list_id: The list; None: this client's.

        Returns:
            The event as far as the vendor answers with it; its `id` at least.

        Raises:
            InvalidInputError: Something that `based_on`, `ongoing_event` or the distribution calls for is missing.
            DecodeError: The answer holds no id; the event was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: NEVER if it is active: two of them send everything twice; else IF_UNSENT.
        Source: vendor page §3.17, POST /api/events (vendor doc); the answer is not shown.
        """
        body = body_of(
            extra,
            name=text(name, "name"),
            status=status,
            segments=ids(segments, "segments"),
            triggers=triggers,
            distribution=distribution,
            esps=esps,
            based_on=based_on,
            mailing_id=mailing_id,
            date_field_name=date_field_name,
            annually_event=annually_event,
            ongoing_event=ongoing_event,
            start_date=start_date,
            end_date=end_date,
            segments_excluded=ids(segments_excluded, "segments_excluded"),
            description=description,
            event_type=event_type,
        )
        _check(body)
        answer = await self._caller.call(CREATE_ACTIVE if status else CREATE, body=body, list_id=list_id)
        return self._read.changed(TriggerEvent, answer, CREATE)

    async def update(
        self,
        event_id: int,
        *,
        name: str | None = None,
        description: str | None = None,
        esp_connections_quota: Any = None,
        emails_limit: int | None = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> TriggerEvent:
        """Change an event; what is left out is not sent. Which other keys may change is not known.

        Args:
            event_id: The event.
            name: Its name.
            description: What it is for.
            esp_connections_quota: As the vendor takes it; its shape is not known.
            emails_limit: Messages at most.
            extra: More keys, as they are.
            list_id: The list; None: this client's.

        Raises:
            NotFoundError: There is no such event.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §3.17, PUT /api/events/<id> (vendor doc); the keys are client code (§6.2 #8).
        """
        body = body_of(
            extra,
            name=name,
            description=description,
            esp_connections_quota=esp_connections_quota,
            emails_limit=emails_limit,
        )
        answer = await self._caller.call(UPDATE, path={"event_id": event_id}, body=body, list_id=list_id)
        return self._read.changed(TriggerEvent, answer, UPDATE, known_id=event_id)

    async def toggle_status(self, event_id: int, *, list_id: int | None = None) -> TriggerEvent:
        """Activate an event, which then SENDS by itself, or deactivate it: whichever it is not.

        `get` it first: the call does not say which way it goes.

        Returns:
            The event as far as the vendor answers with it.

        Raises:
            NotFoundError: There is no such event.

        Cost: 1 call, lane NORMAL.
        Repeat: NEVER: a second one undoes the first, or activates what was to rest.
        Source: vendor page §3.17, PUT /api/events/<id>/status (vendor doc); the empty body is client code.
        """
        answer = await self._caller.call(TOGGLE, path={"event_id": event_id}, body={}, list_id=list_id)
        return self._read.changed(TriggerEvent, answer, TOGGLE, known_id=event_id)

    async def delete(self, event_id: int, *, list_id: int | None = None) -> None:
        """Delete an event for good.

        Raises:
            NotFoundError: There is no such event; with `attempts` > 1 an earlier attempt may have deleted it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is gone after one send or two.
        Source: vendor page §3.17, DELETE /api/events/<id> (vendor doc).
        """
        await self._caller.call(DELETE, path={"event_id": event_id}, list_id=list_id)


def _check(body: Mapping[str, Any]) -> None:
    """Refuse what the vendor's page calls required and is not there."""
    if not body.get("distribution") and not body.get("esps"):
        raise InvalidInputError("an event needs a distribution, or esps")
    needed = _NEEDS.get(body.get("based_on") or "")
    if needed and body.get(needed) is None:
        raise InvalidInputError(f"an event based on {body['based_on']} needs {needed}")
    if body.get("ongoing_event") is False and not (body.get("start_date") and body.get("end_date")):
        raise InvalidInputError("an event that is not ongoing needs start_date and end_date")
    for trigger in body["triggers"]:
        minute = trigger.get("schedule_minute")
        if isinstance(minute, int) and not 0 <= minute <= 59:
            raise InvalidInputError("schedule_minute is 0 to 59")
