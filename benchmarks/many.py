"""From a CSV file to checked batches of JSON: what `contacts.upsert_many` does, and what the csv module does alone.

Each run is a process of its own, taken in turns, so that its peak of memory is its own. What the batches then cost the
account is measured by `quota.py`.
"""

import asyncio
import csv
import importlib.util
import json
import re
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.apart import Work, contend, figures_of, measure
from benchmarks.contacts_csv import write_contacts

__all__ = ["run"]

PER_CALL = 100


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure all of them in turns, and ours again with few rows and with many."""
    rows, rounds = (5_000, 1) if tiny else (300_000, 5)
    names = [name for name in CONTENDERS if importlib.util.find_spec("orjson") or "orjson" not in name]
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        source = write_contacts(Path(folder), rows)
        for _ in range(rounds):
            for name, runs in measured.items():
                runs.append(measure("benchmarks.many", name, rows, source))
        table = [{"CSV to JSON": name, "rows": rows, **figures_of(runs)} for name, runs in measured.items()]
        for many in (1_000, 10_000) if tiny else (10_000, 3_000_000):
            source = write_contacts(Path(folder), many)
            figures = measure("benchmarks.many", WHOLE, many, source)
            table.append({"CSV to JSON": WHOLE, "rows": many, **figures_of([figures])})
    return table


def _plain(source: Path, dumps: Callable[[Any], bytes]) -> Work:
    def work() -> None:
        with source.open(encoding="utf-8", newline="") as text:
            rows = csv.reader(text)
            names, batch = next(rows)[1:], []
            for email, *cells in rows:
                batch.append({"email": email, "overwrite": True, "fields": dict(zip(names, cells, strict=True))})
                if len(batch) == PER_CALL:
                    dumps(batch)
                    batch = []

    return work


def _json(source: Path) -> Work:
    return _plain(source, lambda batch: json.dumps(batch, ensure_ascii=False, separators=(",", ":")).encode())


def _orjson(source: Path) -> Work:
    return _plain(source, import_module("orjson").dumps)


def _batches(source: Path) -> Work:
    """Read, check, merge, cut into calls, make their JSON; the answers are ready before they are asked for."""
    many, intake = import_module("ongage_async.bulk.many._many"), import_module("ongage_async.bulk.many._intake")
    contacts = import_module("ongage_async.bulk.sources._contacts")
    created = [(import_module("ongage_async.models").RowKind.CREATED, None, None)]

    async def send(cargo: Any) -> Any:
        assert f"[{','.join(cargo.bodies)}]".encode()
        return created * len(cargo)

    async def load() -> None:
        table, choices = contacts.ContactTable(source), many.Choices(per_call=PER_CALL)
        done = await many.Many(table, send, intake.as_json, operation="many", repeatable=True, choices=choices)
        assert done.is_complete, done.as_text()

    return lambda: asyncio.run(load())


def _whole(source: Path) -> Work:
    """The same by `contacts.upsert_many`, the answers read row by row too; but for the network, nothing is left out."""
    contacts, wire = import_module("ongage_async.resources.contacts"), import_module("ongage_async._wire")
    operation = import_module("ongage_async._operation")
    import_module("ongage_async.bulk.sources._contacts")
    emails_in = re.compile(r'"email":"([^"]+)"').findall

    class Vendor:
        """An engine whose calls are answered at once."""

        async def call(self, op: Any, *, body: Any = None, **_: Any) -> Any:
            request = wire.render(op, body=body)
            ids = dict.fromkeys(emails_in(request.body.decode()), "0123456789abcdef01234567")
            counts = {"rows": len(ids), "success": len(ids), "created": len(ids), "failed": 0}
            return operation.Answer({**counts, "created_emails": ids})

    async def load() -> None:
        done = await contacts.Contacts(Vendor()).upsert_many(source, per_call=PER_CALL)
        assert done.is_complete, done.as_text()

    return lambda: asyncio.run(load())


WHOLE = "contacts.upsert_many, all but the network"
CONTENDERS: dict[str, Callable[[Path], Work]] = {
    "csv and json, nothing checked": _json,
    "csv and orjson, nothing checked": _orjson,
    "ongage_async, checked, merged and cut": _batches,
    WHOLE: _whole,
}


if __name__ == "__main__":
    name, source = sys.argv[1:]
    contend(CONTENDERS[name](Path(source)))
