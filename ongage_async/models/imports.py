"""Imports: what they are asked to do, how far they are, and how they end. Source: vendor page §4."""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

import enum
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ongage_async.models import _shape
from ongage_async.models._enums import OpenIntEnum

_PERCENT = re.compile(r"\(\s*(\d{1,3})(?:\.\d+)?\s*%\s*\)")
_FIRST_ERROR = 90000


class ImportAction(enum.StrEnum):
    """Name what an import does with each address of its file."""

    ADD = "add"
    REMOVE = "remove"
    """Hard delete, in lists of all types."""
    UNSUBSCRIBE = "unsubscribe"
    RESUBSCRIBE = "resubscribe"
    BOUNCE = "bounce"
    COMPLAINT = "complaint"


class ImportStatus(OpenIntEnum):
    """Say how far an import is. Every value from 90000 is a final error (vendor page §4.3), known or not."""

    QUEUED = 40001
    PROCESSING = 40002
    COMPLETED = 40003
    UPDATING_LIST_STATS = 40004
    """Seen before or after COMPLETED: the vendor does not say which, so it is not taken as an end."""
    VALIDATING = 40010
    ERROR = 90001
    INVALID = 90008

    @property
    def is_failed(self) -> bool:
        """Whether this is a final error."""
        return self >= _FIRST_ERROR

    @property
    def is_final(self) -> bool:
        """Whether the import will not change any more."""
        return self == ImportStatus.COMPLETED or self.is_failed


@attrs.frozen(kw_only=True, slots=False)
class Import:
    """Hold one snapshot of an import, as a single answer or a collection gives it; what it leaves out is None.

    Attributes:
        status: How far it is; never None in an answer of the vendor's that has one.
        progress: The vendor's own number; see `progress_pct`.
        fields: Column map, keyed by field.
        file_url: Where the vendor fetches the file: may be presigned, so repr leaves it out.
        extra: What this version does not know.
    """

    id: int
    list_id: int | None = _shape.wire()
    name: str | None = _shape.wire()
    action: str | None = _shape.wire()
    status: ImportStatus | None = _shape.wire(strict=True)
    status_desc: str | None = _shape.wire()
    status_info: str | None = _shape.quiet()
    progress: float | None = _shape.wire()
    remaining: str | None = _shape.quiet()

    total: int | None = _shape.wire()
    success: int | None = _shape.wire()
    failed: int | None = _shape.wire()
    duplicate: int | None = _shape.wire()
    existing: int | None = _shape.wire()
    not_existing: int | None = _shape.wire()
    incomplete: int | None = _shape.wire()
    invalid: int | None = _shape.wire()

    account_id: int | None = _shape.quiet()
    type: str | None = _shape.quiet()
    file: str | None = _shape.quiet()
    file_url: str | None = _shape.quiet()
    size: int | None = _shape.quiet()
    file_size_bytes: int | None = _shape.quiet()
    csv_delimiter: str | None = _shape.quiet()
    encoding: str | None = _shape.quiet()
    fields: Mapping[str, Any] | None = _shape.quiet()
    imported_by: int | None = _shape.quiet()
    is_override: bool | None = _shape.quiet()
    ignore_empty: bool | None = _shape.quiet()
    overwrite_only_nulls: bool | None = _shape.quiet()
    save_report: bool | None = _shape.quiet()
    send_welcome_message: bool | None = _shape.quiet()
    send_email_notification: bool | None = _shape.quiet()
    can_be_aborted: bool | None = _shape.quiet()
    import_process_start_time: datetime | None = _shape.quiet()
    import_process_end_time: datetime | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()

    @property
    def is_final(self) -> bool:
        """Whether it is completed or failed."""
        return self.status is not None and self.status.is_final

    @property
    def is_completed(self) -> bool:
        """Whether all of the file was worked through (single rows may still have been refused: see the counts)."""
        return self.status == ImportStatus.COMPLETED

    @property
    def is_failed(self) -> bool:
        """Whether it ended with an error, status ≥ 90000."""
        return self.status is not None and self.status.is_failed

    @property
    def progress_pct(self) -> int | None:
        """How much is done, 0 to 100: from `progress`, else from a description like ``Processing (46%)``.

        A completed import is at 100 even though the vendor's sample of one shows a progress of 0.
        """
        if self.is_completed:
            return 100
        told = _PERCENT.search(self.status_desc or "")
        percent = self.progress or (int(told[1]) if told else self.progress)
        return None if percent is None else round(min(max(percent, 0), 100))
