"""Segments and their rules. Source: vendor page §3.8."""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ongage_async.models import _shape
from ongage_async.models._enums import OpenStrEnum


class SegmentType(OpenStrEnum):
    """Say what a segment is for; the last two are known from other clients' code only."""

    ACTIVE = "Active"
    TEST = "Test"
    DELETED = "Deleted"


@attrs.frozen(kw_only=True, slots=False)
class SegmentRule:
    """Hold one rule of a segment.

    Attributes:
        operand: The values as they came: mostly a JSON array in text, ``["test@test.test"]``; repr leaves it out.
    """

    id: int | None = _shape.wire()
    segment_id: int | None = _shape.quiet()
    position: int | None = _shape.wire()
    field_id: int | None = _shape.wire()
    field_name: str | None = _shape.wire()
    type: str | None = _shape.wire()
    operator: str | None = _shape.wire()
    operand: Any = _shape.quiet()
    condition: str | None = _shape.wire()
    case_sensitive: bool | None = _shape.quiet()
    group: str | None = _shape.quiet()
    left_parenthesis: Any = _shape.quiet()
    right_parenthesis: Any = _shape.quiet()
    is_external_operand: bool | None = _shape.quiet()
    is_external_operand_exists: bool | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen(kw_only=True, slots=False)
class Segment:
    """Hold a segment; one that comes from a collection has no rules and fewer settings, the others are None.

    Attributes:
        mailings: The mailings that use it, as they come: their shape and key are not known.
    """

    id: int
    list_id: int | None = _shape.wire()
    list_name: str | None = _shape.quiet()
    name: str | None = _shape.wire()
    type: SegmentType | None = _shape.wire()
    description: str | None = _shape.quiet()
    favorite: bool | None = _shape.quiet()
    last_count: int | None = _shape.wire()
    last_count_date: datetime | None = _shape.quiet()
    last_count_request_date: datetime | None = _shape.quiet()
    isp_breakdown: Any = _shape.quiet()
    last_sent: datetime | None = _shape.quiet()
    segment_quota: int | None = _shape.quiet()
    is_quota_percent: bool | None = _shape.quiet()
    created_by: int | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified_by: int | None = _shape.quiet()
    modifier: str | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    user_modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.wire()
    included_segment_cache: Any = _shape.quiet()
    excluded_segment_cache: Any = _shape.quiet()
    default_include_segment: Any = _shape.quiet()
    default_exclude_segment: Any = _shape.quiet()
    default_whitelist_segment: Any = _shape.quiet()
    is_whitelist: bool | None = _shape.quiet()
    is_external: bool | None = _shape.wire()
    external_url: str | None = _shape.quiet()
    external_insert_missing: bool | None = _shape.quiet()
    external_include_unsubscribes: bool | None = _shape.quiet()
    rules: tuple[SegmentRule, ...] = _shape.wire(default=(), show=_shape.show_count)
    mailings: Any = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()
