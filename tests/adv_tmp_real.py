import asyncio, anyio, pytest, time
from ongage_async.config import Lane, Limits
from ongage_async.governor import End, Governor, MemoryLedger
def test_margin0_real():
    async def main():
        g = Governor(Limits(calls=100000, per_s=60, parallel=1), margin_s=0.0)
        p = await g.acquire(); got=[]
        async def c():
            q = await g.acquire(); got.append(1); await q.give_back(End.ANSWERED)
        ts=[asyncio.create_task(c()) for _ in range(3)]
        await asyncio.sleep(0.01); await p.give_back(End.ANSWERED)
        await asyncio.wait_for(asyncio.gather(*ts), 2)
    asyncio.run(main())
def test_never_stepped_pump():
    g = Governor(Limits(calls=1, per_s=0.2, parallel=1))
    async def one():
        (await g.acquire())and None
        p=await_list=None
    async def first():
        p = await g.acquire(); await p.give_back(End.ANSWERED)
        asyncio.create_task(g.acquire())
    async def second():
        p = await asyncio.wait_for(g.acquire(), 2)
    for n in range(1): asyncio.run(first())
    asyncio.run(second())
