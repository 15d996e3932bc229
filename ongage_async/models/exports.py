"""Exports: which dates, which contacts, and the job. Source: vendor page §3.11."""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ongage_async.models import _shape


class ExportDateFormat(enum.StrEnum):
    """Name how dates are written in an export's file."""

    MONTH_DAY_YEAR = "mm/dd/yyyy"
    MONTH_DAY_YY = "mm/dd/yy"
    MONTH_DAY_YEAR_DASHED = "mm-dd-yyyy"
    MONTH_DAY_YY_DASHED = "mm-dd-yy"
    DAY_MONTH_YEAR = "dd/mm/yyyy"
    DAY_MONTH_YY = "dd/mm/yy"
    DAY_MONTH_YEAR_DASHED = "dd-mm-yyyy"
    DAY_MONTH_YY_DASHED = "dd-mm-yy"


class ExportStatus(enum.StrEnum):
    """Name which contacts an export holds."""

    ACTIVE = "active"
    UNJOIN_MEMBER = "unjoin-member"
    CLICKED = "clicked"
    OPENED = "opened"
    INACTIVE = "inactive"
    BOUNCED = "bounced"
    """Exports of segments only."""
    COMPLAINT = "complaint"
    """Exports of segments only."""


@attrs.frozen(kw_only=True, slots=False)
class Export:
    """Hold an export as far as the vendor answers with it: its `id`, by other clients' code."""

    id: int
    list_id: int | None = _shape.wire()
    name: str | None = _shape.wire()
    status: Any = _shape.quiet()
    created: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()
