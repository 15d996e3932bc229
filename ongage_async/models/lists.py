"""Lists and their fields. Source: vendor page §3.1 and §3.2."""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ongage_async.models import _shape
from ongage_async.models._enums import OpenStrEnum


class ListType(OpenStrEnum):
    """Say whether a list is sent to, or kept from being sent to."""

    SENDING = "sending"
    SUPPRESSION = "suppression"


class ListScope(OpenStrEnum):
    """Say where a suppression list applies."""

    GLOBAL = "global"
    LIST = "list"
    CAMPAIGN = "campaign"


class HashType(OpenStrEnum):
    """Say how the addresses of a suppression list are hashed."""

    MD5 = "md5"
    SHA256 = "sha256"
    SHA512 = "sha512"


class FieldType(OpenStrEnum):
    """Say what a list field holds."""

    DATE = "date"
    EMAIL = "email"
    NUMERIC = "numeric"
    STRING = "string"


@attrs.frozen(kw_only=True, slots=False)
class MailingList:
    """Hold a list with all its settings; one that comes from a collection has fewer of them, the others are None.

    Settings that the samples show only as null are kept as they come (`Any`).
    """

    id: int
    name: str | None = _shape.wire()
    type: ListType | None = _shape.wire()
    account_id: int | None = _shape.quiet()
    description: str | None = _shape.quiet()
    default: bool | None = _shape.quiet()
    archive: bool | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.wire()
    notification_email: str | None = _shape.quiet()

    last_count: int | None = _shape.wire()
    last_active_count: int | None = _shape.wire()
    unsubscribes: int | None = _shape.quiet()
    complaints: int | None = _shape.quiet()
    bounces: int | None = _shape.quiet()
    modified_counts: int | None = _shape.quiet()
    last_stats_date: datetime | None = _shape.quiet()
    last_events_stats_date: datetime | None = _shape.quiet()
    last_transactional_stats_date: datetime | None = _shape.quiet()

    hash_type: HashType | None = _shape.quiet()
    scope: ListScope | None = _shape.quiet()
    expiration_date: datetime | None = _shape.quiet()

    unsubscribe_default_link: bool | None = _shape.quiet()
    unsubscribe_success_html: str | None = _shape.quiet()
    unsubscribe_confirmation_html: str | None = _shape.quiet()
    unsubscribe_confirmation_button: str | None = _shape.quiet()
    unsubscribe_redirect_url: str | None = _shape.quiet()

    frequencies: Any = _shape.quiet()
    frequency_active: bool | None = _shape.quiet()
    frequency_html: str | None = _shape.quiet()
    frequency_button: str | None = _shape.quiet()
    frequency_field_id: int | None = _shape.quiet()

    default_transactional_id: int | None = _shape.quiet()
    welcome_email_id: int | None = _shape.quiet()
    welcome_email_active: bool | None = _shape.quiet()
    welcome_email_esp_connection_id: int | None = _shape.quiet()
    welcome_sms_id: int | None = _shape.quiet()
    welcome_sms_active: bool | None = _shape.quiet()
    welcome_sms_connection_id: int | None = _shape.quiet()
    welcome_sms_per_segment: Any = _shape.quiet()
    segment_welcome_emails: Any = _shape.quiet()

    allowed_provider_connection_ids: Any = _shape.quiet()
    included_segment_cache: Any = _shape.quiet()
    excluded_segment_cache: Any = _shape.quiet()
    external_url_wrapper: str | None = _shape.quiet()
    public_key: str | None = _shape.quiet()
    image_host_base: str | None = _shape.quiet()
    tracking_domain: str | None = _shape.quiet()
    sms_field_id: int | None = _shape.quiet()
    header_template_id: int | None = _shape.quiet()
    footer_template_id: int | None = _shape.quiet()
    cke_keep_spaces_empty_blocks: bool | None = _shape.quiet()
    preprocess_minutes: int | None = _shape.quiet()
    imports_concurrent_limit: int | None = _shape.quiet()
    demo_list_step: str | None = _shape.quiet()
    link_query_params: str | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class ListField:
    """Hold one field of a list."""

    id: int
    name: str | None = _shape.wire()
    title: str | None = _shape.quiet()
    type: FieldType | None = _shape.wire()
    format: str | None = _shape.quiet()
    default: Any = _shape.quiet()
    mandatory: bool | None = _shape.wire()
    position: int | None = _shape.quiet()
    is_sms: bool | None = _shape.quiet()
    account_id: int | None = _shape.quiet()
    list_id: int | None = _shape.wire()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class ListFieldsReport:
    """Hold what became of a field that was to be made in every list.

    Attributes:
        success_list_fields: The fields that were made, one per list.
        failed_lists_errors: List id (as text) → the vendor's error, whose shape is not known (vendor page §6.2 #8).
    """

    success_list_fields: tuple[ListField, ...] = _shape.wire(default=())
    failed_lists_errors: Mapping[str, Any] | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()
