"""What commands print to standard output: JSON for programs, tables for people, tab-separated lines for pipes.

Standard output holds the answer and nothing else; progress and complaints go to standard error.
"""

import csv
import enum
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import attrs

__all__ = ["document", "facts", "line", "plain", "say", "table", "write_csv"]


def document(value: Any) -> None:
    """Print one JSON document."""
    say(_json(value, indent=2))


def line(value: Any) -> None:
    """Print one line of JSON."""
    say(_json(value))


def _json(value: Any, *, indent: int | None = None) -> str:
    """Return JSON; a terminal that knows no é gets its escape."""
    speaks_all = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(plain(value), indent=indent, ensure_ascii=not speaks_all)


def say(words: str) -> None:
    """Print a line, at once."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: models as objects, times as ISO 8601, sets of choices as their words."""
    match value:
        case enum.Enum():
            return value.value
        case date():
            return value.isoformat()
        case Mapping():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case _ if attrs.has(type(value)):
            return {own.name: plain(getattr(value, own.name)) for own in attrs.fields(type(value))}
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "Nothing found.") -> None:
    """Print rows: as a table on a terminal, else as tab-separated lines under a line of names.

    Args:
        columns: Names; one that begins with ``#`` holds numbers, and is shown without it.
        rows: Values in the order of the columns.
        empty: What is told a person if there are none.
    """
    names = [name.lstrip("#") for name in columns]
    if not sys.stdout.isatty():
        say("\t".join(names))
        for row in rows:
            say("\t".join(_cell(value) for value in row))
        return
    _draw(columns, names, list(rows), empty)


def _draw(columns: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows:
        say(empty)
        return
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column, name in zip(columns, names, strict=True):
        drawn.add_column(name, justify="right" if column.startswith("#") else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(_shown(value) for value in row))
    Console(highlight=False, markup=False).print(drawn)


def facts(pairs: Mapping[str, Any]) -> None:
    """Print names and values, one pair a line; what is not known is left out."""
    known = {name: value for name, value in pairs.items() if value not in (None, "", {}, [], ())}
    width = max(map(len, known), default=0)
    is_terminal = sys.stdout.isatty()
    for name, value in known.items():
        shown = _shown(str(value) if name.endswith("id") else value)
        say(f"{name:<{width}}  {shown}" if is_terminal else f"{name}\t{_cell(value)}")


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as CSV with a header."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_bare(row.get(name)) for name in columns])


def _bare(value: Any) -> str:
    told = plain(value)
    if isinstance(told, dict | list):
        return json.dumps(told, ensure_ascii=False)
    return "" if told is None else str(told).lower() if isinstance(told, bool) else str(told)


def _cell(value: Any) -> str:
    """Return a value that cannot break a tab-separated line."""
    return _bare(value).replace("\t", " ").replace("\r", " ").replace("\n", " ")


def _shown(value: Any) -> str:
    """Return a value for a person: thousands apart, yes and no, and nothing that steers a terminal."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "".join(letter if letter.isprintable() else " " for letter in _bare(value))
