"""Ownpage's nouns: lists, subscribers, counts, files, events, exports, templates. Source: vendor page §5.

Ground: no I/O. `ongage_async.ownpage` makes them and takes them; names that both vendors have begin with ``Ownpage``.
"""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

import enum
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

import attrs

from ongage_async.errors import InvalidInputError
from ongage_async.models import _shape
from ongage_async.models._enums import OpenStrEnum

__all__ = [
    "EventKind",
    "NewSubscriber",
    "OwnpageEvent",
    "OwnpageExport",
    "OwnpageFile",
    "OwnpageFileStatus",
    "OwnpageList",
    "OwnpageTemplate",
    "SentEmail",
    "Subscriber",
    "SubscriberCounts",
    "SubscriberRow",
    "SubscriberStatus",
    "SubscribersResult",
    "Success",
    "UnsubscribedCause",
]

DATA = "data_"
"""Prefix of a subscriber's own attributes on the wire; in Python they are in `data`, without it."""

_FIRST_NUMBER = re.compile(r"\d+")


class SubscriberStatus(enum.StrEnum):
    """Choose subscribers by whether they are subscribed."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    ALL = "all"


class UnsubscribedCause(OpenStrEnum):
    """Say who ended a subscription; only the first two can be sent."""

    READER = "READER"
    PUBLISHER = "PUBLISHER"
    HARD_BOUNCE = "HARD_BOUNCE"
    MULTIPLE_BOUNCES = "MULTIPLE_BOUNCES"


class OwnpageFileStatus(OpenStrEnum):
    """Say how far the import of a file is. Only this value is known (vendor page §5, unknown)."""

    UPLOADED = "uploaded"


class EventKind(enum.StrEnum):
    """Name the kinds of newsletter events."""

    CLICK = "nl_click"
    DISPLAY = "nl_display"
    SEND = "nl_send"
    SUBSCRIBE = "nl_subscribe"
    UNSUBSCRIBE = "nl_unsubscribe"
    BOUNCE = "nl_bounce"
    COMPLAINT = "nl_complaint"


@attrs.frozen(kw_only=True, slots=False)
class OwnpageList:
    """Hold one subscriber list."""

    id: int
    name: str | None = _shape.wire()
    created_at: datetime | None = _shape.wire()
    updated_at: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class OwnpageTemplate:
    """Hold one template of transactional emails."""

    id: int
    name: str | None = _shape.wire()
    created_at: datetime | None = _shape.wire()
    updated_at: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class SubscriberCounts:
    """Hold how many subscribers a list has.

    Attributes:
        causes: Cause → how many unsubscribed for it.
    """

    subscribed: int | None = _shape.wire()
    unsubscribed: int | None = _shape.wire()
    causes: Mapping[str, Any] | None = _shape.quiet("cause")
    extra: Mapping[str, Any] = _shape.extra()

    @property
    def total(self) -> int | None:
        """All subscribers; None when the answer left one of the two numbers out."""
        if self.subscribed is None or self.unsubscribed is None:
            return None
        return self.subscribed + self.unsubscribed


@attrs.frozen(kw_only=True, slots=False)
class Subscriber:
    """Hold one subscriber of a list.

    Attributes:
        email: Address; repr shows its first letter.
        guid: The id in your own database; by default the MD5 of the address, so repr leaves it out.
        data: The subscriber's attributes, without the ``data_`` of the wire; repr shows how many.
    """

    email: str = attrs.field(repr=_shape.show_address)
    guid: str | None = _shape.quiet()
    subscribed: bool | None = _shape.wire()
    subscribed_at: datetime | None = _shape.quiet()
    unsubscribed_at: datetime | None = _shape.quiet()
    unsubscribed_cause: UnsubscribedCause | None = _shape.wire()
    last_sent_at: datetime | None = _shape.quiet()
    last_open_at: datetime | None = _shape.quiet()
    last_click_at: datetime | None = _shape.quiet()
    send_count: int | None = _shape.wire()
    open_count: int | None = _shape.wire()
    click_count: int | None = _shape.wire()
    data: Mapping[str, Any] = attrs.field(factory=dict, repr=_shape.show_count, hash=False)
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen
class NewSubscriber:
    """Say what a subscriber shall be: one row of `subscribers.create`.

    Args:
        email: Address.
        subscribed: Whether subscribed; None leaves a known one as it is, and subscribes a new one.
        unsubscribed_cause: Who ended it, with ``subscribed=False``: READER (the vendor's default) or PUBLISHER.
        guid: The id in your own database; None leaves it to the vendor, who takes the MD5 of the address.
        data: Attributes, without the ``data_`` of the wire.
    """

    email: str = attrs.field(repr=_shape.show_address)
    subscribed: bool | None = None
    unsubscribed_cause: str | None = None
    guid: str | None = attrs.field(default=None, repr=False)
    data: Mapping[str, Any] = attrs.field(factory=dict, repr=_shape.show_count, hash=False)

    @classmethod
    def of(cls, row: "SubscriberRow", number: int = 1) -> "NewSubscriber":
        """Make a row from what a caller has.

        Args:
            row: A NewSubscriber, a Subscriber, or a mapping: ``{"email": …, "data": {…}}``, or flat as on the wire,
                ``{"email": …, "data_firstname": …}``.
            number: Which row this is, counted from 1, for the error.

        Raises:
            InvalidInputError: It is something else, or has a key or value that the vendor does not know.
        """
        match row:
            case NewSubscriber():
                new = row
            case Subscriber():
                new = cls(row.email, row.subscribed, _sendable(row.unsubscribed_cause), row.guid, row.data)
            case Mapping():
                new = cls._of_mapping(row, number)
            case _:
                raise InvalidInputError(f"row {number} is a {type(row).__name__}: give a NewSubscriber or a mapping")
        return new._checked(number)

    @classmethod
    def _of_mapping(cls, row: Mapping[str, Any], number: int) -> Self:
        known = {key: row.get(key) for key in ("email", "subscribed", "unsubscribed_cause", "guid")}
        data: dict[str, Any] = {}
        for key, value in row.items():
            if key == "data" and isinstance(value, Mapping):
                data |= value
            elif str(key).startswith(DATA) and key != DATA:
                data[key.removeprefix(DATA)] = value
            elif key not in known:
                raise InvalidInputError(
                    f"row {number}: a subscriber has no {key!r}: give your own attributes as data_… or inside `data`"
                )
        return cls(**known, data=data)  # type: ignore[arg-type]  # checked just below

    def _checked(self, number: int) -> Self:
        given: tuple[Any, Any, Any] = (self.email, self.subscribed, self.guid)  # whatever a mapping held
        email, subscribed, guid = given
        if not isinstance(email, str) or not email.strip():
            raise InvalidInputError(f"row {number}: `email` is missing, blank or no text")
        if subscribed is not None and not isinstance(subscribed, bool):
            # an unreadable value subscribes a new address (vendor page §5): a "no" must not become a yes
            raise InvalidInputError(f"row {number}: `subscribed` must be True, False or None")
        if self.unsubscribed_cause not in (None, "READER", "PUBLISHER"):
            raise InvalidInputError(f"row {number}: `unsubscribed_cause` must be READER or PUBLISHER")
        if guid is not None and not (isinstance(guid, str) and guid.strip()):
            raise InvalidInputError(f"row {number}: `guid` is blank or no text")
        return self

    def to_wire(self) -> dict[str, Any]:
        """Return the row as the vendor wants it; what is None is left out."""
        named = {
            "email": self.email.strip(),
            "subscribed": self.subscribed,
            "unsubscribed_cause": self.unsubscribed_cause,
            "guid": self.guid,
        }
        own = {f"{DATA}{key}": value for key, value in self.data.items()}
        return {key: value for key, value in named.items() if value is not None} | own


def _sendable(cause: UnsubscribedCause | None) -> str | None:
    return str(cause) if cause in (UnsubscribedCause.READER, UnsubscribedCause.PUBLISHER) else None


SubscriberRow = NewSubscriber | Subscriber | Mapping[str, Any]


@attrs.frozen(kw_only=True, slots=False)
class SubscribersResult:
    """Hold the vendor's summary of one `subscribers.create`.

    Attributes:
        errors: What the vendor found wrong; its shape is not known, and it may name addresses, so repr leaves it out.
        unique_emails_count: Different subscribers in the call.
        duplicate_emails_count: Rows ignored because their address came before.
        duplicate_guid_count: Rows ignored because their guid came before.
        nb_created: New ones.
        nb_subscribed: New and returning ones.
        nb_unsubscribed: Ended ones.
        nb_data_changed: Ones whose attributes changed.
        extra: Counters that are not documented.
    """

    errors: Any = attrs.field(default=None, repr=False, hash=False)
    unique_emails_count: int | None = _shape.wire()
    duplicate_emails_count: int | None = _shape.wire()
    duplicate_guid_count: int | None = _shape.wire()
    nb_created: int | None = _shape.wire()
    nb_subscribed: int | None = _shape.wire()
    nb_unsubscribed: int | None = _shape.wire()
    nb_data_changed: int | None = _shape.wire()
    extra: Mapping[str, Any] = _shape.extra()

    @property
    def has_errors(self) -> bool:
        """Whether the vendor found anything wrong."""
        return self.errors not in (None, 0, "", [], {})


@attrs.frozen(kw_only=True, slots=False)
class Success:
    """Hold the vendor's sentence about something that was done."""

    success: str | None = _shape.wire()
    extra: Mapping[str, Any] = _shape.extra()

    @property
    def count(self) -> int | None:
        """The number in the sentence, ``3 subscriptions have been deleted``; None where it has none."""
        found = _FIRST_NUMBER.search(self.success or "")
        return int(found[0]) if found else None


@attrs.frozen(kw_only=True, slots=False)
class OwnpageFile:
    """Hold the import of a file, as the vendor answers to its creation; it cannot be asked for later.

    Attributes:
        url: Where the vendor fetches it: may be presigned, so repr leaves it out.
        size: Bytes that the vendor counted.
    """

    id: int
    name: str | None = _shape.quiet()
    url: str | None = _shape.quiet()
    mediatype: str | None = _shape.quiet()
    subtype: str | None = _shape.quiet()
    created_at: datetime | None = _shape.wire()
    size: int | None = _shape.wire()
    status: OwnpageFileStatus | None = _shape.wire()
    email_list_id: int | None = _shape.wire()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class OwnpageEvent:
    """Hold one event of a newsletter; what its kind does not have is None.

    Attributes:
        date: When it happened; the vendor names no time zone, taken as UTC (*assumed*).
    """

    date: datetime | None = _shape.wire()
    email: str | None = _shape.wire(show=_shape.show_address)
    campaign_id: int | None = _shape.wire()
    newsletter_id: int | None = _shape.wire()
    email_list_id: int | None = _shape.wire()
    target_id: str | None = _shape.quiet()
    target_url: str | None = _shape.quiet()
    target_position: int | None = _shape.quiet()
    active: bool | None = _shape.quiet()
    cause: UnsubscribedCause | None = _shape.wire()
    type: str | None = _shape.wire()
    message: str | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class OwnpageExport:
    """Name an export that can be downloaded for 24 hours.

    Attributes:
        token: Opens it to everyone who has it, so repr leaves it out.
    """

    token: str = attrs.field(repr=False)
    filename: str
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class SentEmail:
    """Name a transactional email that was sent; the vendor shows a preview of it for 60 days."""

    message_id: str | None = _shape.wire("messageId")
    extra: Mapping[str, Any] = _shape.extra()
