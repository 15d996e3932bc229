"""Find a file's rows in a list: the one proof there is that the vendor loaded it (vendor page §5, unknown).

Blocking reads of our own parts, and a look at one subscriber after the other; the calls are the caller's. Of the rows
only digests are in memory: about 100 bytes for an address, 300 for a row with its values.
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from ongage_async.models.ownpage import DATA, Subscriber

__all__ = ["Rows", "addresses_in", "digest"]


def digest(email: str) -> bytes:
    """Return what stands for an address; the vendor may store it in lower case."""
    return _digest([email.lower()])


def addresses_in(paths: Iterable[Path]) -> set[bytes]:
    """Return the digests of all addresses in some parts."""
    return {digest(row["email"]) for path in paths for row in _rows(path)}


@define
class Rows:
    """The rows of one part, to be found among a list's subscribers with the values that the part gives them.

    A cell that is empty asks for nothing, and a cause for nothing but with an unsubscription. A value that the vendor
    writes in another way does not match: what is found is certain, what is not found may be there.

    Attributes:
        total: Different addresses.
        found: How many of them were met with their values.
    """

    total: int
    _wanted: dict[bytes, tuple[tuple[str, ...], bytes]] = field(repr=False)
    found: int = 0

    @classmethod
    def of(cls, path: Path) -> "Rows":
        """Read a part."""
        wanted: dict[bytes, tuple[tuple[str, ...], bytes]] = {}
        shapes: dict[tuple[str, ...], tuple[str, ...]] = {}
        for row in _rows(path):
            columns = tuple(name for name, value in row.items() if _asks(name, value, row))
            columns = shapes.setdefault(columns, columns)
            wanted[digest(row["email"])] = columns, _digest([row[name] for name in columns])
        return cls(len(wanted), wanted)

    def meet(self, subscriber: Subscriber) -> None:
        """Compare a subscriber with the row of its address, if there is one."""
        columns, values = self._wanted.pop(digest(subscriber.email), ((), b""))
        self.found += values == _digest([_value(subscriber, name) for name in columns])

    @property
    def is_complete(self) -> bool:
        """Every row was found."""
        return self.found == self.total


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def _asks(name: str, value: str, row: dict[str, str]) -> bool:
    if name == "email" or not value:
        return False
    return name != "unsubscribed_cause" or row.get("subscribed") == "false"


def _value(subscriber: Subscriber, column: str) -> str:
    if column.startswith(DATA):
        return _text(subscriber.data.get(column.removeprefix(DATA)))
    return _text(getattr(subscriber, column))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _digest(values: Sequence[str]) -> bytes:
    text = "".join(f"{len(value)}:{value}" for value in values)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
