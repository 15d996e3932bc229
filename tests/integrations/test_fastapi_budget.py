"""What an app shows: numbers that hold for all workers, a page that needs nothing from elsewhere, a word of health."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import Depends, FastAPI, HTTPException

from ongage_async import BudgetError, Governor, Lane, Limits, OngageClient
from ongage_async.emulator import Emulator
from ongage_async.governor import LedgerLostError, MemoryLedger
from ongage_async.governor._loss import GuardedLedger
from ongage_async.integrations.fastapi import Ongage
from ongage_async.integrations.fastapi._budget import BINS, _page
from tests.integrations.apps import running, until
from tests.support import client_of, credentials_of

pytestmark = pytest.mark.anyio

LIMITS = Limits(5, per_s=60.0, parallel=3)


def app_of(ongage: Ongage, **options: Any) -> FastAPI:
    app = FastAPI(lifespan=ongage.lifespan)
    app.include_router(ongage.routes("/ongage", **options))
    return app


@asynccontextmanager
async def waiting(ongage: Ongage, lane: Lane, number: int) -> AsyncIterator[None]:
    """Have so many callers wait meanwhile."""
    async with anyio.create_task_group() as callers:
        for _ in range(number):
            callers.start_soon(ongage.client.with_options(lane=lane).lists.page)

        async def all_wait() -> bool:
            return (await ongage.client.governor.statistics()).lanes[lane].waiting == number

        await until(all_wait)
        yield
        callers.cancel_scope.cancel()


async def test_the_numbers_tell_what_is_spent_open_waiting_and_refused(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator, limits=LIMITS))
    async with running(app_of(ongage)) as visitor:
        for _ in range(5):
            await ongage.client.lists.page()
        with pytest.raises(BudgetError):
            await ongage.client.with_options(lane=Lane.URGENT, max_wait_s=0.0).lists.page()
        async with waiting(ongage, Lane.BULK, 4):
            answer = await visitor.get("/ongage/budget.json")
    seen = answer.json()
    assert seen["limits"] == {"calls": 5, "per_s": 60.0, "parallel": 3}
    assert (seen["spent"], seen["calls_in_force"], seen["open"], seen["hold_s"]) == (5, 5, 0, 0.0)
    assert (len(seen["home"]), sum(seen["home"]), sum(seen["home"][-3:])) == (BINS, 5, 5)
    assert seen["lanes"]["BULK"]["waiting"] == 4
    assert (seen["lanes"]["NORMAL"]["granted"], seen["lanes"]["URGENT"]["refused"]) == (5, 1)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_worker_tells_who_waits_in_the_others(ongage_emulator: Emulator, tmp_path: Path):
    """Two accounts in one process stand for two workers here; they share no more than the ledger's file."""

    def worker() -> Ongage:
        shared = {"governor": f"file://{tmp_path}/ongage.ledger", "limits": Limits(2, per_s=60.0)}
        return Ongage(lambda: OngageClient(credentials_of(emulator), base_url=emulator.url, **shared))

    emulator, seen = ongage_emulator, dict[str, Any]()
    one, other = worker(), worker()
    async with running(app_of(one)) as visitor, running(app_of(other)):
        for each in (one, other):
            await each.client.lists.page()

        async def all_are_seen() -> bool:
            seen.update((await visitor.get("/ongage/budget.json")).json())
            return seen["lanes"]["URGENT"]["waiting"] == 4

        async with waiting(other, Lane.URGENT, 3), waiting(one, Lane.URGENT, 1):
            await until(all_are_seen)
    assert (seen["spent"], seen["processes"]) == (2, 2)


async def test_health_tells_a_paused_account_from_a_worker_that_is_ill(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator))
    app = app_of(ongage)
    async with running(app) as visitor:
        assert (await visitor.get("/ongage/health")).json() == {"status": "ok"}
        await ongage.client.governor.pause(60.0)
        paused = await visitor.get("/ongage/health")
        assert (paused.status_code, paused.json()) == (200, {"status": "paused"})
        ongage._client = None
        closed = await visitor.get("/ongage/health")
        assert (closed.status_code, closed.json()) == (503, {"status": "closed"})


class Breakable(MemoryLedger):
    """A ledger that can be lost."""

    lost = False

    async def look(self) -> Any:
        if self.lost:
            raise LedgerLostError("the file is away")
        return await super().look()

    async def take(self, asks: Any, lease_s: float) -> Any:
        if self.lost:
            raise LedgerLostError("the file is away")
        return await super().take(asks, lease_s)


@pytest.mark.parametrize(
    ("policy", "health", "numbers"),
    [("share", (200, "ledger lost, on a safe share"), 200), ("stop", (503, "ledger lost"), 503)],
)
async def test_a_lost_ledger_is_told(ongage_emulator: Emulator, policy: Any, health: Any, numbers: int):
    limits = Limits(30)
    ledger = Breakable(limits)
    guarded = GuardedLedger(ledger, limits, policy, lambda _: None)
    ongage = Ongage(lambda: client_of(ongage_emulator, governor=Governor(limits, ledger=guarded)))
    async with running(app_of(ongage)) as visitor:
        await ongage.client.lists.page()
        ledger.lost = True
        answer = await visitor.get("/ongage/health")
        assert (answer.status_code, answer.json()["status"]) == health
        assert (await visitor.get("/ongage/budget.json")).status_code == numbers


async def test_the_budget_can_be_guarded_and_health_is_open(ongage_emulator: Emulator):
    def refuse() -> None:
        raise HTTPException(403)

    ongage = Ongage(lambda: client_of(ongage_emulator))
    async with running(app_of(ongage, dependencies=[Depends(refuse)])) as visitor:
        statuses = [
            (await visitor.get(f"/ongage/{route}")).status_code for route in ("budget", "budget.json", "health")
        ]
    assert statuses == [403, 403, 200]


async def test_the_page_needs_nothing_from_elsewhere_and_reads_what_is_told(ongage_emulator: Emulator):
    ongage = Ongage(lambda: client_of(ongage_emulator))
    async with running(app_of(ongage)) as visitor:
        page = await visitor.get("/ongage/budget")
        seen = (await visitor.get("/ongage/budget.json")).json()
    assert page.headers["content-type"].startswith("text/html")
    elsewhere = set(re.findall(r"https?://[^\"'\s]+", page.text)) - {"http://www.w3.org/2000/svg"}
    assert elsewhere == set()
    read = set(re.findall(r"\b(?:one|budget)\.([a-z_]+)", _page())) - {"json", "at"}
    assert len(read) > 8
    assert read - set(seen) == set()
    assert set(re.findall(r"\blane\.([a-z0-9_]+)", _page())) <= set(seen["lanes"]["BULK"])
