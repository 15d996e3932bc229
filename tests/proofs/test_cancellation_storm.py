"""Thousands of cancellations at random instants, over real sockets: nothing is lost, and the next calls work."""

import random
import time
from typing import Any

import anyio
import httpx
import httpx2
import pytest

from ongage_async import Governor, Lane, Limits, OngageError
from ongage_async.emulator import Emulator
from tests.support import client_of

pytestmark = pytest.mark.anyio

SIZES = [500, pytest.param(10_000, marks=pytest.mark.proof)]
STACKS = {"own": None, "httpx": httpx.AsyncClient, "httpx2": httpx2.AsyncClient}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("cancellations", SIZES)
async def test_after_a_storm_of_cancellations_every_place_and_token_is_back(stack: str, cancellations: int):
    chance = random.Random(cancellations)
    governor = Governor(Limits(calls=100_000, per_s=1.0, parallel=10), margin_s=0.2)
    finished = cancelled = failed = 0
    latency = random.Random(1)
    with Emulator(calls=None, parallel=None, latency=lambda _: latency.uniform(0.0, 0.02)) as emulator:
        options: dict[str, Any] = {"governor": governor}
        if (make := STACKS[stack]) is not None:
            options["http_client"] = make(limits=(httpx if stack == "httpx" else httpx2).Limits(max_connections=10))
        began = time.monotonic()
        async with client_of(emulator, **options) as ongage:

            async def caller() -> None:
                nonlocal finished, cancelled, failed
                while cancelled < cancellations:
                    with anyio.move_on_after(chance.uniform(0.0, 0.03)) as scope:
                        try:
                            await ongage.lists.page()
                            finished += 1
                        except OngageError:
                            failed += 1
                    cancelled += scope.cancelled_caught

            async with anyio.create_task_group() as tasks:
                for _ in range(15):
                    tasks.start_soon(caller)
            await ongage._engine._yard.drain()
            for _ in range(5):
                with anyio.fail_after(5):
                    await ongage.lists.page()
            await ongage._engine._yard.drain()
            await anyio.sleep(0.05)
            seen = await governor.statistics()
            assert (seen.open, seen.places_free) == (0, 10)
            assert all(seen.lanes[lane].waiting == 0 for lane in Lane)
            assert failed == 0
            assert emulator.witness.worst_open() <= 10
            assert len(emulator.witness) - emulator.witness.count("lists.page", status=200) == 0
        if make is not None:
            await options["http_client"].aclose()
    took = time.monotonic() - began
    reached = len(emulator.witness)
    print(f"\n{stack}: {cancelled} cancelled, {finished} finished, {reached} reached the server, {took:.1f} s")
