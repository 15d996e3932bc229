"""Redis sits the exam of the ledgers, on a real server, in time that the exam says."""

import atexit
import functools
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from ongage_async.config import Limits
from ongage_async.governor import Ledger
from ongage_async.governor._redis import RedisLedger
from tests.ledgers.exam import MARGIN_S, nobody, sits_the_exam
from tests.ledgers.redis_server import RedisServer

_accounts = count()


@functools.cache
def one_server() -> RedisServer:
    folder = tempfile.TemporaryDirectory()
    server = RedisServer(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(server.stop)
    return server


@sits_the_exam("redis")
@asynccontextmanager
async def redis(_: Path, limits: Limits, clock: Callable[[], float]) -> AsyncIterator[Any]:
    opened: list[RedisLedger] = []
    account = f"exam{next(_accounts)}"

    async def open_one(
        wake: Any = nobody, *, limits: Limits | None = limits, reserve: int = 0, heartless: bool = False
    ) -> Ledger:
        ledger = RedisLedger(one_server().url, limits or Limits(), account, margin_s=MARGIN_S, reserve=reserve)
        ledger._told = clock
        opened.append(ledger)
        await ledger.start(wake)
        await ledger.is_listening.wait()
        return ledger

    yield open_one
    for ledger in opened:
        await ledger.aclose()
