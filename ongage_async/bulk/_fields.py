"""Say what a list accepts: addresses, values, columns. Pure: no file, no network, no clock.

Here live `FieldRule` (a list field, as far as a value can be checked against it) and `plan_columns`, which turns a
header into a `ColumnPlan`: which cell goes where and which test it must pass. `_clean.py` runs the plan over the rows.

What the vendor really refuses is known in part only (vendor page §3.2, §4.5): names, types, the 18 date formats and
`mandatory` are its; the shape of numbers and of addresses is *assumed*, on the generous side.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from attrs import frozen

from ongage_async.errors import ConfigurationError, CSVError

__all__ = [
    "OWN_COLUMNS",
    "ColumnPlan",
    "FieldRule",
    "UnknownColumns",
    "are_emails",
    "is_address",
    "is_email",
    "is_email_column",
    "name_columns",
    "neutralised",
    "plan_columns",
    "value_test",
    "wrong_width",
]

UnknownColumns = Literal["drop", "refuse"]
Test = Callable[[str], object]
"""Return something true for a good value."""
Rewrite = Callable[[str], str]
"""Return a good value as it is to be sent."""

TOO_FEW, TOO_MANY = "too few cells", "too many cells"

OWN_COLUMNS = ("ongage_row", "ongage_reason")
"""What a side file adds in front of the original cells; passed over when such a file is loaded again."""

EMAIL = "email"
EMAIL_GUESSES = (
    "email",
    "email_address",
    "mail",
    "mail_address",
    "subscriber_email",
    "contact_email",
    "customer_email",
    "user_email",
    "primary_email",
)
"""Column names taken for the address, in this order; compared in lower case, without ``-``, ``_`` and spaces."""

LONGEST_EMAIL = 254
# Specials may stand in quoted local parts (RFC 5322), which nobody has; here they mean a list, a display name or a URL.
# The last range is invisible characters that come along when an address is copied out of a web page.
_BARRED = r"\s@<>()\[\]:;,\\\"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2060\ufeff"
is_address = re.compile(rf"[^{_BARRED}]+@(?:[^{_BARRED}.]+\.)+[^{_BARRED}.]{{2,}}").fullmatch
_are_plain_addresses = re.compile(r"(?:[A-Za-z0-9_.+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}\n)*+").fullmatch
"""Addresses as nearly all are, one a line: `is_address` knows all of them too, and takes three times as long."""
_is_number = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)").fullmatch
_TIMES = {
    "": None,
    "hh24:mi": re.compile(r" (?:[01][0-9]|2[0-3]):[0-5][0-9]").fullmatch,
    "hh24:mi:ss": re.compile(r" (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]").fullmatch,
}
_DAYS = ("dd/mm/yyyy", "mm/dd/yyyy", "yyyy/mm/dd", "dd-mm-yyyy", "mm-dd-yyyy", "yyyy-mm-dd")


@frozen
class FieldRule:
    """Describe one field of a list.

    Args:
        name: The field's name; in the file that is sent, the column's name.
        type: ``email``, ``string``, ``numeric`` or ``date``; an unknown type is not checked.
        format: Of a date field, one of the vendor's 18; an unknown one is not checked.
        mandatory: An empty value is refused.
    """

    name: str
    type: str = "string"
    format: str | None = None
    mandatory: bool = False


@frozen
class ColumnPlan:
    """Say what becomes of each cell of a row.

    Attributes:
        width: Cells that a row must have.
        email: Index of the address.
        sent: (index in the row, name of the list field) of each column that is sent, in the order of the file.
        needed: (index, reason) of the columns that must not be empty.
        tests: (index, test, reason) of the columns whose values are checked; for values that are not empty.
        own: Indexes of a side file's own columns.
        unknown: Names of the columns that the list lacks.
        rewrites: (index, function) of the columns whose good values are written in another way.
        dates: (index, format as `strftime` has it) of the dates, for sources whose dates are no text yet.
    """

    width: int
    email: int
    sent: tuple[tuple[int, str], ...]
    needed: tuple[tuple[int, str], ...]
    tests: tuple[tuple[int, Test, str], ...]
    own: tuple[int, ...] = ()
    unknown: tuple[str, ...] = ()
    rewrites: tuple[tuple[int, Rewrite], ...] = ()
    dates: tuple[tuple[int, str], ...] = ()


def is_email(text: str) -> bool:
    """Return whether `text` can be an address: one @, a local part, a dotted domain, no space, at most 254 characters.

    Unicode is let through on both sides (*assumed*: the vendor says nothing).
    """
    return len(text) <= LONGEST_EMAIL and is_address(text) is not None


_FORMULA_MARKS = frozenset("=+-@＝＋－＠")


def neutralised(cells: Iterable[str]) -> list[str]:
    """Put an apostrophe before cells that a spreadsheet would take for a formula; numbers are none.

    Source: OWASP, "CSV Injection"; tabs and line ends, which it names too, do not begin a stripped cell.
    """
    return [f"'{cell}" if cell[:1] in _FORMULA_MARKS and not _is_number(cell) else cell for cell in cells]


def are_emails(texts: Sequence[str]) -> bool:
    """Return whether all of them are what `is_email` calls an address."""
    if max(map(len, texts), default=0) > LONGEST_EMAIL:
        return False
    lines = "\n".join(texts) + "\n"
    if lines.count("\n") == len(texts) and _are_plain_addresses(lines):
        return True
    return all(map(is_address, texts))


def value_test(rule: FieldRule) -> tuple[Test, str] | None:
    """Return the test of a field's values and the reason that a failure gets; None where anything goes."""
    match rule.type:
        case "email":
            return is_email, f"{rule.name}: not an address"
        case "numeric":
            return _is_number, f"{rule.name}: not a number"
        case "date" if test := _date_test((rule.format or "").strip().lower()):
            return test, f"{rule.name}: not a date as {rule.format}"
    return None


def _date_test(pattern: str) -> Test | None:
    day, _, clock = pattern.partition(" ")
    if day not in _DAYS or clock not in _TIMES:
        return None
    is_day, is_time = _day_test(day), _TIMES[clock]
    if is_time is None:
        return is_day
    return lambda value: is_time(value[10:]) is not None and is_day(value[:10])


def _day_test(pattern: str) -> Callable[[str], bool]:
    parts = re.escape(pattern).replace("yyyy", "(?P<y>[0-9]{4})").replace("mm", "(?P<m>[0-9]{2})")
    match = re.compile(parts.replace("dd", "(?P<d>[0-9]{2})")).fullmatch

    def is_day(value: str) -> bool:
        if (found := match(value)) is None:
            return False
        try:
            dt.date(int(found["y"]), int(found["m"]), int(found["d"]))
        except ValueError:
            return False
        return True

    return is_day


def _date_writing(rule: FieldRule) -> str | None:
    """Return a date field's format in the language of `strftime`; None for other fields and unknown formats."""
    pattern = (rule.format or "").strip().lower()
    day, _, clock = pattern.partition(" ")
    if rule.type != "date" or day not in _DAYS or clock not in _TIMES:
        return None
    for theirs, ours in (("yyyy", "%Y"), ("hh24", "%H"), (":mi", ":%M"), (":ss", ":%S"), ("dd", "%d"), ("mm", "%m")):
        pattern = pattern.replace(theirs, ours)
    return pattern


def wrong_width(row: Sequence[str], names: Sequence[object]) -> str:
    """Return what is wrong with a row whose cells are not as many as its columns."""
    return TOO_FEW if len(row) < len(names) else TOO_MANY


def name_columns(header: Sequence[str], mapping: Mapping[str, str | None]) -> list[str | None]:
    """Say which field each column fills where the list's fields are not known: the one of its own name.

    Args:
        header: The columns' names.
        mapping: Column name → field name; None leaves the column out.

    Returns:
        A name per column; None for those left out, and for a side file's own.

    Raises:
        CSVError: No header, no email column, a name twice.
        ConfigurationError: `mapping` names a column that does not exist.
    """
    names = [name.strip() for name in header]
    _refuse_bad_header(names)
    _refuse_strange_columns(names, mapping)
    targets = {
        index: field
        for index, name in enumerate(names)
        if name not in OWN_COLUMNS and (field := mapping.get(name, name)) is not None
    }
    known = {index: field for index, field in targets.items() if field == EMAIL}
    targets[_email_index(names, known, mapping)] = EMAIL
    _refuse_collisions(names, targets)
    return [targets.get(index) for index in range(len(names))]


def plan_columns(
    header: Sequence[str],
    rules: Iterable[FieldRule],
    *,
    mapping: Mapping[str, str | None] | None = None,
    unknown: UnknownColumns = "drop",
    only_email: bool = False,
) -> ColumnPlan:
    """Match the columns of a file with the fields of a list.

    A column belongs to the field that `mapping` names (None: leave it out), else to the one of its own name, else to
    the one of its name in other letters' case, else to the one that is the same without ``-``, ``_`` and spaces; the
    address is also guessed (`EMAIL_GUESSES`). The plan's `sent` shows what was found.

    Args:
        header: The file's column names.
        rules: The list's fields. ``email`` is taken for granted.
        mapping: Column name → field name.
        unknown: What to do about columns that the list lacks.
        only_email: Send the address alone: the import action needs nothing else, so nothing else is checked.

    Raises:
        CSVError: No header, no or two email columns, a name twice, a mandatory field without a column, an unknown
            column under ``refuse``.
        ConfigurationError: `mapping` names a column or a field that does not exist.
    """
    names = [name.strip() for name in header]
    fields = {rule.name: rule for rule in rules}
    fields[EMAIL] = FieldRule(EMAIL, "email", mandatory=True)
    _refuse_bad_header(names)
    targets = _match(names, fields, mapping or {})
    email = _email_index(names, targets, mapping or {})
    targets[email] = EMAIL
    _refuse_collisions(names, targets)
    dropped = _left_over(names, targets, mapping or {})
    if dropped and unknown == "refuse":
        raise CSVError(
            f"the list has no field for {_quoted(dropped)}: add it to the list, map it, or drop it "
            'with unknown_columns="drop"',
            row=1,
            column=dropped[0],
            reason="unknown column",
        )
    chosen = {email: fields[EMAIL]} if only_email else {i: fields[name] for i, name in sorted(targets.items())}
    if not only_email:
        _refuse_missing(fields.values(), targets.values())
    return _plan(names, email, chosen, dropped)


def _plan(names: Sequence[str], email: int, chosen: Mapping[int, FieldRule], dropped: Sequence[str]) -> ColumnPlan:
    others = {index: rule for index, rule in chosen.items() if index != email}
    found = ((index, value_test(rule)) for index, rule in others.items())
    return ColumnPlan(
        width=len(names),
        email=email,
        sent=tuple((index, rule.name) for index, rule in chosen.items()),
        needed=tuple((index, f"{rule.name}: empty") for index, rule in others.items() if rule.mandatory),
        tests=tuple((index, *test) for index, test in found if test is not None),
        own=tuple(index for index, name in enumerate(names) if name in OWN_COLUMNS),
        unknown=tuple(dropped),
        dates=tuple((index, form) for index, rule in others.items() if (form := _date_writing(rule)) is not None),
    )


def _refuse_bad_header(names: Sequence[str]) -> None:
    if any(is_email(name) for name in names):
        raise CSVError("row 1 holds an address instead of column names: add a header row", row=1, reason="no header")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise CSVError(
            f"the header names {_quoted(twice)} twice: rename or remove one",
            row=1,
            column=twice[0],
            reason="duplicate column",
        )


def _match(names: Sequence[str], fields: Mapping[str, FieldRule], mapping: Mapping[str, str | None]) -> dict[int, str]:
    _refuse_strange_columns(names, mapping)
    for field in mapping.values():
        if field is not None and field not in fields:
            raise ConfigurationError(f'mapping: the list has no field "{field}"; it has {_quoted(sorted(fields))}')
    folded = {name.casefold(): name for name in fields}
    targets = {}
    for index, name in enumerate(names):
        target = mapping[name] if name in mapping else name if name in fields else folded.get(name.casefold())
        if target is not None and name not in OWN_COLUMNS:
            targets[index] = target
    _guess(names, targets, fields, mapping)
    return targets


def _refuse_strange_columns(names: Sequence[str], mapping: Mapping[str, str | None]) -> None:
    for column in mapping:
        if column not in names:
            raise ConfigurationError(f'mapping: the file has no column "{column}"; it has {_quoted(names)}')


def _guess(
    names: Sequence[str], targets: dict[int, str], fields: Iterable[str], mapping: Mapping[str, str | None]
) -> None:
    """Take ``First Name`` for ``first_name``, where no column has the name itself and no other looks the same."""
    free = {_plain(field): field for field in fields if field not in targets.values() and field != EMAIL}
    looks = [_plain(name) for name in names]
    for index, name in enumerate(names):
        field = free.get(looks[index])
        if field and index not in targets and name not in (*mapping, *OWN_COLUMNS) and looks.count(looks[index]) == 1:
            targets[index] = field


def _plain(name: str) -> str:
    return name.casefold().translate({ord(c): None for c in "-_ "})


def is_email_column(name: str) -> bool:
    """Tell whether a column of that name would be taken for the addresses, were there no better one."""
    return _plain(name) in {_plain(guess) for guess in EMAIL_GUESSES}


def _email_index(names: Sequence[str], targets: Mapping[int, str], mapping: Mapping[str, str | None]) -> int:
    known = [index for index, target in targets.items() if target == EMAIL]
    if known:
        return known[0]
    plain = {
        _plain(name): index
        for index, name in reversed(list(enumerate(names)))
        if index not in targets and name not in mapping
    }
    for guess in EMAIL_GUESSES:
        if (index := plain.get(_plain(guess))) is not None:
            return index
    raise CSVError(
        f'no email column among {_quoted(names)}: name it, as in mapping={{"{names[0]}": "email"}}; '
        "or pass delimiter= if these are several columns",
        row=1,
        column=EMAIL,
        reason="no email column",
    )


def _refuse_collisions(names: Sequence[str], targets: Mapping[int, str]) -> None:
    owner: dict[str, int] = {}
    for index, field in targets.items():
        if (first := owner.setdefault(field, index)) != index:
            raise CSVError(
                f'the columns {_quoted([names[first], names[index]])} both belong to the field "{field}": '
                f'leave one out, as in mapping={{"{names[index]}": None}}',
                row=1,
                column=names[index],
                reason="duplicate column",
            )


def _left_over(names: Sequence[str], targets: Mapping[int, str], mapping: Mapping[str, str | None]) -> list[str]:
    return [
        name or f"(column {index + 1})"
        for index, name in enumerate(names)
        if index not in targets and name not in OWN_COLUMNS and name not in mapping
    ]


def _refuse_missing(rules: Iterable[FieldRule], present: Iterable[str]) -> None:
    there = set(present)
    missing = [rule.name for rule in rules if rule.mandatory and rule.name not in there]
    if missing:
        raise CSVError(
            f"the list demands {_quoted(missing)} and the file has no such column: add it, or map one to it",
            row=1,
            column=missing[0],
            reason="missing column",
        )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in list(names)[:20])
