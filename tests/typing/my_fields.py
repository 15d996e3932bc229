"""The contacts of list 123, typed.

Written by `ongage codegen`; write it anew when the list's fields change.
"""

# ruff: noqa: RUF009  # the calls make attrs fields

import datetime as dt

import attrs

from ongage_async import fields


@attrs.frozen(kw_only=True)
class MyContact(fields.ListContact):
    """Hold one contact of list 123."""

    first_name: str | None = fields.string("first_name", mandatory=True)
    orders: float | None = fields.numeric("orders")
    birthday: dt.date | None = fields.date("birthday", "dd/mm/yyyy")
    last_seen: dt.datetime | None = fields.date(
        "last seen",
        "yyyy-mm-dd hh24:mi",
    )
    field_2nd_email: str | None = fields.email("2nd email")
    class_: str | None = fields.string("class")
