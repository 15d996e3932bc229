"""Contact searches and the rows that they find; the shape of the two activity reports too. Source: vendor page §3.5."""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from ongage_async.models import _shape
from ongage_async.models._enums import OpenIntEnum
from ongage_async.models.contacts import ContactStatus


class ReportStatus(OpenIntEnum):
    """Say how far a search or an activity report is."""

    PENDING = 1
    COMPLETED = 2
    FAILED = 3
    """Known from another client's code only."""


@attrs.frozen(kw_only=True, slots=False)
class ContactSearch:
    """Hold one snapshot of a contact search; what the answer leaves out is None. No results are in it.

    Attributes:
        status: How far it is.
        filters: What was asked, as it came.
        extra: What this version does not know; the vendor shows no whole object.
    """

    id: int
    status: ReportStatus | None = _shape.wire(strict=True)
    status_desc: str | None = _shape.wire()
    desc: str | None = _shape.quiet()
    title: str | None = _shape.quiet()
    list_id: int | None = _shape.wire()
    account_id: int | None = _shape.quiet()
    filters: Any = _shape.quiet()
    selected_fields: Any = _shape.quiet()
    include_behavior: bool | None = _shape.quiet()
    combined_as_and: bool | None = _shape.quiet()
    created_by: int | None = _shape.quiet()
    created: datetime | None = _shape.quiet()
    modified: datetime | None = _shape.quiet()
    deleted: datetime | None = _shape.quiet()
    extra: Mapping[str, Any] = _shape.extra()

    @property
    def is_final(self) -> bool:
        """Whether it is completed or failed."""
        return self.is_completed or self.is_failed

    @property
    def is_completed(self) -> bool:
        """Whether its rows are there."""
        return self.status == ReportStatus.COMPLETED

    @property
    def is_failed(self) -> bool:
        """Whether it ended without rows."""
        return self.status == ReportStatus.FAILED


@attrs.frozen(kw_only=True, slots=False)
class ContactResult:
    """Hold one row of a search or a contact activity report: a contact as far as its fields were selected.

    Attributes:
        email: Address; repr shows its first letter.
        id: The vendor's id, when the row names it so.
        contact_id: The same, under its name as a system field.
        sent: Mailings that were sent to it; with `include_behavior` or when selected, like the next two.
        fields: The list's own fields by name, values as they came; repr shows how many.
        extra: System fields (``ocx_…``) that this version does not know.
    """

    email: str | None = _shape.wire(show=_shape.show_address)
    id: str | None = _shape.wire()
    contact_id: str | None = _shape.wire("ocx_contact_id")
    status: ContactStatus | None = _shape.wire("ocx_status")
    sent: int | None = _shape.wire()
    opens: int | None = _shape.wire()
    clicks: int | None = _shape.wire()
    last_sent: datetime | None = _shape.quiet("last_sent_date")
    last_open: datetime | None = _shape.quiet("last_open_date")
    created: datetime | None = _shape.quiet("ocx_created_date")
    unsubscribed: datetime | None = _shape.quiet("ocx_unsubscribe_date")
    resubscribed: datetime | None = _shape.quiet("ocx_resubscribe_date")
    bounced: datetime | None = _shape.quiet("ocx_bounce_date")
    complained: datetime | None = _shape.quiet("ocx_complaint_date")
    import_id: int | None = _shape.quiet("ocx_import_id")
    fields: Mapping[str, Any] = _shape.rest()
    extra: Mapping[str, Any] = _shape.extra()

    @property
    def key(self) -> str | None:
        """What tells the row from others: its id, else its address; None where neither was selected."""
        return self.id or self.contact_id or self.email
