"""Watch all imports of a list that are under way, at the same time, until each has ended. On trio, for a change.

Run it with the same variables as `signup.py`; ONGAGE_LIST_ID says which list.
"""

import trio

from ongage_async import OngageClient
from ongage_async.models import Import


async def follow(ongage: OngageClient, job: Import) -> None:
    async for seen in ongage.imports.watch(job.id):
        print(f"import {seen.id}: {seen.status_desc or seen.status}, {seen.progress_pct or 0} %")


async def main() -> None:
    async with OngageClient.from_env() as ongage, trio.open_nursery() as nursery:
        async for job in ongage.imports.each():
            if not job.is_final:
                nursery.start_soon(follow, ongage, job)


if __name__ == "__main__":
    trio.run(main)
