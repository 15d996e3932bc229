"""A client from a pytest-asyncio fixture: set up in one task, used in another, torn down in a third."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ongage_async import ConfigurationError, Governor, OngageClient
from ongage_async.emulator import Emulator
from tests.support import client_of

TASKS: list[object] = []
CLIENTS: list[OngageClient] = []


@pytest_asyncio.fixture
async def client(ongage_emulator: Emulator) -> AsyncIterator[OngageClient]:
    TASKS.append(asyncio.current_task())
    async with client_of(ongage_emulator) as ongage:
        yield ongage
    CLIENTS.append(ongage)
    TASKS.append(asyncio.current_task())
    with pytest.raises(ConfigurationError, match="closed"):
        await ongage.lists.page()


@pytest.mark.asyncio
async def test_a_client_of_a_fixture_works_in_the_tests_own_task(client: OngageClient):
    TASKS.append(asyncio.current_task())
    await asyncio.gather(*(client.lists.page() for _ in range(20)))


@pytest.mark.asyncio
async def test_a_call_cancelled_in_the_test_ends_before_the_fixture_does(
    client: OngageClient, ongage_emulator: Emulator
):
    ongage_emulator.latency = 0.05
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.lists.page(), 0.01)


def test_the_fixture_was_torn_down_in_another_task_and_nothing_was_left_open():
    assert len(CLIENTS) == 2
    assert len({id(task) for task in TASKS[:3]}) == 3
    assert all(client._engine._yard.running == 0 for client in CLIENTS)


def test_one_governor_serves_one_event_loop_after_another(ongage_emulator: Emulator):
    governor = Governor()

    async def use() -> None:
        async with client_of(ongage_emulator, governor=governor) as ongage:
            assert (await ongage.lists.page()).total == 1

    for _ in range(3):
        asyncio.run(use())
