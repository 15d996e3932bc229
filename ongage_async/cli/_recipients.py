"""Addresses that people give: on the command line, or one a line in a file or on the standard input.

A CSV file is taken as well: its first line names the columns, and the one of the addresses is found by its name.
"""

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TextIO

from ongage_async.bulk._fields import is_email_column
from ongage_async.cli._ending import UsageError

__all__ = ["STDIN", "addresses"]

STDIN = "-"


def addresses(given: Sequence[str], source: str | None) -> Iterator[str]:
    """Yield addresses, each once, as they are read.

    Args:
        given: Those of the command line.
        source: A file with more; ``-`` is the standard input.

    Raises:
        UsageError: There is neither, or the file has no column of addresses.
        OSError: The file cannot be read.
    """
    if not given and source is None:
        raise UsageError("name an address, or a file with --from; --from - reads the standard input")
    seen: set[str] = set()
    for address in chain(given, _read(source) if source is not None else ()):
        bare = address.strip()
        if bare and bare.lower() not in seen:
            seen.add(bare.lower())
            yield bare


def _read(source: str) -> Iterator[str]:
    with _opened(source) as file:
        first = file.readline()
        if not first.strip():
            return
        if "@" in first:
            yield from (line.partition(",")[0].strip().strip('"') for line in chain([first], file))
            return
        dialect = csv.Sniffer().sniff(first, ",;\t|") if any(mark in first for mark in ",;\t|") else csv.excel
        header = next(csv.reader([first], dialect))
        column = next((at for at, name in enumerate(header) if is_email_column(name)), None)
        if column is None:
            raise UsageError("the file's first line is no address and names no email column")
        yield from (row[column] for row in csv.reader(file, dialect) if len(row) > column)


@contextmanager
def _opened(source: str) -> Iterator[TextIO]:
    if source == STDIN:
        yield sys.stdin
        return
    with open(source, encoding="utf-8-sig", newline="") as file:  # noqa: PTH123 - also a /dev/fd that bash makes
        yield file
