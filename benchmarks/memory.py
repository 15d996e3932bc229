"""What a whole load keeps in memory, from 50,000 rows to five million, and one in which 100,000 rows are rejected.

The client plans the load, checks the rows into ZIP parts, serves them from its own file drop, has them imported by a
vendor in another process and makes the report; or it sends them by `contacts.upsert_many`. Memory is the peak over the
client that has made its first call and does nothing; the server of the drop counts as part of the load.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.apart import AsyncWork, contend_async, figures_of, measure
from benchmarks.contacts_csv import write_contacts
from benchmarks.vendor import vendor
from ongage_async import ApiKey, Governor, Limits, OngageClient
from ongage_async.bulk import FileDrop, Packing

__all__ = ["run"]

PARTS = 5


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure every load once."""
    few, many, bad = (1_000, 10_000, 1_000) if tiny else (50_000, 5_000_000, 100_000)
    table = []
    with tempfile.TemporaryDirectory() as folder, vendor() as url:
        for road, rows, rejected in (
            ("imports.run", few, 0),
            ("imports.run", many, 0),
            ("imports.run", 2 * bad, bad),
            ("contacts.upsert_many", bad, bad),
        ):
            source = write_contacts(Path(folder), rows, bad=rejected)
            figures = measure("benchmarks.memory", road, rows, url, source, rows, rejected)
            table.append({"load": road, "rows": rows, "rejected": rejected, **figures_of([figures])})
            source.unlink()
    return table


async def _contend(road: str, url: str, source: str, rows: str, rejected: str) -> None:
    governor = Governor(Limits(calls=1_000_000, parallel=10))
    async with OngageClient(ApiKey("k" * 32), base_url=url, governor=governor, list_id=1) as ongage:
        await ongage.list_fields.page()
        work = {"imports.run": _by_imports, "contacts.upsert_many": _by_calls}[road]
        await contend_async(work(ongage, Path(source), int(rows), int(rejected)))


def _by_imports(ongage: OngageClient, source: Path, rows: int, rejected: int) -> AsyncWork:
    packing = Packing(zip=True, part_rows=max(1, rows // PARTS))

    async def work() -> None:
        plan = await ongage.imports.plan(source, packing=packing)
        with tempfile.TemporaryDirectory() as folder:
            side_file = Path(folder) / "rejected.csv"
            async with FileDrop.serve() as drop:
                report = await ongage.imports.run(
                    source, stage=drop, packing=packing, side_file=side_file, interval_s=0.1
                )
        assert report.adds_up, report.as_text()
        assert report.rows_read == plan.rows_read == rows
        assert sum(report.rows_rejected.values()) == rejected
        assert report.as_json()

    return work


def _by_calls(ongage: OngageClient, source: Path, rows: int, rejected: int) -> AsyncWork:
    async def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            side_file = Path(folder) / "rejected.jsonl"
            report = await ongage.contacts.upsert_many(source, side_file=side_file)
        assert report.adds_up, report.as_text()
        assert rows == sum(report.reasons.values()) == rejected
        assert report.as_json()

    return work


if __name__ == "__main__":
    asyncio.run(_contend(*sys.argv[1:]))
