"""Run a web server for a `FileDrop` in a thread of its own, so that it works from asyncio and trio alike.

The only file that knows uvicorn. The server's event loop lives and dies in its thread; the caller's loop only starts
it, waits and stops it.
"""

import asyncio
import importlib
import logging
import socket
import threading
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from ongage_async.bulk.stages._filedrop import FileDrop
from ongage_async.errors import ConfigurationError, StagingError

__all__ = ["served"]

Drop = TypeVar("Drop", bound=FileDrop)

THREAD = "ongage-file-drop"
START_S = 10.0
STOP_S = 1
"""How long downloads may go on after the block has ended."""


@asynccontextmanager
async def served(
    kind: type[Drop],
    host: str,
    port: int,
    public_url: str | None,
    *,
    allow: Iterable[str] | None,
    proxies: tuple[str, ...],
    insecure: bool,
) -> AsyncGenerator[Drop]:
    """Yield a drop that is reachable at `public_url` while the block runs; see `FileDrop.serve`."""
    uvicorn = _uvicorn()
    logging.getLogger("uvicorn.access").addFilter(_is_not_of_a_drop)
    with _listen(host, port) as listener:
        drop = kind(public_url or _own_url(host, listener), allow=allow, insecure=insecure)
        server = uvicorn.Server(
            uvicorn.Config(
                drop,
                interface="asgi3",
                log_config=None,
                access_log=True,  # False would silence every uvicorn of this process; the filter silences ours
                lifespan="off",
                ws="none",
                loop="asyncio",
                proxy_headers=bool(proxies),
                forwarded_allow_ips=list(proxies),
                server_header=False,
                timeout_graceful_shutdown=STOP_S,
            )
        )
        thread = _start(server, listener)
        try:
            await _wait_until_up(server, thread)
            yield drop
        finally:
            drop.close()
            server.should_exit = True
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(thread.join, STOP_S + 5.0)


def _is_not_of_a_drop(record: logging.LogRecord) -> bool:
    """Keep a drop's requests out of the access log: a line of it would hold the secret path."""
    return record.threadName != THREAD


def _start(server: Any, listener: socket.socket) -> threading.Thread:
    """Start the thread; a daemon, so that a program that dies in the block is not held up by it."""

    def body() -> None:
        asyncio.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=body, name=THREAD, daemon=True)
    thread.start()
    return thread


async def _wait_until_up(server: Any, thread: threading.Thread) -> None:
    with anyio.move_on_after(START_S):
        while thread.is_alive():
            if server.started:
                return
            await anyio.sleep(0.005)
    raise StagingError("the file drop's server did not start; uvicorn's log says why")


def _uvicorn() -> Any:
    try:
        return importlib.import_module("uvicorn")
    except ImportError:
        raise ConfigurationError("FileDrop.serve needs uvicorn: pip install 'ongage-async[drop]'") from None


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise StagingError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def _own_url(host: str, listener: socket.socket) -> str:
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 - refused, not used
        raise ConfigurationError(f'host="{host}" is no address to fetch from: pass public_url= as seen from outside')
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
