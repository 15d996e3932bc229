"""A made-up file of contacts, as real ones are: mostly good, with the usual mistakes in between.

The same number of rows gives the same file.
"""

import csv
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ongage_async.bulk._fields import is_email_column
from ongage_async.bulk.sources._sources import open_source

__all__ = ["FIELDS", "fields_for", "write_contacts"]

_DATE = {"type": "date", "format": "yyyy-mm-dd"}
FIELDS: tuple[dict[str, Any], ...] = (
    {"name": "email", "title": "Email", "type": "email", "mandatory": True, "position": 0},
    {"name": "first_name", "title": "First name", "type": "string", "mandatory": False, "position": 1},
    {"name": "last_name", "title": "Last name", "type": "string", "mandatory": False, "position": 2},
    {"name": "country", "title": "Country", "type": "string", "mandatory": False, "position": 3},
    {"name": "birthday", "title": "Birthday", **_DATE, "mandatory": False, "position": 4},
    {"name": "orders", "title": "Orders", "type": "numeric", "mandatory": False, "position": 5},
)

_FIRST = (
    "Ada",
    "Bertrand",
    "Chloé",
    "Dmitri",
    "Elif",
    "Fatima",
    "Giorgos",
    "Hana",
    "Ibrahim",
    "Jürgen",
    "Kofi",
    "Lucía",
)
_LAST = ("Abiola", "Brown", "Castro", "Dubois", "Eriksson", "Ferrari", "García", "Huang", "Ivanov", "Jansen", "O'Neill")
_COUNTRIES = ("Chile", "Côte d'Ivoire", "Germany", "India", "Japan", "Norway", "Türkiye", "United States")
_HOSTS = ("example.com", "example.org", "example.net", "mail.example.com")
ONE_MISTAKE_IN = 250


def fields_for(path: Path) -> list[dict[str, Any]]:
    """Return fields for a list that takes every column of somebody's own file."""
    with closing(open_source(path)) as source:
        names = [name.strip() for name in source.header]
    others = [name for name in names if name and not is_email_column(name)]
    return [FIELDS[0]] + [
        {"name": name, "title": name, "type": "string", "mandatory": False, "position": position}
        for position, name in enumerate(others, 1)
    ]


def write_contacts(path: Path, rows: int) -> None:
    """Write a CSV file of `rows` contacts with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field["name"] for field in FIELDS])
        writer.writerows(_rows(rows))


def _rows(count: int) -> Iterator[list[str]]:
    chance = random.Random(count)  # noqa: S311 - made-up people
    for number in range(count):
        row = _person(chance, number)
        if number % ONE_MISTAKE_IN == ONE_MISTAKE_IN - 1:
            row = _spoil(chance, row, number // ONE_MISTAKE_IN)
        yield row


def _person(chance: random.Random, number: int) -> list[str]:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    return [
        f"{first}.{last}.{number}@{chance.choice(_HOSTS)}".lower().replace("'", "").translate(_ASCII),
        first,
        last if chance.random() > 0.02 else f'{last}, "Jr."',
        chance.choice(_COUNTRIES),
        f"{chance.randint(1940, 2005)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        str(chance.randint(0, 40)) if chance.random() > 0.1 else "",
    ]


_ASCII = str.maketrans("éüí", "eui")


def _spoil(chance: random.Random, row: list[str], kind: int) -> list[str]:
    """Make one of the mistakes that files have."""
    match kind % 6:
        case 0:
            return [row[0].replace("@", " at "), *row[1:]]
        case 1:
            return ["", *row[1:]]
        case 2:
            return row[:3]
        case 3:
            return [*row[:4], "31/31/1999", row[5]]
        case 4:
            return [*row[:5], "many"]
        case _:
            return [f"ada.brown.{chance.randint(0, 5)}@example.com", *row[1:]]
