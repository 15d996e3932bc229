"""What it costs to prepare a load: from a CSV file to checked, de-duplicated ZIP parts, and the memory that it takes.

Beside it, on the same file and in turns: the csv and zipfile modules, which check nothing, and Polars reading and
writing CSV that zipfile then packs. Each run is a process of its own, so that its peak of memory is its own.
"""

import csv
import io
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.report import median_and_spread

__all__ = ["run"]

FIRST = ("Ann", "Bob", "Zoë", "Cid", "Mary Jane", "Dan", "Eve")


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure the three in turns, and ours again with few rows and with many."""
    rows, rounds = (20_000, 1) if tiny else (500_000, 5)
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as folder:
        source = _write(Path(folder), rows)
        for _ in range(rounds):
            for name, figures in measured.items():
                figures.append(_measure(name, source, rows))
        table = [_row(name, rows, figures) for name, figures in measured.items()]
        for many in (2_000, 20_000) if tiny else (50_000, 5_000_000):
            source = _write(Path(folder), many)
            table.append(_row("ongage_async", many, [_measure("ongage_async", source, many)]))
    return table


def _row(name: str, rows: int, figures: list[dict[str, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"CSV to ZIP": name, "rows": rows}
    for what in figures[0]:
        row[what] = median_and_spread([figure[what] for figure in figures])
    return row


def _write(folder: Path, rows: int) -> Path:
    """Write a file of contacts in which one address of a hundred comes twice."""
    path, chance = folder / f"contacts-{rows}.csv", random.Random(rows)
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["email", "first_name", "age", "birthday", "city"])
        for number in range(rows):
            who = number if number % 100 else number // 2
            day = f"{chance.randint(1, 28):02}/{chance.randint(1, 12):02}/{chance.randint(1940, 2009)}"
            writer.writerow(
                [f"user{who}.x@example{who % 97}.com", FIRST[number % 7], who % 99, day, f"City {who % 500}"]
            )
    return path


def _measure(name: str, source: Path, rows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.bulk", name, str(source), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    return {
        "rows a second": rows / figures["wall_s"],
        "processor, µs a row": figures["cpu_s"] / rows * 1e6,
        "memory over idle, MiB": figures["memory_mib"],
    }


def _plain(source: Path, folder: Path) -> Callable[[], None]:
    def work() -> None:
        with (
            source.open(encoding="utf-8", newline="") as text,
            zipfile.ZipFile(folder / "part.zip", "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("part.csv", "w") as out,
            io.TextIOWrapper(out, encoding="utf-8", newline="") as packed,
        ):
            csv.writer(packed).writerows(csv.reader(text))

    return work


def _polars(source: Path, folder: Path) -> Callable[[], None]:
    polars = import_module("polars")

    def work() -> None:
        polars.read_csv(source, infer_schema=False).write_csv(folder / "part.csv")
        with zipfile.ZipFile(folder / "part.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(folder / "part.csv")

    return work


def _ours(source: Path, folder: Path) -> Callable[[], None]:
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


CONTENDERS: dict[str, Callable[[Path, Path], Callable[[], None]]] = {
    "csv and zipfile, nothing checked": _plain,
    "Polars and zipfile, nothing checked": _polars,
    "ongage_async": _ours,
}


def _peak_mib() -> float:
    """Return the peak of this program; what Linux tells by getrusage is also that of the one which started it."""
    if (status := Path("/proc/self/status")).exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _contend(name: str, source: str, folder: str) -> None:
    work = CONTENDERS[name](Path(source), Path(folder))
    idle_mib, wall, cpu = _peak_mib(), time.perf_counter(), time.process_time()
    work()
    figures = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    print(json.dumps({**figures, "memory_mib": _peak_mib() - idle_mib}))


if __name__ == "__main__":
    _contend(*sys.argv[1:])
