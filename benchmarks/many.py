"""What many rows cost: CPU of batches beside a plain loop that makes their JSON, and calls of the quota each way."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.report import median_and_spread
from ongage_async import ApiKey, Governor, Limits, OngageClient
from ongage_async.bulk.many._many import Choices, Many
from ongage_async.emulator import Emulator, Step, virtual_time
from ongage_async.models import ContactsReport, MutationResult, NewContact
from ongage_async.models.outcomes import report

__all__ = ["run"]

PER_CALL = 100


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure batches of JSON per second in turns, then count calls in virtual time."""
    count, rounds = (1_000, 1) if tiny else (50_000, 5)
    roads: dict[str, Callable[[int], None]] = {"plain loop, json.dumps": _plain(json.dumps), "upsert_many": _ours}
    if (orjson := _orjson()) is not None:
        roads["plain loop, orjson"] = _plain(orjson)
    measured: dict[str, list[float]] = {name: [] for name in roads}
    for _ in range(rounds):
        for name, road in roads.items():
            began = time.perf_counter()
            road(count)
            measured[name].append(count / PER_CALL / (time.perf_counter() - began))
    rows = [
        {"what": f"{name}, batches of {PER_CALL} rows", "batches a second": median_and_spread(figures)}
        for name, figures in measured.items()
    ]
    return [*rows, *virtual_time.run(_calls, tiny)]


def _rows(count: int) -> Iterator[dict[str, Any]]:
    return ({"email": f"c{n}@doe.com", "first_name": "Ann", "country": "Chile", "product_id": n} for n in range(count))


def _orjson() -> Callable[[Any], Any] | None:
    try:
        import orjson
    except ImportError:
        return None
    return orjson.dumps


def _plain(dumps: Callable[[Any], Any]) -> Callable[[int], None]:
    def road(count: int) -> None:
        batch: list[dict[str, Any]] = []
        for row in _rows(count):
            email = row.pop("email")
            batch.append({"email": email, "overwrite": True, "fields": row})
            if len(batch) == PER_CALL:
                dumps(batch)
                batch = []

    return road


def _ours(count: int) -> None:
    """All that `upsert_many` does but for the network: check, merge, cut, encode, tell the answer row by row, count."""

    async def send(contacts: Sequence[NewContact]) -> ContactsReport:
        json.dumps([contact.to_wire(overwrite=True) for contact in contacts], ensure_ascii=False).encode()
        ids = {str(contact.email): "0" * 24 for contact in contacts}
        return report(contacts, MutationResult(rows=len(ids), success=len(ids), created=len(ids), created_emails=ids))

    from ongage_async.resources._contacts_many import _contact

    async def main() -> None:
        choices = Choices(per_call=PER_CALL)
        done = await Many(_rows(count), send, operation="many", read=_contact, repeatable=True, choices=choices)
        assert done.is_complete

    asyncio.run(main())


async def _calls(tiny: bool) -> list[dict[str, Any]]:
    """Count the calls that reach the emulator."""
    many, tasks, watchers = (2_000, 100, 10) if tiny else (100_000, 1_000, 100)
    rows: list[dict[str, Any]] = []
    emulator = Emulator(calls=300, parallel=10, epoch=1_700_000_000.0, latency=0.3)
    async with emulator.http_client() as http_client:
        governor = Governor(Limits(calls=300, per_s=60.0, parallel=10))
        key = ApiKey(emulator.api_key)
        async with OngageClient(key, base_url=emulator.url, http_client=http_client, governor=governor) as ongage:

            def note(what: str, units: int, began: float) -> None:
                minutes = (asyncio.get_running_loop().time() - began) / 60
                calls = len(emulator.witness) - before
                rows.append({"what": what, "how many": units, "calls": calls, "minutes": minutes})

            before, began = len(emulator.witness), asyncio.get_running_loop().time()
            await ongage.contacts.upsert_many(_rows(many))
            note("upsert_many, rows", many, began)
            before, began = len(emulator.witness), asyncio.get_running_loop().time()
            async with ongage.contacts.coalesced() as contacts:
                await asyncio.gather(*(contacts.upsert(row) for row in _rows(tasks)))
            note("coalesced upserts, handlers", tasks, began)
            for units in (1, watchers):
                emulator.imports.script = [Step(40002, for_s=3600), Step(40003)]
                ids = [(await ongage.imports.create("https://files.example.com/c.csv")).id for _ in range(units)]
                before, began = len(emulator.witness), asyncio.get_running_loop().time()
                await asyncio.gather(*(ongage.imports.wait(each) for each in ids))
                note("imports of an hour watched at once", units, began)
    return rows


if __name__ == "__main__":
    print(json.dumps(run(tiny="--tiny" in sys.argv), indent=1))
