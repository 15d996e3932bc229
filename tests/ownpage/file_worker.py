"""A process that loads a file into Ownpage, made to be killed: `python -m tests.ownpage.file_worker '{…}'`."""

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from ongage_async import Governor, Limits, OwnpageClient, OwnpageCredentials
from ongage_async.bulk import FileDrop, Packing, SqliteJournal, UrlStage


def die_at(step: int, when: str) -> None:
    """Have this process killed before or after a line of the journal is written."""
    record, seen = SqliteJournal.record, 0

    async def fatal(*args: Any, **facts: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == step and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        await record(*args, **facts)
        if seen == step and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    SqliteJournal.record = fatal  # type: ignore[method-assign]


async def main(told: dict[str, Any]) -> None:
    die_at(told["step"], told["when"])
    credentials = OwnpageCredentials(*told["credentials"])
    governor = Governor(Limits(calls=1_000_000, parallel=10))
    async with AsyncExitStack() as stack:
        ownpage = await stack.enter_async_context(
            OwnpageClient(credentials, base_url=told["url"], governor=governor, list_id=123)
        )
        stage: Any = UrlStage("https://files.test", told["published"])
        if told["stage"] == "drop":
            stage = await stack.enter_async_context(FileDrop.serve())
        await ownpage.files.run(
            Path(told["source"]),
            stage=stage,
            journal=True,
            packing=Packing(part_rows=2),
            settled_s=0.05,
            interval_s=0.02,
        )


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
