"""Mailings (campaigns): how far they are, and what they consist of. Source: vendor page §3.12."""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ongage_async.models import _shape
from ongage_async.models._enums import OpenIntEnum, OpenStrEnum


class MailingStatus(OpenIntEnum):
    """Say how far a mailing is; a number that is not listed is kept, and taken for one that may still change."""

    NEW = 60001
    SCHEDULED = 60002
    IN_PROGRESS = 60003
    COMPLETED = 60004
    ERROR = 60005
    CANCELLED = 60006
    DELETED = 60007
    COMPLETED_WITH_ERRORS = 60008
    ON_HOLD = 60009
    STOPPED = 60010

    @property
    def is_final(self) -> bool:
        """Whether it will not change by itself; a person may still `revive` a cancelled mailing."""
        return self in _FINAL

    @property
    def is_failed(self) -> bool:
        """Whether it ended without having sent everything that it was to send: ERROR alone is certain."""
        return self == MailingStatus.ERROR


_FINAL = frozenset(
    {
        MailingStatus.COMPLETED,
        MailingStatus.ERROR,
        MailingStatus.CANCELLED,
        MailingStatus.DELETED,
        MailingStatus.COMPLETED_WITH_ERRORS,
        MailingStatus.STOPPED,
    }
)


class MailingType(OpenStrEnum):
    """Say what kind of mailing it is. Source: vendor page §3.12, client code."""

    CAMPAIGN = "campaign"
    SPLIT = "split"
    TRANSACTIONAL = "transactional"


class SplitType(OpenStrEnum):
    """Say what the parts of a split mailing differ in. Source: client code of 2014."""

    EMAIL = "email"
    SEGMENT = "segment"
    ESP = "esp"
    SUBJECT = "subject"


@attrs.frozen(kw_only=True, slots=False)
class MailingSegment:
    """Hold a segment that a mailing goes to, or spares."""

    segment_id: int | None = _shape.wire()
    name: str | None = _shape.wire()
    type: str | None = _shape.quiet()
    last_count: int | None = _shape.quiet()
    exclude: bool | None = _shape.wire()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class MailingRoute:
    """Hold one entry of a mailing's distribution: which connection sends which share."""

    esp_connection_id: int | None = _shape.wire()
    percent: float | None = _shape.wire()
    domain: str | None = _shape.wire()
    esp_id: int | None = _shape.quiet()
    isp_id: int | None = _shape.quiet()
    name: str | None = _shape.quiet()
    segment_id: int | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class MailingMessage:
    """Hold a message of a mailing."""

    email_message_id: int | None = _shape.wire()
    type: str | None = _shape.quiet()
    name: str | None = _shape.wire()
    description: str | None = _shape.quiet()
    subject: str | None = _shape.quiet()
    preview: str | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class Mailing:
    """Hold a mailing; the object and the entry of a collection have different keys, and what is left out is None.

    Attributes:
        status: How far it is.
        progress: As it comes; its scale is not known.
        extra: What this version does not know.
    """

    id: int
    name: str | None = _shape.wire()
    type: MailingType | None = _shape.wire()
    status: MailingStatus | None = _shape.wire(strict=True)
    status_desc: str | None = _shape.wire()
    status_date: datetime | None = _shape.quiet()
    schedule_date: datetime | None = _shape.wire()
    list_id: int | None = _shape.wire()
    is_test: bool | None = _shape.wire()
    description: str | None = _shape.quiet()
    account_id: int | None = _shape.quiet()
    split_type: SplitType | None = _shape.quiet()
    scheduled_by: str | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.quiet()

    segments: tuple[MailingSegment, ...] = _shape.wire(default=(), show=False)
    distribution: tuple[MailingRoute, ...] = _shape.wire(default=(), show=False)
    email_message: tuple[MailingMessage, ...] = _shape.wire(default=(), show=False)
    esp_connections_quota: Any = _shape.quiet()
    comment: str | None = _shape.quiet()
    notify_onlaunch: Any = _shape.quiet()

    progress: str | None = _shape.wire()
    targeted: int | None = _shape.wire()
    has_quota: bool | None = _shape.quiet()
    split_subject_content_email_id: int | None = _shape.quiet()
    created_by: str | None = _shape.quiet()
    favorite: bool | None = _shape.quiet()
    manager: str | None = _shape.quiet()
    cannot_resume: bool | None = _shape.quiet()
    cannot_resume_reason: str | None = _shape.quiet()
    original_email_message_id: int | None = _shape.quiet()
    ox_data: Any = _shape.quiet()
    sending_start_date: datetime | None = _shape.quiet()
    sending_end_date: datetime | None = _shape.quiet()
    estimated_sending_end_date: datetime | None = _shape.quiet()
    emails_limit: int | None = _shape.quiet()
    report: int | None = _shape.quiet()
    test: int | None = _shape.quiet()
    cancel: int | None = _shape.quiet()
    schedule: str | None = _shape.quiet()
    esps: str | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()

    @property
    def is_final(self) -> bool:
        """Whether it will not change by itself any more."""
        return self.status is not None and self.status.is_final

    @property
    def is_failed(self) -> bool:
        """Whether it ended with an error."""
        return self.status is not None and self.status.is_failed
