"""The one connection that all commands of an event loop share: what callers do to it, and what the server does."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ongage_async.config import Lane, Limits
from ongage_async.governor import LedgerLostError
from ongage_async.governor._redis import RedisLedger
from ongage_async.governor._rules import Lease, Wait
from tests.ledgers.redis_server import RedisServer

MANY = 50


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    yield server
    server.resume()
    server.stop()


@asynccontextmanager
async def opened(server: RedisServer) -> AsyncIterator[RedisLedger]:
    ledger = RedisLedger(server.url, Limits(1000, 60.0, 1000), "line", margin_s=1.0)
    try:
        await ledger.start(lambda: None)
        assert ledger.is_listening is not None
        await ledger.is_listening.wait()
        yield ledger
    finally:
        await ledger.aclose()


def connections(server: RedisServer) -> int:
    """Return how many connections were ever made to the server."""
    return server.client.info("stats")["total_connections_received"]


async def take_many(ledger: RedisLedger) -> list[Lease | Wait | BaseException]:
    takes = (ledger.take({Lane.NORMAL: 1}, 70.0) for _ in range(MANY))
    return await asyncio.gather(*takes, return_exceptions=True)


def ids(decisions: list[Lease | Wait | BaseException]) -> list[int]:
    return [decision.id for decision in decisions if isinstance(decision, Lease)]


def test_all_callers_share_one_connection_and_each_gets_its_own_answer(server: RedisServer):
    async def use() -> None:
        async with opened(server) as ledger:
            made = connections(server)
            granted = ids(await take_many(ledger))
            assert len(granted) == MANY
            assert granted == sorted(set(granted))
            assert connections(server) == made

    asyncio.run(use())


def test_cancelled_callers_cost_no_connection_and_mix_up_no_answers(server: RedisServer):
    async def use() -> None:
        async with opened(server) as ledger:
            made = connections(server)
            takes = [asyncio.create_task(ledger.take({Lane.NORMAL: 1}, 70.0)) for _ in range(MANY)]
            await asyncio.sleep(0)  # all of them are sent
            for take in takes[::2]:
                take.cancel()
            decisions = await asyncio.gather(*takes, return_exceptions=True)
            assert len(ids(decisions)) == MANY // 2
            while set((await ledger.look()).open) != set(ids(decisions)):  # noqa: ASYNC110 - those of the others go back
                await asyncio.sleep(0.01)
            assert connections(server) == made

    asyncio.run(asyncio.wait_for(use(), 10))


def test_a_script_that_is_flushed_under_many_commands_is_loaded_again_for_each(server: RedisServer):
    async def use() -> None:
        async with opened(server) as ledger:
            server.client.script_flush()
            granted = ids(await take_many(ledger))
            assert len(set(granted)) == MANY

    asyncio.run(use())


def test_an_idle_connection_that_the_server_closed_is_replaced_without_a_loss(server: RedisServer):
    async def use() -> None:
        async with opened(server) as ledger:
            lease = ids([await ledger.take({Lane.NORMAL: 1}, 70.0)])
            server.client.client_kill_filter(_type="normal", skipme=True)
            await asyncio.sleep(0.02)
            assert list((await ledger.look()).open) == lease

    asyncio.run(use())


def test_all_who_wait_for_a_server_that_stands_still_hear_it_at_once_and_so_do_those_who_come_next(
    server: RedisServer,
):
    async def use() -> None:
        async with opened(server) as ledger:
            made = connections(server)
            server.pause()
            for _ in range(2):  # on the line that stood; then all on the new one that cannot be opened
                began = time.monotonic()
                decisions = await take_many(ledger)
                assert time.monotonic() - began < 3.0
                assert {type(decision) for decision in decisions} == {LedgerLostError}
                assert all("did not answer within 2 s" in str(decision) for decision in decisions)
            server.resume()
            decision = await ledger.take({Lane.NORMAL: 1}, 70.0)
            assert isinstance(decision, Lease)
            assert connections(server) <= made + 2  # and not one for each of them

    asyncio.run(use())
