"""Reading the rows of a contacts call: which address, which values, what is wrong with them.

Pure but for looking at the list. Used by `families/contacts.py`. Source: vendor page §3.3.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from ongage_async.emulator._answers import bad_request, invalid
from ongage_async.emulator._call import Call
from ongage_async.emulator._contacts import Contact
from ongage_async.emulator._fields import ListField
from ongage_async.emulator._state import MailingList

__all__ = ["Row", "missing_mandatory", "read_rows", "with_defaults"]

_NO_FIELDS = frozenset({"email", "id", "overwrite", "fields"})


@frozen
class Row:
    """Hold one row as it was understood.

    Args:
        sent: What the result calls it: the address as sent, or the id.
        email: The address as stored, empty when the row names its contact by id or is wrong.
        values: Checked values by field name.
        overwrite: Whether an existing contact may be changed.
        contact: The contact that exists already, softly deleted or not.
        error: What is wrong, empty when nothing is.
    """

    sent: str
    email: str = ""
    values: Mapping[str, Any] = {}
    overwrite: bool = False
    contact: Contact | None = None
    error: str = ""


def read_rows(call: Call, mailing_list: MailingList, *, creates: bool) -> list[Row]:
    """Return the rows of the body.

    Args:
        call: Its body is one object or an array.
        mailing_list: Where they go.
        creates: Whether rows may be new contacts, for which mandatory fields are asked.

    Raises:
        Refusal: 400 or 412, the call is refused as a whole.
    """
    single = isinstance(call.body, dict)
    given = [call.body] if single else call.body
    if not isinstance(given, list) or not given:
        raise bad_request("Invalid data in request")
    check_batch(call, given)
    if any(not isinstance(each, dict) or "list_id" in each for each in given):
        raise invalid("Invalid data in request", {"list_id": "rows must be objects, and list_id belongs in the route"})
    fields = {own.name: own for own in mailing_list.fields}
    rows = [_read_row(call, mailing_list, fields, each, creates=creates) for each in given]
    errors = {str(place): row.error for place, row in enumerate(rows) if row.error}
    if errors and (single or call.world.readings.invalid_row == "batch"):
        raise invalid("Invalid data in request", errors)
    return rows


def check_batch(call: Call, given: list[Any]) -> None:
    """Refuse more rows than one call may carry.

    Raises:
        Refusal: 412.
    """
    if len(given) > call.world.batch_cap:
        raise invalid("Invalid data in request", {"rows": f"at most {call.world.batch_cap} in one call"})


def _read_row(
    call: Call, mailing_list: MailingList, fields: Mapping[str, ListField], given: dict[str, Any], *, creates: bool
) -> Row:
    sent = str(given.get("email") or given.get("id") or "")
    overwrite = given.get("overwrite") in (True, 1, "1", "true")
    try:
        email, contact = _named(mailing_list, given, creates=creates)
        strict = call.world.readings.unknown_fields == "invalid"
        values = _values(fields, given, overwrite=overwrite and creates, strict=strict)
    except ValueError as wrong:
        return Row(sent, error=str(wrong))
    absent = missing_mandatory(fields.values(), values, is_new=creates and contact is None)
    if absent:
        return Row(sent, error=f"{absent}: {absent} must not be empty")
    return Row(sent, email, values, overwrite, contact)


def _named(mailing_list: MailingList, given: dict[str, Any], *, creates: bool) -> tuple[str, Contact | None]:
    if given.get("email") is None and given.get("id") is not None and not creates:
        return "", mailing_list.contacts.by_id(str(given["id"]))
    email = mailing_list.accept_address(given.get("email"))
    return email, mailing_list.contacts.get(email)


def _values(fields: Mapping[str, ListField], given: dict[str, Any], *, overwrite: bool, strict: bool) -> dict[str, Any]:
    nested = given.get("fields")
    if nested is None:
        if overwrite:
            raise ValueError("fields: fields must not be empty when overwrite is used")
        nested = {name: value for name, value in given.items() if name not in _NO_FIELDS}
    if not isinstance(nested, dict) and nested != []:
        raise ValueError("fields: fields must be an object")
    values = {}
    for name, value in dict(nested).items():
        own = fields.get(name)
        if own is None:
            if strict:
                raise ValueError(f"{name}: no such field in the list")
        elif name != "email":
            values[name] = _accepted(own, value)
    return values


def _accepted(own: ListField, value: Any) -> Any:
    try:
        return own.accept(value)
    except ValueError as wrong:
        raise ValueError(f"{own.name}: {wrong}") from None


def missing_mandatory(fields: Iterable[ListField], values: Mapping[str, Any], *, is_new: bool) -> str:
    """Return the name of a mandatory field that has no value, or the empty text.

    Args:
        fields: The list's fields.
        values: What is to be written.
        is_new: A new contact needs all of them; a known one only those that are being written.
    """
    for own in fields:
        if own.mandatory and own.name != "email" and values.get(own.name, None if is_new else "kept") is None:
            if is_new and own.default not in (None, ""):
                continue
            return own.name
    return ""


def with_defaults(fields: Iterable[ListField], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a new contact: what was given, else the field's default."""
    defaults = {own.name: own.default for own in fields if own.default not in (None, "")}
    return {**defaults, **{name: value for name, value in values.items() if value is not None}}
