"""The contacts of list 123, typed.

Written by `ongage codegen`; write it anew when the list's fields change.
"""

# ruff: noqa: RUF009  # the calls make attrs fields

import datetime as dt
from typing import Any

import attrs

from ongage_async import fields


@attrs.frozen(kw_only=True)
class MyContact(fields.ListContact):
    """Hold one contact of list 123."""

    class_: str | None = fields.string("class", mandatory=True)
    import_: float | None = fields.numeric("import_")
    import_2: dt.date | None = fields.date(
        "import",
        "yyyy-mm-dd",
        mandatory=True,
    )
    None_: dt.datetime | None = fields.date("None", "dd/mm/yyyy hh24:mi:ss")
    match: str | None = fields.string("match", mandatory=True)
    str_: str | None = fields.email("str")
    float_: Any = fields.other("float", mandatory=True)
    dt_: str | None = fields.string("dt")
    fields_: float | None = fields.numeric("fields", mandatory=True)
    attrs_: dt.date | None = fields.date("attrs", "yyyy-mm-dd")
    Any_: dt.datetime | None = fields.date(
        "Any",
        "dd/mm/yyyy hh24:mi:ss",
        mandatory=True,
    )
    contact_: str | None = fields.string("contact")
    of_: str | None = fields.email("of", mandatory=True)
    to_new_contact_: Any = fields.other("to_new_contact")
    mro: str | None = fields.string("mro", mandatory=True)
    self_: float | None = fields.numeric("self")
    a_b_2: dt.date | None = fields.date("a b", "yyyy-mm-dd", mandatory=True)
    a_b_3: dt.datetime | None = fields.date("a-b", "dd/mm/yyyy hh24:mi:ss")
    a_b: str | None = fields.string("a_b", mandatory=True)
    field_2nd: str | None = fields.email("2nd")
    x_2: Any = fields.other("__x", mandatory=True)
    x_: str | None = fields.string("x_")
    field: float | None = fields.numeric("_", mandatory=True)
    field_2: dt.date | None = fields.date("$$$", "yyyy-mm-dd")
    prénom: dt.datetime | None = fields.date(
        "prénom",
        "dd/mm/yyyy hh24:mi:ss",
        mandatory=True,
    )
    field_3: str | None = fields.string("ﬁeld")
    x_3: str | None = fields.email("𝐱", mandatory=True)
    x: Any = fields.other("x")
    日本語の名前: str | None = fields.string("日本語の名前", mandatory=True)
    it_s: float | None = fields.numeric("it's")
    say_hi: dt.date | None = fields.date(
        'say "hi"',
        "yyyy-mm-dd",
        mandatory=True,
    )
    both: dt.datetime | None = fields.date(
        'both \' " "',
        "dd/mm/yyyy hh24:mi:ss",
    )
    back_slash: str | None = fields.string("back\\slash", mandatory=True)
    field_4: str | None = fields.email("\\'")
    new_line: Any = fields.other("new\nline", mandatory=True)
    tab: str | None = fields.string("tab\t")
    emoji: float | None = fields.numeric("emoji 😀", mandatory=True)
    field_5: dt.date | None = fields.date("\u200b", "yyyy-mm-dd")
    field_6: dt.datetime | None = fields.date(
        "\ud800",
        "dd/mm/yyyy hh24:mi:ss",
        mandatory=True,
    )
    braces: str | None = fields.string("{braces}")
    field_7: str | None = fields.email('"""', mandatory=True)
    dt_date: Any = fields.other("dt.date")
    aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: str | None = fields.string(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        mandatory=True,
    )
    bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb: float | None = fields.numeric(
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    )
    cccccccccccccccccccccccccccccccccccc: dt.date | None = fields.date(
        "ccccccccccccccccccccccccccccccccccccc",
        "yyyy-mm-dd",
        mandatory=True,
    )
    日日日日日日日日日日日日日日日日日日: dt.datetime | None = fields.date(
        "日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日",
        "dd/mm/yyyy hh24:mi:ss",
    )
    Name: str | None = fields.string("Name", mandatory=True)
    name: str | None = fields.email("name")
    naïve: Any = fields.other("naïve", mandatory=True)
    é: float | None = fields.numeric("é", mandatory=True)
