"""A process that puts calls into an outbox and sends them, made to be killed: `python -m tests.outbox.worker '{…}'`."""

import asyncio
import json
import os
import signal
import sys
from typing import Any

from ongage_async import Credentials, Limits, OngageClient, RetryPolicy
from ongage_async.outbox import Outbox

MESSAGE = 7
LEASE_S = 0.4


def client(told: dict[str, Any]) -> OngageClient:
    """What a drop costs of the budget is not the point: the limits are wide."""
    retry = RetryPolicy(ladder_s=(0.02,), connection_ladder_s=(0.02,))
    limits = Limits(calls=1_000_000, parallel=8)
    return OngageClient(Credentials(*told["credentials"]), base_url=told["vendor"], limits=limits, retry=retry)


def die_at(outbox: Outbox, step: str, when: str) -> None:
    """Have this process killed before or after a step of the store."""
    store: Any = outbox._desk._store
    whole = getattr(store, step)

    def fatal(*values: Any) -> None:
        if when == "after":
            whole(*values)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(store, step, fatal)


async def put_all(outbox: Outbox, entries: int) -> None:
    """Put what every process puts, under the same keys: together they are one each."""
    for number in range(entries):
        address = f"c{number}@doe.com"
        if number % 4 == 3:
            await outbox.contacts.create([{"email": address}], overwrite=True, key=f"contact {number}")
        else:
            await outbox.transactional.send(MESSAGE, address, key=f"receipt {number}")


async def main(told: dict[str, Any]) -> None:
    async with client(told) as ongage, ongage.outbox(told["outbox"], lease_s=LEASE_S) as outbox:
        if "die_at" in told:
            die_at(outbox, *told["die_at"])
        print("ready", flush=True)
        await put_all(outbox, told["entries"])
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
