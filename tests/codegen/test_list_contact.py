"""A class of a list's own fields: what it takes, what it refuses, and what becomes of what the vendor answers."""

# ruff: noqa: DTZ001, RUF009  # dates of lists have no zone; the calls make attrs fields

import datetime as dt
import math
import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async import ConfigurationError, DecodeError, InvalidInputError, drift_report, fields
from ongage_async.events import DriftSeen
from ongage_async.models import Contact, NewContact
from tests.typing.my_fields import MyContact
from tests.typing.nasty_fields import MyContact as NastyContact

GOOD: dict[str, Any] = {
    "email": "ann@example.com",
    "first_name": "Ann",
    "orders": 3,
    "birthday": dt.date(33, 2, 1),
    "last_seen": dt.datetime(2026, 7, 1, 9, 5, 59),
    "field_2nd_email": "ann@example.org",
    "class_": "A",
}
WRONG = [
    ("first_name", 5, "first_name: text was expected, not this int"),
    ("first_name", b"Ann", "first_name: text was expected, not this bytes"),
    ("orders", "3", "orders: a finite number was expected, not this str"),
    ("orders", True, "orders: a finite number was expected, not this bool"),
    ("orders", math.nan, "orders: a finite number was expected, not this float"),
    ("birthday", "1990-02-01", "birthday: a date without a time was expected, not this str"),
    ("birthday", dt.datetime(1990, 2, 1), "birthday: a date without a time was expected, not this datetime"),
    ("last_seen", dt.date(1990, 2, 1), "last seen: a datetime without a time zone was expected, not this date"),
    ("last_seen", dt.datetime.now(dt.UTC), "last seen: a datetime without a time zone was expected, not this datetime"),
    ("field_2nd_email", "secret", "2nd email: an address was expected, not this str"),
    ("email", None, "email is blank or no text"),
    ("email", " ", "email is blank or no text"),
]


def came(**values: Any) -> Contact:
    return Contact(email="ann@example.com", id="0" * 24, fields=values)


@pytest.mark.parametrize(("name", "value", "text"), WRONG)
def test_a_value_of_another_type_makes_no_contact(name: str, value: Any, text: str):
    """The error names the field as the list does, and the value's type instead of the value."""
    with pytest.raises(InvalidInputError) as caught:
        MyContact(**{**GOOD, name: value})
    assert str(caught.value) == text
    with pytest.raises(InvalidInputError):
        attrs.evolve(MyContact(**GOOD), **{name: value})


def test_a_contact_is_sent_under_the_names_and_in_the_formats_of_the_list():
    assert MyContact(**GOOD).to_new_contact() == NewContact(
        "ann@example.com",
        {
            "first_name": "Ann",
            "orders": 3,
            "birthday": "01/02/0033",
            "last seen": "2026-07-01 09:05",
            "2nd email": "ann@example.org",
            "class": "A",
        },
    )


def test_what_has_no_value_is_not_sent():
    assert MyContact(email="ann@example.com", orders=0).to_new_contact().fields == {"orders": 0}


def test_what_the_list_demands_is_asked_of_new_contacts_only():
    row = MyContact(email="ann@example.com", orders=3)
    assert NewContact.of(row).fields == {"orders": 3}
    with pytest.raises(InvalidInputError, match=r"^row 7: first_name is mandatory in the list and has no value$"):
        NewContact.of(row, 7, is_new=True)


def test_what_came_is_read_by_the_types_of_the_list():
    contact = came(
        **{"first_name": "Ann", "orders": "3", "birthday": "01/02/1990", "last seen": "2026-07-01 09:05", "class": ""}
    )
    mine = MyContact.of(contact)
    assert mine == MyContact(
        email="ann@example.com",
        first_name="Ann",
        orders=3,
        birthday=dt.date(1990, 2, 1),
        last_seen=dt.datetime(2026, 7, 1, 9, 5),
    )
    assert isinstance(mine.orders, int)
    assert mine.contact is contact


@pytest.mark.parametrize("raw", [633830400, "633830400", "1990-02-01", "1990-02-01T00:00:00Z"])
def test_a_date_in_another_form_is_read_as_the_vendors_other_times_are(raw: Any):
    mine = MyContact.of(came(birthday=raw, **{"last seen": raw}))
    assert mine.birthday == dt.date(1990, 2, 1)
    assert mine.last_seen == dt.datetime(1990, 2, 1)


def test_a_value_that_cannot_be_read_is_told_and_kept():
    told: list[DriftSeen] = []
    drift_report(reset=True)
    contact = came(orders="many", birthday="31/02/1990", **{"2nd email": "nowhere"}, first_name=["Ann"])
    mine = MyContact.of(contact, on_drift=told.append)
    assert mine == MyContact(email="ann@example.com")
    assert {(drift.model, drift.field, drift.kind) for drift in told} == {
        ("MyContact", name, "value") for name in ("orders", "birthday", "2nd email", "first_name")
    }
    assert len(drift_report(reset=True)) == 4
    assert mine.contact is contact


def test_an_answer_without_an_address_makes_no_contact():
    with pytest.raises(DecodeError, match="it has no email"):
        MyContact.of(Contact(id="0" * 24))


def test_a_contact_shows_nothing_personal_and_pickles():
    contact = MyContact(**GOOD)
    assert repr(contact) == "MyContact(email='a…@…')"
    assert pickle.loads(pickle.dumps(contact)) == contact


def test_an_unknown_type_lets_everything_through():
    assert NastyContact(email="ann@example.com", float_=[[1, 2]]).to_new_contact().fields == {"float": [[1, 2]]}


def test_a_format_that_is_not_the_vendors_is_refused():
    with pytest.raises(ConfigurationError, match="one of: dd/mm/yyyy, dd/mm/yyyy hh24:mi"):
        fields.date("birthday", "YYYY-MM-DD")


@given(st.datetimes(), st.sampled_from(fields.DATE_FORMATS))
def test_every_date_comes_back_from_every_format(moment: dt.datetime, pattern: str):
    """What the format holds of a date is written and read without loss."""

    @attrs.frozen(kw_only=True)
    class Dated(fields.ListContact):
        when: dt.date | None = fields.date("when", pattern)

    exact = moment.replace(microsecond=0) if pattern.endswith("ss") else moment.replace(microsecond=0, second=0)
    value = exact if " " in pattern else moment.date()
    text = Dated(email="a@b", when=moment if " " in pattern else value).to_new_contact().fields["when"]
    assert len(text) == len(pattern.replace("24", ""))
    assert Dated.of(Contact(email="a@b", fields={"when": text})).when == value
