"""A program that loads a file and is killed: forked from one that has everything imported, so that a run takes no time.

`python -m tests.proofs.kills.worker` reads one JSON object a line, each an order for one run, and answers with a line
that says how it ended. Nothing of this is known to the library: the kills are `SIGKILL`, from outside after some time,
or by the journal itself before or after it writes its nth line.
"""

import faulthandler
import json
import os
import select
import signal
import sys
from importlib import import_module
from typing import Any

import anyio

from ongage_async import Credentials, Governor, Limits, OngageClient, OngageError, RetryPolicy
from ongage_async.bulk import FileDrop, Packing, SqliteJournal, UrlStage
from ongage_async.bulk import run as bulk_run

HUNG_S = 20.0
"""After so long a run is stuck: it says where, and ends."""
QUICK = RetryPolicy(ladder_s=(0.01,) * 6, connection_ladder_s=(0.01,) * 6)


class FatalJournal(SqliteJournal):
    """A journal that kills its program before or after its nth line."""

    def __init__(self, path: str, at: int, when: str) -> None:
        super().__init__(path)
        self._left, self._when = at, when

    async def record(self, *args: Any, **facts: Any) -> None:
        self._left -= 1
        is_last = self._left == 0
        if is_last and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        await super().record(*args, **facts)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)


async def load(order: dict[str, Any]) -> dict[str, Any]:
    defaults = bulk_run.__kwdefaults__
    assert defaults is not None
    defaults["lookup_waits_s"] = (0.01, 0.05, 0.1)
    journal = FatalJournal(order["journal"], order.get("kill_at", 0), order.get("when", ""))
    options: dict[str, Any] = {
        "base_url": order["url"],
        "list_id": order["list_id"],
        "governor": Governor(Limits(calls=1_000, per_s=0.2, parallel=10), margin_s=0.05),
        "retry": QUICK,
        "timeout_s": 1.0,
    }
    async with OngageClient(Credentials(*order["credentials"]), **options) as ongage:

        async def through(stage: Any) -> Any:
            packing = Packing(part_rows=order["part_rows"])
            return await ongage.imports.run(
                order["source"], stage=stage, journal=journal, packing=packing, interval_s=0.02
            )

        if order["published"]:
            report = await through(UrlStage("https://files.test", order["published"]))
        else:
            async with FileDrop.serve() as drop:
                report = await through(drop)
    return report.as_dict()


def warm_up() -> None:
    """Import what a load needs and imports late, so that not every run does."""
    import_module("cattrs")
    for name in ("_asyncio", "_trio"):
        import_module(f"anyio._backends.{name}")
    for name in ("protocols.http.h11_impl", "protocols.http.auto", "lifespan.on", "loops.auto"):
        import_module(f"uvicorn.{name}")
    for name in ("imports", "lists", "list_fields"):
        import_module(f"ongage_async.resources.{name}")
    for name in ("httpcore", "certifi", "ongage_async.bulk.stages._serve"):
        import_module(name)


def serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            os.close(reading)
            faulthandler.dump_traceback_later(HUNG_S, exit=True)
            try:
                answer = {"report": anyio.run(load, order, backend=order["backend"])}
            except OngageError as error:
                answer = {"error": f"{type(error).__name__}: {error}", "notes": getattr(error, "__notes__", [])}
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
        os.close(writing)
        print(json.dumps(attend(pid, reading, order.get("kill_after_s"))), flush=True)


def attend(pid: int, reading: int, kill_after_s: float | None) -> dict[str, Any]:
    """Wait for a run, or kill it in the middle; say how it ended."""
    if kill_after_s is not None:
        ready, _, _ = select.select([reading], [], [], kill_after_s)
        if not ready:
            os.kill(pid, signal.SIGKILL)
    pieces = []
    while piece := os.read(reading, 65536):
        pieces.append(piece)
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return {"killed": os.WTERMSIG(status)}
    return json.loads(b"".join(pieces)) if pieces else {"crashed": status}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up()
    serve()
