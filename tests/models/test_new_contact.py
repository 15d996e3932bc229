"""Rows as callers write them, and as they are sent."""

from typing import Any

import pytest

from ongage_async.errors import InvalidInputError, OngageError
from ongage_async.models import Contact, NewContact


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
