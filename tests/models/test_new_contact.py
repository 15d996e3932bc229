"""Rows as callers write them, and as they are sent."""

import copy
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async.errors import InvalidInputError, OngageError
from ongage_async.models import Contact, NewContact
from ongage_async.models.contacts import as_sent

NAMES = st.sampled_from(["john@doe.com", " JOHN@doe.com", "", "  ", None, 7])
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "email": NAMES,
        "id": NAMES,
        "fields": st.sampled_from([{"a": "b"}, {}, "x", None]),
        "overwrite": st.sampled_from([True, False, None]),
        "name": st.just("John"),
    },
)


@pytest.mark.parametrize(
    "row",
    [
        NewContact("john@doe.com", {"name": "John Doe", "country": "Chile"}),
        {"email": "john@doe.com", "fields": {"name": "John Doe", "country": "Chile"}},
        {"email": "john@doe.com", "name": "John Doe", "country": "Chile"},
        Contact(email="john@doe.com", id="5aae", fields={"name": "John Doe", "country": "Chile"}),
    ],
)
def test_every_form_of_a_row_is_sent_as_the_vendors_sample(row: Any) -> None:
    sample = {"email": "john@doe.com", "overwrite": True, "fields": {"name": "John Doe", "country": "Chile"}}
    assert NewContact.of(row).to_wire(overwrite=True) == sample


CONTACTS = st.builds(Contact, email=NAMES, id=NAMES, fields=st.sampled_from([{"a": "b"}, MappingProxyType({"a": 1})]))


@given(ROWS | CONTACTS, st.booleans())
def test_the_short_way_of_a_row_leads_where_the_long_one_does(row: Any, overwrite: bool) -> None:
    """`as_sent` makes no `NewContact` where it can; nobody may see which way a row went."""
    before = copy.copy(row)
    try:
        expected: Any = NewContact.of(row, 3).to_wire(overwrite=overwrite)
    except InvalidInputError as error:
        expected = str(error)
    try:
        sent: Any = as_sent(row, 3, overwrite=overwrite)
    except InvalidInputError as error:
        sent = str(error)
    assert repr(sent) == repr(expected)
    assert row == before


def test_the_vendors_sample_is_itself_a_row() -> None:
    sample = {"email": "john@doe.com", "overwrite": True, "fields": {"name": "John Doe"}}
    assert NewContact.of(sample).to_wire(overwrite=False) == sample


def test_a_row_may_name_its_contact_by_id() -> None:
    assert NewContact.of({"id": "5aae", "name": "x"}).to_wire(overwrite=True) == {
        "id": "5aae",
        "overwrite": True,
        "fields": {"name": "x"},
    }


def test_a_field_called_fields_is_a_field_when_it_is_no_object() -> None:
    assert NewContact.of({"email": "a@b.c", "fields": "x"}).fields == {"fields": "x"}


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("john@doe.com", "row 3 is a str"),
        (7, "row 3 is a int"),
        ({"email": 7}, "row 3: `email`"),
        ({"email": "  "}, "row 3: `email`"),
        ({"id": ""}, "row 3: `id`"),
        ({"email": "john@doe.com", "fields": {}, "name": "John"}, "row 3 has values both"),
    ],
)
def test_a_row_that_names_nobody_is_refused_without_its_values(row: Any, word: str) -> None:
    with pytest.raises(InvalidInputError, match=word) as caught:
        NewContact.of(row, 3)
    assert "john" not in str(caught.value).lower()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, OngageError)


def test_a_row_in_a_log_shows_neither_address_nor_values() -> None:
    shown = repr(NewContact("john@doe.com", {"name": "John"}))
    assert "doe" not in shown
    assert "John" not in shown
