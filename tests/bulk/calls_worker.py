"""A process that loads a file by calls with a journal, made to be killed: `python -m tests.bulk.calls_worker '{…}'`."""

import asyncio
import json
import os
import signal
import sys
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import anyio

from ongage_async import Credentials, Limits, OngageClient, RetryPolicy
from ongage_async.bulk import SqliteJournal
from ongage_async.bulk.many._many_report import SideFile
from ongage_async.bulk.many._row_journal import RowJournal

REFUSED = "9" * 400 + ".5"
"""A number by its form, which the vendor does not take."""
OF: dict[str, tuple[Any, str]] = {
    "load": (SqliteJournal, "record"),
    "rows": (RowJournal, "record"),
    "refused": (SideFile, "write"),
    "unlink": (anyio.Path, "unlink"),
}


def write(path: Path, count: int) -> None:
    """One row in forty is bad, another one is refused by the vendor, and a tenth of the addresses comes twice."""
    lines = ["email,first_name,product_id"]
    for number in range(count):
        who = number - 5 if number % 10 == 7 else number
        value = {39: "no number", 19: REFUSED}.get(number % 40, "1")
        lines.append(f"c{who}@doe.com,n{who},{value}")
    path.write_text("\n".join(lines) + "\n")


def die_at(what: str, step: int, when: str) -> None:
    """Have this process killed before or after the nth doing of what `OF` names."""
    seen = 0

    def is_time(now: str) -> None:
        if (seen, now) == (step, when):
            os.kill(os.getpid(), signal.SIGKILL)

    owner, name = OF[what]
    done = getattr(owner, name)

    def fatal(*args: Any, **facts: Any) -> Any:
        nonlocal seen
        seen += 1
        is_time("before")
        told = done(*args, **facts)
        is_time("after")
        return told

    async def fatal_later(*args: Any, **facts: Any) -> Any:
        nonlocal seen
        seen += 1
        is_time("before")
        told = await done(*args, **facts)
        is_time("after")
        return told

    setattr(owner, name, fatal_later if iscoroutinefunction(done) else fatal)


async def main(told: dict[str, Any]) -> None:
    if told.get("die_at"):
        die_at(*told["die_at"])
    retry = RetryPolicy(ladder_s=(0.01,) * 8, connection_ladder_s=(0.01,) * 8)
    limits = Limits(calls=1_000_000, parallel=1000)  # what a drop costs of the budget is not the point
    async with OngageClient(
        Credentials(*told["credentials"]), base_url=told["url"], limits=limits, retry=retry
    ) as ongage:
        folder = Path(told["folder"])
        print("ready", flush=True)
        report = await ongage.imports.run(folder / "people.csv", road="calls", journal=folder / "journal")
    print(report.as_json())


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
