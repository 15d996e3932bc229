"""Fields of lists: one as people make them, and one with every name that can hurt."""

from typing import Any

from ongage_async.models import FieldType, ListField

ORDINARY: tuple[dict[str, Any], ...] = (
    {"name": "email", "title": "Email", "type": "email", "mandatory": True, "position": 0},
    {"name": "first_name", "title": "First name", "type": "string", "mandatory": True, "position": 1},
    {"name": "orders", "title": "Orders", "type": "numeric", "position": 2},
    {"name": "birthday", "title": "Birthday", "type": "date", "format": "dd/mm/yyyy", "position": 3},
    {"name": "last seen", "title": "Seen", "type": "date", "format": "yyyy-mm-dd hh24:mi", "position": 4},
    {"name": "2nd email", "title": "Second", "type": "email", "position": 5},
    {"name": "class", "title": "Class", "type": "string", "default": "B", "mandatory": True, "position": 6},
)

NASTY = (
    *("class", "import_", "import", "None", "match", "str", "float", "dt", "fields", "attrs", "Any"),
    *("contact", "of", "to_new_contact", "mro", "self", "a b", "a-b", "a_b", "2nd", "__x", "x_", "_", "$$$"),
    *("prénom", "ﬁeld", "𝐱", "x", "日本語の名前", "it's", 'say "hi"', 'both \' " "', "back\\slash", "\\'"),
    *("new\nline", "tab\t", "emoji 😀", "\u200b", "\ud800", "{braces}", '"""', "dt.date", "a" * 90),
    *("b" * 36, "c" * 37, "日" * 30, "Name", "name", "naïve", "naïve", "é", "é"),
)
_KINDS = (
    ("string", None),
    ("numeric", None),
    ("date", "yyyy-mm-dd"),
    ("date", "dd/mm/yyyy hh24:mi:ss"),
    ("date", "yyyy"),
    ("email", None),
    ("polygon", None),
)


def field(number: int, name: str, kind: str | None = "string", pattern: str | None = None, **more: Any) -> ListField:
    given = {"list_id": 123, "position": number, "mandatory": False, "type": kind, "format": pattern, **more}
    return ListField(id=number + 1, name=name, **{**given, "type": given["type"] and FieldType(given["type"])})


def ordinary() -> list[ListField]:
    return [field(number, **each) for number, each in enumerate(ORDINARY)]


def nasty() -> list[ListField]:
    return [
        field(number, name, *_KINDS[number % len(_KINDS)], mandatory=number % 2 == 0)
        for number, name in enumerate(NASTY)
    ]
