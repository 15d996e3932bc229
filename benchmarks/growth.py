"""What grows, and how: calls that wait, watchers of imports, rows of a file; each point a process of its own.

Fleets of processes are measured by `scale.py`.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.apart import contend_async, measure
from benchmarks.contacts_csv import write_contacts

__all__ = ["run"]

IMPORTS = 100
"""How many imports the watchers share out among themselves: no more are under way in any account."""


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure each kind at its sizes."""
    calls, watchers = ((10, 100), (1, 10)) if tiny else ((10, 1_000, 100_000), (1, 100, 10_000))
    rows = (1_000, 3_000) if tiny else (10_000, 100_000, 1_000_000, 10_000_000)
    table = [_of("calls that wait", count) for count in calls]
    table += [_of("watchers of imports", count) for count in watchers]
    with tempfile.TemporaryDirectory() as folder:
        for count in rows:
            source, parts = write_contacts(Path(folder), count), Path(folder) / f"parts-{count}"
            parts.mkdir()
            for name, module, *args in (
                ("rows to ZIP parts", "benchmarks.bulk", "ongage_async", source, parts),
                ("rows to calls", "benchmarks.many", "contacts.upsert_many, all but the network", source),
            ):
                table.append(_row(name, count, measure(module, args[0], count, *args[1:])))
            source.unlink()
    return table


def _of(what: str, count: int) -> dict[str, Any]:
    return _row(what, count, measure("benchmarks.growth", what, count, count))


def _row(what: str, count: int, figures: dict[str, float]) -> dict[str, Any]:
    memory_mib = figures["memory over idle, MiB"]
    return {
        "what": what,
        "how many": count,
        "processor, µs each": figures["processor, µs a row"],
        "memory over idle, MiB": memory_mib,
        "memory, bytes each": memory_mib * 2**20 / count,
    }


class _Answered:
    """Stand in for the network: every call is answered in the next turn of the loop."""

    status_code, headers = 200, {"content-type": "application/json"}
    body = b'{"metadata":{"error":false,"total":0},"payload":[]}'

    def build_request(self, *_: Any, **__: Any) -> None:
        """Take any request."""

    async def send(self, *_: Any, **__: Any) -> "_Answered":
        await asyncio.sleep(0)
        return self

    async def aiter_bytes(self) -> Any:
        yield self.body

    async def aclose(self) -> None:
        """Hold nothing."""


async def _calls(count: int) -> Callable[[], Awaitable[None]]:
    """So many callers at once; all but ten wait for a place."""
    library = import_module("ongage_async")
    limits = library.Limits(calls=10_000_000, parallel=10)
    ongage = library.OngageClient(library.ApiKey("k"), limits=limits, http_client=_Answered())
    await ongage.lists.page()

    async def work() -> None:
        async with ongage:
            await asyncio.gather(*(ongage.lists.page() for _ in range(count)))

    return work


async def _watchers(count: int) -> Callable[[], Awaitable[None]]:
    """So many tasks that wait for imports of ten minutes, in virtual time."""
    library, emulated = import_module("ongage_async"), import_module("ongage_async.emulator")
    emulator = emulated.Emulator(latency=0.3)
    emulator.imports.script = [emulated.Step(40002, for_s=600), emulated.Step(40003)]
    http_client = emulator.http_client()
    ongage = library.OngageClient(library.ApiKey(emulator.api_key), base_url=emulator.url, http_client=http_client)
    imports = ongage.imports
    ids = [(await imports.create("https://files.example.com/c.csv")).id for _ in range(min(count, IMPORTS))]

    async def work() -> None:
        async with ongage:
            await asyncio.gather(*(imports.wait(ids[number % len(ids)]) for number in range(count)))
        await http_client.aclose()

    return work


WORK = {"calls that wait": _calls, "watchers of imports": _watchers}


async def _contend(name: str, count: int) -> None:
    await contend_async(await WORK[name](count))


if __name__ == "__main__":
    what, number = sys.argv[1], int(sys.argv[2])
    if what == "watchers of imports":
        import_module("ongage_async.emulator.virtual_time").run(_contend, what, number)
    else:
        asyncio.run(_contend(what, number))
