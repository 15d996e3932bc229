"""A process that upserts a stream with a journal, made to be killed: `python -m tests.bulk.many_worker '{…}'`."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ongage_async import Credentials, Limits, OngageClient, RetryPolicy
from ongage_async.bulk.many._row_journal import RowJournal


def rows(count: int) -> Iterator[dict[str, Any]]:
    """A tenth of the addresses comes twice, one row in forty is bad."""
    for number in range(count):
        if number % 40 == 39:
            yield {"email": f"bad{number}@doe.com", "product_id": "no number"}
        else:
            who = number - 5 if number % 10 == 7 else number
            yield {"email": f"c{who}@doe.com", "first_name": f"n{number}"}


def expected(count: int) -> dict[str, str]:
    return {row["email"]: row["first_name"] for row in rows(count) if "first_name" in row}


def die_at(step: int, when: str) -> None:
    """Have this process killed before or after a record of the journal."""
    record, seen = RowJournal.record, 0

    def fatal(*args: Any, **options: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == step and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        record(*args, **options)
        if seen == step and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    RowJournal.record = fatal  # type: ignore[method-assign, assignment]


async def main(told: dict[str, Any]) -> None:
    if told.get("die_at"):
        die_at(*told["die_at"])
    retry = RetryPolicy(ladder_s=(0.01,) * 8, connection_ladder_s=(0.01,) * 8)
    credentials = Credentials(*told["credentials"])
    limits = Limits(calls=1_000_000, parallel=1000)  # what a drop costs of the budget is not the point
    async with OngageClient(credentials, base_url=told["url"], limits=limits, retry=retry) as ongage:
        folder = Path(told["folder"])
        print("ready", flush=True)
        report = await ongage.contacts.upsert_many(
            rows(told["rows"]),
            journal=folder / "load.journal",
            side_file=folder / "rejected.jsonl",
            per_call=told["per_call"],
        )
    print(report.as_json())


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
