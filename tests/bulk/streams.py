"""What tests of streams share: a client of an emulator without sockets, in virtual time, on either event loop."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import trio.testing

from ongage_async import Governor, Limits, OngageClient
from ongage_async.emulator import Emulator
from ongage_async.emulator.virtual_time import VirtualTimeLoop
from tests.support import client_of

BACKENDS: dict[str, Callable[[], dict[str, Any]]] = {
    "asyncio": lambda: {"backend": "asyncio", "backend_options": {"loop_factory": VirtualTimeLoop}},
    "trio": lambda: {
        "backend": "trio",
        "backend_options": {"clock": trio.testing.MockClock(autojump_threshold=0)},
    },
}


def run(backend: str, main: Callable[..., Awaitable[Any]]) -> Any:
    """Run `main()` in virtual time, for tests whose function cannot be async."""
    return anyio.run(main, **BACKENDS[backend]())


def emulator(**options: Any) -> Emulator:
    return Emulator(**{"calls": None, "parallel": None, "epoch": 1_700_000_000.0, **options})


@asynccontextmanager
async def client(of: Emulator, **options: Any) -> AsyncIterator[OngageClient]:
    options.setdefault("governor", Governor(Limits(calls=1_000_000, parallel=10)))
    async with of.http_client() as http_client, client_of(of, http_client=http_client, **options) as ongage:
        yield ongage
