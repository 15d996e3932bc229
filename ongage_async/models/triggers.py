"""Events: messages that go out by themselves when something happens. Source: vendor page §3.17.

Not the records of `ongage_async.events`, which tell what this library does.
"""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ongage_async.models import _shape
from ongage_async.models._enums import OpenStrEnum


class EventBase(OpenStrEnum):
    """Say what an event waits for."""

    MAILING = "mailing"
    DATE_FIELD = "date_field"
    RECURRING = "recurring"


@attrs.frozen(kw_only=True, slots=False)
class TriggerEvent:
    """Hold an event with its triggers; the vendor shows no sample of it.

    Attributes:
        status: As it comes: a flag in what is sent, a number in what one client reads.
        triggers: As they come.
    """

    id: int
    name: str | None = _shape.wire()
    description: str | None = _shape.quiet()
    based_on: EventBase | None = _shape.wire()
    event_type: str | None = _shape.quiet()
    status: str | None = _shape.wire()
    status_desc: str | None = _shape.wire()
    status_date: datetime | None = _shape.quiet()
    time_to_send_config: Any = _shape.quiet()
    mailing_id: int | None = _shape.wire()
    date_field_name: str | None = _shape.wire()
    annually_event: bool | None = _shape.quiet()
    ongoing_event: bool | None = _shape.quiet()
    start_date: datetime | None = _shape.quiet()
    end_date: datetime | None = _shape.quiet()
    segments: Any = _shape.quiet()
    segments_excluded: Any = _shape.quiet()
    distribution: Any = _shape.quiet()
    triggers: Any = _shape.quiet()
    list_id: int | None = _shape.wire()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()
