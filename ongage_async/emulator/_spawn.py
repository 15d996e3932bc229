"""Start work that outlives its caller, on asyncio or trio, without a nursery.

A server goes on when its client hangs up, and an import runs after its call was answered. Used by the in-process
transport and by the imports. The work ends with its event loop at the latest.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["spawn"]

_KEPT: set["asyncio.Task[None]"] = set()  # asyncio itself holds tasks only weakly


def spawn(work: Callable[..., Awaitable[None]], *args: Any) -> None:
    """Run `work(*args)` in the background of the running event loop.

    Args:
        work: An async function that raises nothing but its cancellation.
        *args: Its arguments.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # no asyncio: trio
        import trio

        trio.lowlevel.spawn_system_task(work, *args)
        return
    task = loop.create_task(_finish(work, *args))
    _KEPT.add(task)
    task.add_done_callback(_KEPT.discard)


async def _finish(work: Callable[..., Awaitable[None]], *args: Any) -> None:
    await work(*args)
