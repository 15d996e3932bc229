"""Cancelled at every suspension: nothing is lost, nothing sent twice, nothing left open."""

from typing import Any

import anyio
import pytest

from ongage_async import ConfigurationError, OngageClient
from ongage_async.emulator import Emulator
from ongage_async.outbox import Outbox, Status
from tests.engine.test_engine import Suspended
from tests.outbox.test_outbox import recipients
from tests.outbox.worker import MESSAGE
from tests.support import client_of

pytestmark = pytest.mark.anyio

MANY = 100


async def sends_once(ongage: OngageClient, url: str, emulator: Emulator, keys: int) -> None:
    """Put all of it again under its keys, and see each message at the vendor once."""
    async with ongage.outbox(url) as outbox:
        for number in range(1, keys + 1):
            handle = await put(outbox, number)
            assert (await handle.wait(10)).success == 1
        assert {entry.status async for entry in outbox.each()} == {Status.SENT}
    assert sorted(recipients(emulator)) == sorted(f"c{number}@doe.com" for number in range(1, keys + 1))


async def put(outbox: Outbox, number: int) -> Any:
    return await outbox.transactional.send(MESSAGE, f"c{number}@doe.com", key=f"{number}")


async def test_putting_may_be_cancelled_anywhere(emulator: Emulator, url: str):
    """It was put or it was not; under the same key it is one message in the end."""
    async with client_of(emulator) as ongage:
        async with ongage.outbox(url) as outbox:
            for nth in range(1, MANY):
                with anyio.CancelScope() as scope:
                    await Suspended(put(outbox, nth), nth, scope.cancel)
                    break
        assert 1 < nth < MANY
        await sends_once(ongage, url, emulator, nth)


async def test_waiting_may_be_cancelled_anywhere(emulator: Emulator, url: str):
    """The entry does not mind."""
    async with client_of(emulator) as ongage:
        async with ongage.outbox(url) as outbox:
            for nth in range(1, MANY):
                handle = await put(outbox, nth)
                with anyio.CancelScope() as scope:
                    await Suspended(handle.wait(10), nth, scope.cancel)
                    break
        assert 1 < nth < MANY
        await sends_once(ongage, url, emulator, nth)


async def test_a_whole_session_may_be_cancelled_anywhere(emulator: Emulator, url: str):
    """While it opens, puts, sends and closes: what it has opened is closed, what was put is sent once."""
    async with client_of(emulator) as ongage:
        for nth in range(1, MANY):
            outbox = ongage.outbox(url)

            async def session(outbox: Outbox = outbox, nth: int = nth) -> None:
                async with outbox:
                    await put(outbox, nth)

            with anyio.CancelScope() as scope:
                await Suspended(session(), nth, scope.cancel)
                break
            assert outbox._closing is not None, "left open"
            with anyio.fail_after(10):
                await outbox._closing.wait()
            assert outbox._desk._store is None
            assert (await ongage.governor.statistics()).open == 0
        assert 3 < nth < MANY
        await sends_once(ongage, url, emulator, nth)


async def test_an_outbox_is_opened_once(emulator: Emulator, url: str):
    async with client_of(emulator) as ongage:
        async with ongage.outbox(url) as outbox:
            pass
        await outbox.aclose()
        with pytest.raises(ConfigurationError, match="opened once"):
            async with outbox:
                pass
