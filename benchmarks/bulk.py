"""What it costs to prepare a load: from a CSV file to checked, de-duplicated ZIP parts, and the memory that it takes.

Beside it, on the same file and in turns: the csv and zipfile modules, which check nothing, and Polars reading and
writing CSV that zipfile then packs. Each run is a process of its own, so that its peak of memory is its own.
"""

import csv
import io
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.apart import Work, contend, figures_of, measure
from benchmarks.contacts_csv import write_contacts

__all__ = ["run"]


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure the three in turns, and ours again with few rows and with many."""
    rows, rounds = (20_000, 1) if tiny else (500_000, 5)
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as folder:
        source = write_contacts(Path(folder), rows)
        for _ in range(rounds):
            for name, runs in measured.items():
                runs.append(_measure(name, source, rows))
        table = [{"CSV to ZIP": name, "rows": rows, **figures_of(runs)} for name, runs in measured.items()]
        for many in (2_000, 20_000) if tiny else (50_000, 5_000_000):
            source = write_contacts(Path(folder), many)
            figures = _measure("ongage_async", source, many)
            table.append({"CSV to ZIP": "ongage_async", "rows": many, **figures_of([figures])})
    return table


def _measure(name: str, source: Path, rows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        return measure("benchmarks.bulk", name, rows, source, folder)


def _plain(source: Path, folder: Path) -> Work:
    def work() -> None:
        with (
            source.open(encoding="utf-8", newline="") as text,
            zipfile.ZipFile(folder / "part.zip", "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("part.csv", "w") as out,
            io.TextIOWrapper(out, encoding="utf-8", newline="") as packed,
        ):
            csv.writer(packed).writerows(csv.reader(text))

    return work


def _polars(source: Path, folder: Path) -> Work:
    polars = import_module("polars")

    def work() -> None:
        polars.read_csv(source, infer_schema=False).write_csv(folder / "part.csv")
        with zipfile.ZipFile(folder / "part.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(folder / "part.csv")

    return work


def _ours(source: Path, folder: Path) -> Work:
    clean, fields = import_module("ongage_async.bulk.check._clean"), import_module("ongage_async.bulk._fields")
    packing = import_module("ongage_async.bulk.check._parts").Packing(part_rows=200_000, zip=True)
    rule = fields.FieldRule
    rules = (rule("first_name"), rule("age", "numeric"), rule("birthday", "date", "dd/mm/yyyy"), rule("city"))

    def work() -> None:
        cleaner = clean.Cleaner(source, folder, folder / "rejected.csv", clean.Recipe(rules), packing)
        cleaner.open()
        while cleaner.step(lambda: False):
            pass
        cleaner.close()
        tally = cleaner.tally()
        assert tally.rows_read == tally.rows_clean + tally.duplicates
        assert tally.duplicates > 0

    return work


CONTENDERS: dict[str, Callable[[Path, Path], Work]] = {
    "csv and zipfile, nothing checked": _plain,
    "Polars and zipfile, nothing checked": _polars,
    "ongage_async": _ours,
}


if __name__ == "__main__":
    name, source, folder = sys.argv[1:]
    contend(CONTENDERS[name](Path(source), Path(folder)))
