"""Email and SMS messages, the tags on them, and images. Source: vendor page §3.14 to §3.16."""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ongage_async.models import _shape
from ongage_async.models._enums import OpenStrEnum


class EmailType(OpenStrEnum):
    """Say what an entry of the message library is."""

    EMAIL_MESSAGE = "email_message"
    TEMPLATE = "template"
    FOLDER = "folder"


@attrs.frozen(kw_only=True, slots=False)
class Email:
    """Hold an email message, a template or a folder of these."""

    id: int
    name: str | None = _shape.wire()
    type: EmailType | None = _shape.wire()
    subject: str | None = _shape.quiet()
    list_id: int | None = _shape.wire()
    account_id: int | None = _shape.quiet()
    description: str | None = _shape.quiet()
    content_html: str | None = _shape.quiet()
    content_text: str | None = _shape.quiet()
    unsubscribe_default_link: bool | None = _shape.quiet()
    unsubscribe_success_html: str | None = _shape.quiet()
    unsubscribe_confirmation_html: str | None = _shape.quiet()
    unsubscribe_confirmation_button: str | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.wire()
    mailing_id: int | None = _shape.wire()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class Sms:
    """Hold an SMS message."""

    id: int
    name: str | None = _shape.wire()
    type: str | None = _shape.wire()
    list_id: int | None = _shape.wire()
    account_id: int | None = _shape.quiet()
    description: str | None = _shape.quiet()
    content_html: str | None = _shape.quiet()
    content_text: str | None = _shape.quiet()
    created_by: str | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified_by: str | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class EmailTag:
    """Hold a tag of email messages; `list_id` None is a tag of all lists. The vendor shows no sample of it."""

    id: int
    title: str | None = _shape.wire()
    list_id: int | None = _shape.wire()
    account_id: int | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class Image:
    """Hold an image that the vendor has fetched."""

    id: int
    name: str | None = _shape.wire()
    file_name: str | None = _shape.wire()
    mime_type: str | None = _shape.wire()
    size_bytes: int | None = _shape.wire("file_size")
    account_id: int | None = _shape.quiet()
    created_by: str | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class ImageFolder:
    """Hold a folder of images."""

    id: int
    name: str | None = _shape.wire()
    favorite: bool | None = _shape.quiet()
    created_by: str | None = _shape.quiet()
    account_id: int | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.quiet()
    allowed_list_ids: Any = _shape.quiet()
    allowed_user_ids: Any = _shape.quiet()
    disallowed_user_ids: Any = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()
