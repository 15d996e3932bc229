import anyio, pytest, random, asyncio
from ongage_async.config import Lane, Limits
from ongage_async.governor import End, Governor, MemoryLedger
pytestmark=[pytest.mark.anyio, pytest.mark.virtual_time]

async def test_creep_reserve():
    g = Governor(Limits(calls=10, per_s=60, parallel=5), reserve=6)
    for _ in range(3):
        p = await g.acquire(); await p.give_back(End.REFUSED, retry_after_s=1.0); await anyio.sleep(2)
    await anyio.sleep(61)
    print(await g.statistics())
    with anyio.move_on_after(3000) as s:
        p = await g.acquire(Lane.BULK)
    assert not s.cancelled_caught

async def test_margin0():
    g = Governor(Limits(calls=1000, per_s=60, parallel=1), margin_s=0.0)
    p = await g.acquire()
    got=[]
    async with anyio.create_task_group() as t:
        async def c():
            q = await g.acquire(); got.append(1); await anyio.sleep(1); await q.give_back(End.ANSWERED)
        for _ in range(3): t.start_soon(c)
        await anyio.sleep(1)
        await p.give_back(End.ANSWERED)
    assert len(got)==3

async def test_set_limits_below_reserve():
    g = Governor(Limits(calls=10, per_s=60, parallel=5), reserve=6)
    await g.set_limits(Limits(calls=5, per_s=60, parallel=5))
    with anyio.move_on_after(3000) as s:
        p = await g.acquire(Lane.BULK)
    assert not s.cancelled_caught

async def test_two_on_one():
    led = MemoryLedger(Limits(calls=100, per_s=60, parallel=1))
    a, b = Governor(Limits(calls=100, per_s=60, parallel=1), ledger=led), Governor(Limits(calls=100, per_s=60, parallel=1), ledger=led)
    pa = await a.acquire()
    await b.start()
    with anyio.move_on_after(100) as s:
        async with anyio.create_task_group() as t:
            async def c():
                q = await a.acquire(); await q.give_back(End.ANSWERED)
            t.start_soon(c)
            await anyio.sleep(1)
            await pa.give_back(End.ANSWERED)
    assert not s.cancelled_caught
