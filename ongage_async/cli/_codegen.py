"""``ongage codegen``: write a class for the fields of a list, for a program to send and get contacts with.

`source_of` is pure: the same fields give the same text, which `ruff format` leaves as it is at any line length from 79
on. What the class can do is `ongage_async/fields.py`.
"""

import keyword
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from ongage_async.cli._account import Account
from ongage_async.cli._ending import Exit, carried_out
from ongage_async.errors import ConfigurationError
from ongage_async.fields import DATE_FORMATS, ListContact
from ongage_async.models import FieldType, ListField

__all__ = ["run_codegen", "source_of"]

_WIDTH = 79
_LONGEST = 36
"""Columns of an attribute's name: beyond, a line would need to be broken before its call."""
_TAKEN = {"Any", "attrs", "dt", "fields", "float", "self", "str", *vars(ListContact)}
"""Names that a field's attribute would hide from its class, and the one that attrs needs."""


def run_codegen(account: Account, class_name: str) -> int:
    """Write the class to standard output; return the exit code."""

    async def work() -> int:
        async with account.opened() as ongage:
            found = [own async for own in ongage.list_fields.each()]
        source = source_of(found, class_name=class_name, list_id=account.list_id)
        sys.stdout.buffer.write(source.encode())  # Python reads its sources as UTF-8, whatever the terminal speaks
        return Exit.OK

    return carried_out(work, debug=account.debug)


# --- the text ---------------------------------------------------------------------------------------------------------


def source_of(list_fields: Iterable[ListField], *, class_name: str = "MyContact", list_id: int | None = None) -> str:
    """Return the source of a module with one class for the fields of a list.

    Args:
        list_fields: The fields in any order; deleted ones are left out.
        class_name: What the class is called.
        list_id: Named in the docstrings; None: the list of the first field.

    Raises:
        ConfigurationError: `class_name` is no name of a class.
    """
    if not class_name.isidentifier() or keyword.iskeyword(class_name) or class_name in _TAKEN:
        raise ConfigurationError(
            f"{class_name!r} cannot be the name of a class: use letters and digits, as in MyContact"
        )
    own = _in_order(list_fields)
    if list_id is None and own:
        list_id = own[0].list_id
    which = "a list" if list_id is None else f"list {list_id}"
    types = [_typed(field) for field in own]
    attributes = _identifiers([field.name or "" for field in own])
    declarations = [line for each in zip(own, attributes, types, strict=True) for line in _declaration(*each)]
    lines = [
        f'"""The contacts of {which}, typed.',
        "",
        "Written by `ongage codegen`; write it anew when the list's fields change.",
        '"""',
        "",
        "# ruff: noqa: RUF009  # the calls make attrs fields",
        "",
        *_imports([annotation for annotation, _, _ in types]),
        "",
        "",
        "@attrs.frozen(kw_only=True)",
        f"class {class_name}(fields.ListContact):",
        f'    """Hold one contact of {which}."""',
        *(["", *declarations] if declarations else []),
    ]
    return "\n".join(lines) + "\n"


def _in_order(list_fields: Iterable[ListField]) -> list[ListField]:
    """Return the fields that get an attribute, each name once: not the address, which every contact has."""
    ordered = sorted(list_fields, key=lambda own: (own.position or 0, own.id))
    first: dict[str, ListField] = {}
    for own in ordered:
        if own.name and own.name != "email" and own.deleted is None:
            first.setdefault(own.name, own)
    return list(first.values())


def _imports(annotations: Sequence[str]) -> list[str]:
    dates = ["import datetime as dt"] if any(each.startswith("dt.") for each in annotations) else []
    unknown = ["from typing import Any"] if "Any" in annotations else []
    standard = [*dates, *unknown, ""] if dates or unknown else []
    return [*standard, "import attrs", "", "from ongage_async import fields"]


def _declaration(field: ListField, attribute: str, typed: tuple[str, str, list[str]]) -> Iterator[str]:
    """Return the lines of one attribute; a call that is too long is broken where ruff breaks it."""
    annotation, maker, arguments = typed
    if field.mandatory and field.default in (None, ""):  # with a default the vendor fills it in
        arguments = [*arguments, "mandatory=True"]
    start = f"    {attribute}: {annotation} = fields.{maker}("
    line = f"{start}{', '.join(arguments)})"
    yield from [line] if _columns(line) <= _WIDTH else [start, *(f"        {each}," for each in arguments), "    )"]


def _typed(field: ListField) -> tuple[str, str, list[str]]:
    """Return annotation, function of `fields` and its arguments."""
    name = _literal(field.name or "")
    match field.type:
        case FieldType.NUMERIC:
            return "float | None", "numeric", [name]
        case FieldType.EMAIL:
            return "str | None", "email", [name]
        case FieldType.DATE if field.format in DATE_FORMATS:
            return f"dt.{'datetime' if ' ' in field.format else 'date'} | None", "date", [name, f'"{field.format}"']
        case FieldType.STRING | FieldType.DATE:  # a date of a format that is not known is text
            return "str | None", "string", [name]
        case _:
            return "Any", "other", [name]


def _literal(text: str) -> str:
    """Return text as ruff writes it: in double quotes, unless that takes more backslashes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    body = repr(text + "'\"")[1:-4].replace("\\'", "'")  # both quotes make repr choose single ones
    return quote + body.replace(quote, "\\" + quote) + quote


def _columns(line: str) -> int:
    """Return how wide a line is shown: Chinese and Japanese letters take two columns."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


# --- names ------------------------------------------------------------------------------------------------------------


def _identifiers(names: Sequence[str]) -> list[str]:
    """Return an attribute for each field's name, all different; a name that can be one itself goes first."""
    plain = [_plain(name) for name in names]
    used = {name for name, attribute in zip(names, plain, strict=True) if name == attribute}
    found = []
    for name, attribute in zip(names, plain, strict=True):
        found.append(attribute if name == attribute else _unused(attribute, used))
        used.add(found[-1])
    return found


def _plain(name: str) -> str:
    """Return the nearest identifier: normalised as Python does, and no private name, which attrs would change."""
    letters = unicodedata.normalize("NFKC", name)
    attribute = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in letters)
    attribute = re.sub("__+", "_", attribute).strip("_") if attribute != name or name.startswith("_") else attribute
    if not attribute.isidentifier():
        attribute = f"field_{attribute}".rstrip("_")
    while _columns(attribute) > _LONGEST:
        attribute = attribute[:-1].rstrip("_")
    return f"{attribute}_" if keyword.iskeyword(attribute) or attribute in _TAKEN else attribute


def _unused(attribute: str, used: set[str]) -> str:
    number, unused = 1, attribute
    while unused in used:
        number += 1
        unused = f"{attribute.rstrip('_')}_{number}"
    return unused
