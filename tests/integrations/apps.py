"""Apps that run in the test's own event loop, and visitors for them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
from fastapi import FastAPI


@asynccontextmanager
async def running(app: FastAPI, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run an app, lifespan and all, and give a visitor for it."""

    async def reading_all(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        while (await receive()).get("more_body"):  # trio warns of a body that was begun and not read to its end
            pass

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(reading_all), base_url="http://app", **options) as visitor,
    ):
        yield visitor


async def until(seen: Callable[[], Awaitable[bool]], within_s: float = 10.0) -> None:
    """Look again and again until it is so."""
    with anyio.fail_after(within_s):
        while not await seen():  # noqa: ASYNC110 - nobody tells of it
            await anyio.sleep(0.02)
