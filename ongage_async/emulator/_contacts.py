"""The contacts of one list: rows of cells, an index by address, ids, and the rules of status.

Here lives the storage, lean enough for a million contacts; what the API makes of it is in `families/contacts.py`.
Source: vendor page §3.3.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from attrs import define, field

__all__ = ["STATUS_CHANGES", "Contact", "ContactBook"]

STATUS_CHANGES = ("resubscribe", "unsubscribe", "remove", "bounce", "complaint", "soft_bounce")
_STATUS_AFTER = {"unsubscribe": "Unsubscribed", "bounce": "Bounced", "complaint": "Complaint"}  # last two assumed
_DATE_AFTER = {
    "unsubscribe": "ocx_unsubscribe_date",
    "resubscribe": "ocx_resubscribe_date",
    "bounce": "ocx_bounce_date",
    "soft_bounce": "ocx_bounce_date",
    "complaint": "ocx_complaint_date",
}
ACTIVE = "Active"


Row = tuple[Any, ...]
_ROW_HEAD = 7  # values of a row before its cells


@define(eq=False)
class Contact:
    """Hold one contact as it was when it was read; `ContactBook.put` stores what was changed."""

    list_id: int
    ordinal: int
    email: str
    created: int
    status: str = ACTIVE
    deleted: bool = False
    import_id: int | None = None
    dates: dict[str, int] | None = None
    email_changed_at: float | None = None
    cells: Row = field(default=(), repr=False)

    @property
    def id(self) -> str:
        """Return the 24 hexadecimal digits that name the contact."""
        return f"{self.created & 0xFFFFFFFF:08x}{self.list_id & 0xFFFFFFFF:08x}{self.ordinal:08x}"


@define(eq=False)
class ContactBook:
    """Keep the contacts of one list.

    A contact is stored as one flat tuple: the garbage collector does not track those, while a million objects would
    make it halt the event loop for a second at a time.

    Args:
        list_id: The list.
    """

    list_id: int
    active: int = field(default=0, init=False)
    _live: int = field(default=0, init=False)
    _columns: dict[str, int] = field(factory=dict, init=False)
    _by_email: dict[str, int] = field(factory=dict, init=False)
    _rows: list[Row | None] = field(factory=list, init=False)

    def __len__(self) -> int:
        return self._live

    def __iter__(self) -> Iterator[Contact]:
        for ordinal in list(self._by_email.values()):
            contact = self._load(ordinal)
            if contact is not None and not contact.deleted:
                yield contact

    def get(self, email: str) -> Contact | None:
        """Return the contact of an address as it is stored, even one that is softly deleted."""
        ordinal = self._by_email.get(email)
        return None if ordinal is None else self._load(ordinal)

    def by_id(self, contact_id: str) -> Contact | None:
        """Return the contact of a 24-digit id, even one that is softly deleted."""
        try:
            contact = self._load(int(contact_id[16:], 16))
        except (ValueError, IndexError):
            return None
        return contact if contact is not None and contact.id == contact_id.lower() else None

    def add(
        self, email: str, values: Mapping[str, Any] | None = None, *, created: int = 0, import_id: int | None = None
    ) -> Contact:
        """Store a new contact under an address that is not taken."""
        contact = Contact(self.list_id, len(self._rows), email, created, import_id=import_id)
        contact.cells = self._cells(contact.cells, values or {})
        self._rows.append(None)
        self._by_email[email] = contact.ordinal
        self.put(contact)
        return contact

    def put(self, contact: Contact) -> None:
        """Store what was changed of a contact."""
        head = (contact.email, contact.created, contact.status, contact.deleted, contact.import_id)
        self._replace(contact.ordinal, (*head, contact.dates, contact.email_changed_at, *contact.cells))

    def write(self, contact: Contact, values: Mapping[str, Any]) -> None:
        """Set some values of a contact, and store it."""
        contact.cells = self._cells(contact.cells, values)
        self.put(contact)

    def remove(self, contact: Contact) -> None:
        """Delete a contact for good."""
        self._by_email.pop(contact.email, None)
        self._replace(contact.ordinal, None)

    def rename(self, contact: Contact, email: str) -> None:
        """Move a contact to another address, and store it."""
        self._by_email.pop(contact.email, None)
        contact.email = email
        self._by_email[email] = contact.ordinal
        self.put(contact)

    def column(self, name: str) -> int:
        """Return the place of a field's values in the cells, making one for a new name."""
        return self._columns.setdefault(name, len(self._columns))

    def drop_column(self, name: str) -> None:
        """Forget a field's values: a field of the same name made later starts empty."""
        place = self._columns.pop(name, None)
        if place is not None:
            self._columns[f"\0{place}"] = place  # a hole: the place stays taken

    def rename_column(self, old: str, new: str) -> None:
        """Let a field's values follow its new name."""
        if old in self._columns:
            self._columns[new] = self._columns.pop(old)

    def read(self, contact: Contact, name: str) -> Any:
        """Return one value of a contact, None when it has none."""
        place = self._columns.get(name)
        return contact.cells[place] if place is not None and place < len(contact.cells) else None

    def _load(self, ordinal: int) -> Contact | None:
        row = self._rows[ordinal]
        if row is None:
            return None
        email, created, status, deleted, import_id, dates, changed_at = row[:_ROW_HEAD]
        head = (email, created, status, deleted, import_id, dates, changed_at)
        return Contact(self.list_id, ordinal, *head, cells=row[_ROW_HEAD:])

    def _replace(self, ordinal: int, row: Row | None) -> None:
        for each, step in ((self._rows[ordinal], -1), (row, 1)):
            if each is not None and not each[3]:
                self._live += step
                self.active += step * (each[2] == ACTIVE)
        self._rows[ordinal] = row

    def _cells(self, cells: Row, values: Mapping[str, Any]) -> Row:
        changed = list(cells)
        for name, value in values.items():
            place = self._columns.get(name)
            if place is None:
                place = self.column(name)
            if place >= len(changed):
                changed.extend([None] * (place + 1 - len(changed)))
            changed[place] = value
        return tuple(changed)

    def change_status(self, contact: Contact, change_to: str, now: int) -> Literal["updated", "revived"]:
        """Change a contact's status, the only way in which it changes.

        Args:
            contact: The contact.
            change_to: One of the six values; ``remove`` deletes for good.
            now: Unix time of the change.
        """
        revived = contact.deleted
        if change_to == "remove":
            self.remove(contact)
            return "updated"
        if change_to == "resubscribe":
            contact.deleted = False
            contact.status = ACTIVE
        else:
            contact.status = _STATUS_AFTER.get(change_to, contact.status)
        contact.dates = {**(contact.dates or {}), _DATE_AFTER[change_to]: now}
        self.put(contact)
        return "revived" if revived and change_to == "resubscribe" else "updated"

    def view(self, contact: Contact, names: Sequence[str]) -> dict[str, Any]:
        """Return the contact object (§3.3): the list's own fields by name, then the vendor's."""
        dates = contact.dates or {}
        shown = {name: self.read(contact, name) for name in names}
        shown["email"] = contact.email
        return {
            **shown,
            "id": contact.id,
            "ocx_status": contact.status,
            "ocx_created_date": contact.created,
            "ocx_unsubscribe_date": dates.get("ocx_unsubscribe_date"),
            "ocx_resubscribe_date": dates.get("ocx_resubscribe_date"),
            "ocx_bounce_date": dates.get("ocx_bounce_date"),
            "ocx_complaint_date": dates.get("ocx_complaint_date"),
            "ocx_import_id": contact.import_id,
        }
