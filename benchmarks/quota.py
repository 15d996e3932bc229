"""What each road costs the account: calls that the emulator saw, and what the planner had foretold, in virtual time.

300 calls a minute, 10 in parallel, answers of 0.3 s; an import works through 130 rows a second, as the vendor's older
help page has it (vendor page §2).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import define

from ongage_async import ApiKey, Governor, Limits, OngageClient
from ongage_async.bulk import Pace, Packing
from ongage_async.bulk.load._forecast import CONTACTS_PER_CALL, Forecast
from ongage_async.emulator import Emulator, Step, virtual_time
from tests.bulk.direct_stage import DirectStage

__all__ = ["run"]

LATENCY_S = 0.3
ROWS_PER_S = 130.0
CALLS_PER_MIN = 300


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Load the same number of rows by each road; then many handlers, and many watchers."""
    rows, handlers, watchers = (2_000, 100, 10) if tiny else (100_000, 1_000, 100)
    roads: list[Callable[[], Any]] = [lambda size=size: _by_calls(rows, size) for size in (5, 50, 100, 500)]
    roads += [lambda parts=parts: _by_imports(rows, parts) for parts in (1, 4)]
    roads += [lambda: _coalesced(handlers), lambda: _watched(1), lambda: _watched(watchers)]
    table = []
    for road in roads:
        table.append(virtual_time.run(road))
        print(table[-1], flush=True)
    return table


@define
class _Account:
    """A client, and the vendor's own count of its calls."""

    emulator: Emulator
    ongage: OngageClient
    stage: DirectStage
    calls_before: int = 0
    began_s: float = 0.0

    def begin(self) -> None:
        """Count from here."""
        self.calls_before, self.began_s = len(self.emulator.witness), asyncio.get_running_loop().time()

    def row(self, road: str, units: int, foretold: Forecast | None = None) -> dict[str, Any]:
        """Return what came since."""
        calls = len(self.emulator.witness) - self.calls_before
        minutes = (asyncio.get_running_loop().time() - self.began_s) / 60
        row = {"road": road, "how many": units, "calls": calls, "calls for 100,000": calls * 100_000 / units}
        told = (foretold.calls_total, foretold.elapsed_s / 60) if foretold else (None, None)
        return {**row, "calls foretold": told[0], "minutes": minutes, "minutes foretold": told[1]}


@asynccontextmanager
async def _account() -> AsyncIterator[_Account]:
    clock = asyncio.get_running_loop().time
    emulator = Emulator(
        calls=CALLS_PER_MIN, parallel=10, epoch=1_700_000_000.0, latency=LATENCY_S, rows_per_s=ROWS_PER_S, clock=clock
    )
    stage = DirectStage()
    emulator.mount_fetch("https://stage.test", stage)
    contacts = emulator.state.add_list("contacts", imports_concurrent_limit=2)
    governor = Governor(Limits(calls=CALLS_PER_MIN, per_s=60.0, parallel=10))
    key = ApiKey(emulator.api_key)
    async with (
        emulator.http_client() as http,
        OngageClient(key, base_url=emulator.url, http_client=http, governor=governor, list_id=contacts.id) as ongage,
    ):
        yield _Account(emulator, ongage, stage)


async def _by_calls(rows: int, per_call: int) -> dict[str, Any]:
    async with _account() as account:
        told = None
        if per_call == CONTACTS_PER_CALL:  # which is what the planner knows
            told = (await account.ongage.imports.plan(list(_contacts(rows)))).roads["calls"]
            await asyncio.sleep(60.0)  # so that the calls of the plan are no part of the run's minute
        account.begin()
        await account.ongage.contacts.upsert_many(_contacts(rows), per_call=per_call)
        return account.row(f"contacts.upsert_many, up to {per_call} a call", rows, told)


async def _by_imports(rows: int, parts: int) -> dict[str, Any]:
    packing = Packing(part_rows=-(-rows // parts))
    async with _account() as account:
        imports, source = account.ongage.imports, list(_contacts(rows))
        plan = await imports.plan(source, packing=packing, pace=Pace(rows_per_s=ROWS_PER_S))
        account.begin()
        report = await imports.run(source, stage=account.stage, packing=packing)
        assert report.adds_up, report.as_text()
        return account.row(f"imports.run, {parts} {'part' if parts == 1 else 'parts'}", rows, plan.roads["import"])


async def _coalesced(handlers: int) -> dict[str, Any]:
    async with _account() as account:
        account.begin()
        async with account.ongage.contacts.coalesced() as contacts:
            await asyncio.gather(*(contacts.upsert(row) for row in _contacts(handlers)))
        return account.row("contacts.coalesced, a row from each handler", handlers)


async def _watched(watchers: int) -> dict[str, Any]:
    async with _account() as account:
        imports = account.ongage.imports
        account.emulator.imports.script = [Step(40002, for_s=3600), Step(40003)]
        ids = [(await imports.create("https://files.example.com/c.csv")).id for _ in range(watchers)]
        account.begin()
        await asyncio.gather(*(imports.wait(each) for each in ids))
        return {**account.row("imports.wait, imports of an hour", watchers), "calls for 100,000": None}


def _contacts(count: int) -> Iterator[dict[str, Any]]:
    return ({"email": f"c{n}@doe.com", "first_name": "Ann", "country": "Chile"} for n in range(count))
