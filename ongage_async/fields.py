"""A list's own fields as a class: what the code that ``ongage codegen`` writes is made of.

A class derives from `ListContact` and declares each field with the function of its type; from then on a value of the
wrong type makes no contact, and so never leaves the process. Writing such classes is `cli/_codegen.py`; sending and
getting them is `resources/contacts.py`. Pure. Source: vendor page §3.2 (types, date formats), §3.3 (contacts).

    @attrs.frozen(kw_only=True)
    class MyContact(fields.ListContact):
        first_name: str | None = fields.string("first_name")
        birthday: dt.date | None = fields.date("birthday", "yyyy-mm-dd")
"""

# the calls in class bodies make attrs fields

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Self

import attrs

from ongage_async._drift import count
from ongage_async.errors import ConfigurationError, DecodeError, InvalidInputError
from ongage_async.events import DriftSeen
from ongage_async.models import _scalars, _shape
from ongage_async.models.contacts import Contact, NewContact

__all__ = ["DATE_FORMATS", "ListContact", "date", "email", "numeric", "other", "string"]

_DAYS = ("dd/mm/yyyy", "mm/dd/yyyy", "yyyy/mm/dd", "dd-mm-yyyy", "mm-dd-yyyy", "yyyy-mm-dd")
DATE_FORMATS = tuple(day + clock for day in _DAYS for clock in ("", " hh24:mi", " hh24:mi:ss"))
"""The vendor's eighteen formats of dates; those with a clock hold a datetime, the others a date."""

_PARTS = {"yyyy": "%Y", "mm": "%m", "dd": "%d", "hh24": "%H", "mi": "%M", "ss": "%S"}
_SPEC = "ongage_list_field"
_is_address = re.compile(r"[^\s@]+@[^\s@]+").fullmatch


@attrs.frozen
class _Spec:
    """Say how one field's values are checked, written and read."""

    name: str
    mandatory: bool
    expected: str
    is_good: Callable[[Any], bool]
    read: Callable[[Any], Any]
    write: Callable[[Any], Any] = lambda value: value

    def check(self, _contact: object, _attribute: object, value: Any) -> None:
        """Refuse a value of another type; the text names the field, never the value."""
        if value is not None and not self.is_good(value):
            raise InvalidInputError(f"{self.name}: {self.expected} was expected, not this {type(value).__name__}")


def _declare(spec: _Spec) -> Any:
    # The repr is as reserved as `Contact`'s: values are personal.
    return attrs.field(default=None, repr=False, validator=spec.check, metadata={_SPEC: spec})


def string(name: str, *, mandatory: bool = False) -> Any:
    """Declare a field of text.

    Args:
        name: The field's name in the list.
        mandatory: A new contact is refused without it.
    """
    return _declare(_Spec(name, mandatory, "text", lambda value: isinstance(value, str), _scalars.to_text))


def email(name: str, *, mandatory: bool = False) -> Any:
    """Declare a further field that holds an address.

    Args:
        name: The field's name in the list.
        mandatory: A new contact is refused without it.
    """
    return _declare(_Spec(name, mandatory, "an address", _is_email, _scalars.to_text))


def numeric(name: str, *, mandatory: bool = False) -> Any:
    """Declare a field of numbers; whole ones stay whole.

    Args:
        name: The field's name in the list.
        mandatory: A new contact is refused without it.
    """
    return _declare(_Spec(name, mandatory, "a finite number", _is_number, _read_number))


def date(name: str, format: str, *, mandatory: bool = False) -> Any:  # noqa: A002  # the vendor's name
    """Declare a field of dates: `datetime.date`, or a naive `datetime.datetime` if the format has a clock.

    The vendor's text has no time zone, so the value has none: what is written is what is read, whoever reads it. What
    is finer than the format is cut off.

    Args:
        name: The field's name in the list.
        format: One of `DATE_FORMATS`.
        mandatory: A new contact is refused without it.

    Raises:
        ConfigurationError: It is none of them.
    """
    if format not in DATE_FORMATS:
        raise ConfigurationError(f"{name}: the format of a date must be one of: {', '.join(DATE_FORMATS)}")
    pattern = re.sub("|".join(_PARTS), lambda part: _PARTS[part[0]], format)
    if " " in format:
        spec = _Spec(name, mandatory, "a datetime without a time zone", _is_moment, _moment_reader(pattern))
    else:
        spec = _Spec(name, mandatory, "a date without a time", _is_day, _day_reader(pattern))
    return _declare(attrs.evolve(spec, write=lambda value: _written(value, format)))


def other(name: str, *, mandatory: bool = False) -> Any:
    """Declare a field of a type that this version does not know: its values go and come as they are.

    Args:
        name: The field's name in the list.
        mandatory: A new contact is refused without it.
    """
    return _declare(_Spec(name, mandatory, "anything", lambda _: True, lambda raw: raw))


# --- values -----------------------------------------------------------------------------------------------------------


def _is_email(value: Any) -> bool:
    return isinstance(value, str) and _is_address(value) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_day(value: Any) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


def _is_moment(value: Any) -> bool:
    return isinstance(value, dt.datetime) and value.tzinfo is None


def _read_number(raw: Any) -> int | float | None:
    number = _scalars.to_float(raw)
    return _scalars.to_int(raw) if number is not None and number.is_integer() else number


def _moment_reader(pattern: str) -> Callable[[Any], dt.datetime | None]:
    def read(raw: Any) -> dt.datetime | None:
        try:
            return dt.datetime.strptime(str(raw), pattern)  # noqa: DTZ007  # the vendor's text has no zone
        except ValueError:
            time = _scalars.to_datetime(raw)  # assumed: where it is no text in its format, it is as all other times
            return None if time is None else time.replace(tzinfo=None)

    return read


def _day_reader(pattern: str) -> Callable[[Any], dt.date | None]:
    read_moment = _moment_reader(pattern)

    def read(raw: Any) -> dt.date | None:
        moment = read_moment(raw)
        return None if moment is None else moment.date()

    return read


def _written(value: dt.date, format: str) -> str:  # noqa: A002
    # Not by strftime: some systems write the year 33 as "33".
    parts = {"yyyy": f"{value.year:04}", "mm": f"{value.month:02}", "dd": f"{value.day:02}"}
    if isinstance(value, dt.datetime):
        parts |= {"hh24": f"{value.hour:02}", "mi": f"{value.minute:02}", "ss": f"{value.second:02}"}
    return re.sub("|".join(_PARTS), lambda part: parts[part[0]], format)


def _check_email(_contact: object, _attribute: object, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError("email is blank or no text")


# --- the class --------------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class ListContact:
    """Be the base of a list's class: a contact with the list's own fields as attributes, each of its own type.

    None says nothing about a field: it is not sent, so an update changes only what has a value. To empty a field, send
    a `NewContact` or a mapping. To change a contact that came, make another: ``attrs.evolve(contact, orders=3)``.

    Attributes:
        email: Address.
        contact: What the vendor answered, with the contact's id, status, times, and all values as they came; None in a
            contact that was made here.

    Raises:
        InvalidInputError: A value of the wrong type; the message names the field.
    """

    email: str = attrs.field(repr=_shape.show_address, validator=_check_email)
    contact: Contact | None = attrs.field(default=None, repr=False, eq=False)

    @classmethod
    def of(cls, contact: Contact, *, on_drift: Callable[[DriftSeen], None] | None = None) -> Self:
        """Make one from a contact that came.

        Args:
            contact: The contact, of a list with these fields.
            on_drift: Told of each field whose value is not of its type. Such a one is None here, and as it came in
                ``contact.fields``.

        Raises:
            DecodeError: The answer has no address.
        """
        if contact.email is None or _scalars.is_nothing(contact.email):
            raise DecodeError(f"no {cls.__name__} can be read from the answer: it has no email", path="$.payload.email")
        values: dict[str, Any] = {}
        for attribute, spec in _specs(cls):
            raw = contact.fields.get(spec.name)
            try:
                value = None if _scalars.is_nothing(raw) else spec.read(raw)
                spec.check(None, None, value)
                values[attribute] = value
            except (_scalars.UnreadableError, InvalidInputError):
                drift = DriftSeen(cls.__name__, spec.name, "value")
                count([drift])
                if on_drift is not None:
                    on_drift(drift)
        return cls(email=contact.email, contact=contact, **values)

    def to_new_contact(self, *, is_new: bool = False) -> NewContact:
        """Return the row as it is sent.

        Args:
            is_new: Whether it must have all that the list demands of a new contact.

        Raises:
            InvalidInputError: A mandatory field has no value.
        """
        values: dict[str, Any] = {}
        for attribute, spec in _specs(type(self)):
            value = getattr(self, attribute)
            if value is not None:
                values[spec.name] = spec.write(value)
            elif is_new and spec.mandatory:
                raise InvalidInputError(f"{spec.name} is mandatory in the list and has no value")
        return NewContact(self.email, values)


def _specs(cls: type[ListContact]) -> Iterator[tuple[str, _Spec]]:
    for attribute in attrs.fields(cls):
        if _SPEC in attribute.metadata:
            yield attribute.name, attribute.metadata[_SPEC]
