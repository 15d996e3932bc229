"""Typed values of the Ongage API: what comes back, what is sent, and what became of it.

Ground: no I/O, no clock. Making them from JSON is `_converter.py`'s business; resources call it, users read models.
"""

from ongage_async.models.contacts import ChangeTo, Contact, ContactRow, ContactStatus, NewContact
from ongage_async.models.imports import Import, ImportAction, ImportStatus
from ongage_async.models.lists import (
    FieldType,
    HashType,
    ListField,
    ListFieldsReport,
    ListScope,
    ListType,
    MailingList,
)
from ongage_async.models.outcomes import ContactsReport, MutationResult, RowKind, RowOutcome
from ongage_async.models.pages import Page

__all__ = [
    "ChangeTo",
    "Contact",
    "ContactRow",
    "ContactStatus",
    "ContactsReport",
    "FieldType",
    "HashType",
    "Import",
    "ImportAction",
    "ImportStatus",
    "ListField",
    "ListFieldsReport",
    "ListScope",
    "ListType",
    "MailingList",
    "MutationResult",
    "NewContact",
    "Page",
    "RowKind",
    "RowOutcome",
]
