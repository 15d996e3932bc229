"""What an import does to a list, row by row, and how it counts.

No I/O and no waiting. Used by `_imports.py`. Source: vendor page §4.2 to §4.5.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ongage_async.emulator._contact_rows import missing_mandatory, with_defaults
from ongage_async.emulator._contacts import Contact
from ongage_async.emulator._import_file import UnreadableFileError
from ongage_async.emulator._import_job import ImportJob
from ongage_async.emulator._state import MailingList

if TYPE_CHECKING:
    from ongage_async.emulator._fields import ListField

__all__ = ["RowApplier"]


class RowApplier:
    """Apply the rows of one file to one list.

    Args:
        mailing_list: Where they go.
        job: What was asked; its counters are kept here.
        header: Column names of the file.
        now: Unix time of everything that is written.

    Raises:
        UnreadableFileError: No column is the email field.
    """

    def __init__(self, mailing_list: MailingList, job: ImportJob, header: Sequence[str], now: int) -> None:
        self._list = mailing_list
        self._book = mailing_list.contacts
        self._job = job
        self._counts = job.counts
        self._now = now
        self._seen: set[str] = set()
        self._width = len(header)
        columns = _columns(mailing_list, job.request.fields, header)
        if "email" not in columns:
            raise UnreadableFileError("File has no email column")
        self._email_place = columns.pop("email")
        fields = {own.name: own for own in mailing_list.fields}
        self._columns: list[tuple[int, ListField]] = [(place, fields[name]) for name, place in columns.items()]
        self._mandatory = [own for own in mailing_list.fields if own.mandatory and own.name != "email"]
        self._defaults = bool(with_defaults(mailing_list.fields, {}))

    def apply(self, cells: Sequence[str]) -> None:
        """Carry out one row and count what became of it."""
        counts = self._counts
        counts.total += 1
        try:
            email = self._list.accept_address(cells[self._email_place])
        except (ValueError, IndexError):
            counts.invalid += 1
            return
        if email in self._seen:
            counts.duplicate += 1
            return
        self._seen.add(email)
        if self._job.request.import_action == "add":
            self._add(email, cells)
        else:
            self._change(email)

    def _change(self, email: str) -> None:
        contact = self._book.get(email)
        action = self._job.request.import_action
        if contact is None or (contact.deleted and action not in ("resubscribe", "remove")):
            self._counts.not_existing += 1
            return
        self._book.change_status(contact, action, self._now)
        self._counts.success += 1

    def _add(self, email: str, cells: Sequence[str]) -> None:
        contact = self._book.get(email)
        request = self._job.request
        if contact is not None and not (contact.deleted or request.overwrite or request.overwrite_only_nulls):
            self._counts.existing += 1
            return
        try:
            values = {own.name: own.accept(cells[place]) for place, own in self._columns if place < len(cells)}
        except ValueError:
            self._counts.invalid += 1
            return
        self._write(email, contact, values)

    def _write(self, email: str, contact: Contact | None, values: dict[str, Any]) -> None:
        if contact is not None:
            values = self._kept(contact, values)
        if self._mandatory and missing_mandatory(self._mandatory, values, is_new=contact is None):
            self._counts.incomplete += 1
            return
        if contact is None:
            if self._defaults:
                values = with_defaults(self._list.fields, values)
            self._book.add(email, values, created=self._now, import_id=self._job.id)
        else:
            contact.deleted = False
            contact.import_id = self._job.id
            self._book.write(contact, values)
        self._counts.success += 1

    def _kept(self, contact: Contact, values: dict[str, Any]) -> dict[str, Any]:
        request = self._job.request
        if request.ignore_empty or request.overwrite_only_nulls:
            values = {name: value for name, value in values.items() if value is not None}
        if request.overwrite_only_nulls:
            values = {name: value for name, value in values.items() if self._book.read(contact, name) is None}
        return values


def _columns(mailing_list: MailingList, mapped: Mapping[str, Any] | None, header: Sequence[str]) -> dict[str, int]:
    """Return field name to place: names must match exactly, unless the request maps them (direction assumed)."""
    places = {name: place for place, name in enumerate(header)}
    known = {own.name for own in mailing_list.fields}
    if not mapped:
        return {name: place for name, place in places.items() if name in known}
    found = {}
    for name, column in mapped.items():
        title = column.get("name", name) if isinstance(column, Mapping) else str(column)
        if name in known and title in places:
            found[name] = places[title]
    return found
