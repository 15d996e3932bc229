"""Contacts as the vendor gives them (`Contact`) and as they are sent (`NewContact`).

What became of the rows of a call is in `outcomes.py`. Source: vendor page §3.3.
"""

# ruff: noqa: RUF009  # the calls in class bodies make attrs fields

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Protocol, Self, cast, runtime_checkable

import attrs

from ongage_async.errors import InvalidInputError
from ongage_async.models import _shape
from ongage_async.models._enums import OpenStrEnum


class ContactStatus(OpenStrEnum):
    """Say whether the vendor sends to a contact. Only these two values are known (vendor page §6.2 #5)."""

    ACTIVE = "Active"
    UNSUBSCRIBED = "Unsubscribed"


class ChangeTo(enum.StrEnum):
    """Name what `contacts.change_status` does to a contact."""

    RESUBSCRIBE = "resubscribe"
    UNSUBSCRIBE = "unsubscribe"
    REMOVE = "remove"
    """Hard delete: the contact and its history are gone."""
    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    SOFT_BOUNCE = "soft_bounce"


@attrs.frozen(kw_only=True, slots=False)
class Contact:
    """Hold one contact of a list; `email` or `id` is always there.

    Attributes:
        email: Address; repr shows its first letter.
        id: The vendor's id, 24 hexadecimal digits.
        status: None when the answer leaves it out.
        import_id: Import that brought the contact.
        fields: The list's own fields by name, values as they came; repr shows how many.
        extra: System fields (``ocx_…``) that this version does not know.
    """

    ONE_OF: ClassVar[tuple[str, ...]] = ("email", "id")

    email: str | None = _shape.wire(show=_shape.show_address)
    id: str | None = _shape.wire()
    status: ContactStatus | None = _shape.wire("ocx_status")
    created: datetime | None = _shape.wire("ocx_created_date")
    unsubscribed: datetime | None = _shape.quiet("ocx_unsubscribe_date")
    resubscribed: datetime | None = _shape.quiet("ocx_resubscribe_date")
    bounced: datetime | None = _shape.quiet("ocx_bounce_date")
    complained: datetime | None = _shape.quiet("ocx_complaint_date")
    import_id: int | None = _shape.wire("ocx_import_id")
    fields: Mapping[str, Any] = _shape.rest()
    extra: Mapping[str, Any] = _shape.extra()


@attrs.frozen
class NewContact:
    """Say what a contact shall be: one row of `contacts.create` or `contacts.update`.

    Args:
        email: Address; may be left out in an update that names the contact by `id`.
        fields: Values by the name of the list's field. A date goes as text in the format of its field.
        id: The vendor's id, for updates only.
        overwrite: This row's own answer to the call's `overwrite`; None takes the call's.
    """

    email: str | None = attrs.field(default=None, repr=_shape.show_address)
    fields: Mapping[str, Any] = attrs.field(factory=dict, repr=_shape.show_count, hash=False)
    id: str | None = None
    overwrite: bool | None = None

    @classmethod
    def of(cls, row: "ContactRow", number: int = 1, *, is_new: bool = False) -> "NewContact":
        """Make a row from what a caller has.

        Args:
            row: A NewContact, a Contact, one of a class of the list's own (`ongage_async.fields`), or a mapping:
                ``{"email": …, "fields": {…}}`` or flat ``{"email": …, "name": …}``.
            number: Which row this is, counted from 1, for the error.
            is_new: Whether it must have all that the list demands of a new contact, as far as its class knows that.

        Raises:
            InvalidInputError: It is something else, or names no contact.
        """
        if row.__class__ is dict:  # as most rows are; the look at all other kinds costs as much as the row
            return cls._of_mapping(cast("Mapping[str, Any]", row), number)._checked(number)
        match row:
            case NewContact():
                new = row
            case Contact():
                new = cls(row.email, row.fields, row.id)
            case Mapping():
                new = cls._of_mapping(row, number)
            case ContactLike():
                try:
                    new = row.to_new_contact(is_new=is_new)
                except InvalidInputError as error:
                    raise InvalidInputError(f"row {number}: {error}") from None
            case _:
                raise InvalidInputError(f"row {number} is a {type(row).__name__}: give a NewContact or a mapping")
        return new._checked(number)

    @classmethod
    def _of_mapping(cls, row: Mapping[str, Any], number: int) -> Self:
        if (fields := row.get("fields")) is None or not isinstance(fields, Mapping):
            flat = dict(row)
            return cls(flat.pop("email", None), flat, flat.pop("id", None))
        if strangers := set(row) - {"email", "id", "overwrite", "fields"}:
            raise InvalidInputError(
                f"row {number} has values both in `fields` and beside it ({', '.join(sorted(map(str, strangers)))}): "
                "put all of them into `fields`"
            )
        return cls(row.get("email"), fields, row.get("id"), row.get("overwrite"))

    def _checked(self, number: int) -> Self:
        if not _is_name(self.email):
            raise InvalidInputError(f"row {number}: `email` is blank or no text")
        if not _is_name(self.id):
            raise InvalidInputError(f"row {number}: `id` is blank or no text")
        return self

    @property
    def key(self) -> str:
        """What the row is found by in an answer."""
        return row_key(self.email, self.id)

    def to_wire(self, *, overwrite: bool) -> dict[str, Any]:
        """Return the row as the vendor wants it: `email` (else `id`), `overwrite` and `fields`; not to be changed."""
        own = overwrite if self.overwrite is None else self.overwrite
        fields = self.fields if isinstance(self.fields, dict) else dict(self.fields)
        if self.email is not None:
            return {"email": self.email, "overwrite": own, "fields": fields}
        return {"id": self.id, "overwrite": own, "fields": fields}


def row_key(email: str | None, contact_id: str | None) -> str:
    """Return what a row is found by in an answer: the address without regard to case, else the id."""
    return email.strip().lower() if email is not None else contact_id or ""


def _is_name(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip() != "")


@runtime_checkable
class ContactLike(Protocol):
    """Ask of a class of a list's own fields that it can say itself as a row; `ongage_async.fields.ListContact` can."""

    def to_new_contact(self, *, is_new: bool = False) -> NewContact:
        """Return the row as it is sent, or raise InvalidInputError if a new contact needs more."""
        ...


ContactRow = NewContact | Contact | ContactLike | Mapping[str, Any]


def as_sent(row: ContactRow, number: int, *, overwrite: bool, is_new: bool = False) -> dict[str, Any]:
    """Return a row as the vendor wants it; arguments and errors as `NewContact.of` and `to_wire`.

    Most rows need no `NewContact` on their way, which would cost twice what all else here does.
    """
    if isinstance(row, Contact):
        if row.email is not None and _is_name(row.email) and _is_name(row.id) and isinstance(row.fields, dict):
            return {"email": row.email, "overwrite": overwrite, "fields": row.fields}
    elif isinstance(row, dict) and "fields" not in row and "id" not in row:
        fields = row.copy()
        email = fields.pop("email", None)
        if email.__class__ is str and email.strip():
            return {"email": email, "overwrite": overwrite, "fields": fields}
    return NewContact.of(row, number, is_new=is_new).to_wire(overwrite=overwrite)
