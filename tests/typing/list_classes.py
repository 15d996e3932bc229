"""A class for a list's own fields as a type checker sees it. Never run: `make types` reads it.

`my_fields.py` and `nasty_fields.py` are what ``ongage codegen`` writes; tests/codegen holds them to it.
"""

import datetime as dt
from typing import assert_type

import attrs

from ongage_async import NewContact, OngageClient
from ongage_async.models import Contact, ContactRow, ContactsReport
from tests.typing.my_fields import MyContact


async def sending(ongage: OngageClient) -> None:
    ann = MyContact(email="ann@example.com", first_name="Ann", orders=3, birthday=dt.date(1990, 2, 1))
    assert_type(ann.first_name, str | None)
    assert_type(ann.orders, float | None)
    assert_type(ann.birthday, dt.date | None)
    assert_type(ann.last_seen, dt.datetime | None)
    assert_type(ann.to_new_contact(), NewContact)
    assert_type(await ongage.contacts.create([ann], overwrite=True), ContactsReport)
    assert_type(await ongage.contacts.update([attrs.evolve(ann, orders=4)]), ContactsReport)
    rows: list[ContactRow] = [ann, NewContact("b@doe.com"), {"email": "c@doe.com"}]
    await ongage.contacts.create(rows)
    await ongage.contacts.create(ann)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    MyContact(first_name="Ann")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    MyContact(email="a@doe.com", name="Ann")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    MyContact(email="a@doe.com", orders="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    MyContact(email="a@doe.com", birthday="1990")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ann.orders = 4  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


async def getting(ongage: OngageClient) -> None:
    mine = await ongage.contacts.get_by_email("ann@example.com", as_=MyContact)
    assert_type(mine, MyContact)
    assert_type(mine.contact, Contact | None)
    assert_type(await ongage.contacts.get_by_id("0" * 24, as_=MyContact, list_id=7), MyContact)
    assert_type(await ongage.contacts.get_by_id("0" * 24), Contact)
    assert_type(MyContact.of(await ongage.contacts.get_by_email("ann@example.com")), MyContact)
    await ongage.contacts.get_by_email("a@doe.com", as_=dict)  # type: ignore[type-var]  # pyright: ignore
