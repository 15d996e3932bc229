"""Serve an ASGI app over loopback sockets with uvicorn: in a thread of its own, or until Ctrl-C.

Starting and stopping go around uvicorn's `Server.serve`, whose ticks of 0.1 s and graceful waiting are made for
production: here a server starts in milliseconds, and stops at once, hanging up on whoever is still there.
"""

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from attrs import define, field

from ongage_async.emulator._asgi import ASGIApp, Receive, Scope, Send

if TYPE_CHECKING:
    import uvicorn

__all__ = ["ServerThread", "listen", "serve_until_signal", "url_of"]

_BACKLOG = 2048
_ACCEPTING = 4
"""Turns of the loop until a connection that is being accepted is known to uvicorn, and its end to asyncio."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Saying TCP aloud matters: asyncio switches Nagle's algorithm off only then, which else costs 40 ms a call.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the base URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _serve(app: ASGIApp, listener: socket.socket, stop: asyncio.Event, started: Callable[[], None]) -> None:
    import uvicorn

    closing = False

    async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if not closing:  # uvicorn would log what we did ourselves
                raise

    config = uvicorn.Config(
        outermost, log_config=None, access_log=False, lifespan="off", ws="none", proxy_headers=False,
        server_header=False, interface="asgi3", backlog=_BACKLOG,
    )  # fmt: skip
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    await server.on_tick(0)  # makes the Date header
    started()
    try:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 1.0)
            await server.on_tick(0)  # keeps the Date header true
    finally:
        closing = True
        await _close(server)


def _accept_no_more(server: "uvicorn.Server") -> None:
    """Leave the listeners open: asyncio loses connections that are being accepted while their server closes."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows
        for each in server.servers:
            for listener in each.sockets:
                loop.remove_reader(listener.fileno())


async def _close(server: "uvicorn.Server") -> None:
    _accept_no_more(server)
    for _ in range(_ACCEPTING):
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the calls learn that their clients are gone
    for each in server.servers:
        each.close()
    for task in list(server.server_state.tasks):
        task.cancel()
    await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
    await asyncio.sleep(0)


@define(eq=False)
class ServerThread:
    """Serve an app in a background thread with its own asyncio loop.

    Args:
        app: The app.
        host: Address to listen on.
        port: Port, 0 for a free one.
    """

    app: ASGIApp
    host: str = "127.0.0.1"
    port: int = 0
    url: str = field(default="", init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _stop: asyncio.Event | None = field(default=None, init=False)
    _started: threading.Event = field(factory=threading.Event, init=False)
    _failure: BaseException | None = field(default=None, init=False)

    def start(self) -> str:
        """Start and return the base URL, once connections are accepted."""
        listener = listen(self.host, self.port)
        self.url = url_of(listener)
        self._started.clear()
        self._thread = threading.Thread(target=self._run, args=(listener,), name="ongage-emulator", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self.url

    def stop(self) -> None:
        """Hang up on everybody and end the thread."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def _run(self, listener: socket.socket) -> None:
        with listener:
            try:
                with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                    runner.run(self._main(listener))
            except BaseException as failure:  # noqa: BLE001 - handed to the thread that waits in start()
                self._failure = failure
            finally:
                self._started.set()

    async def _main(self, listener: socket.socket) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await _serve(self.app, listener, self._stop, self._started.set)


def serve_until_signal(app: ASGIApp, listener: socket.socket, started: Callable[[], None]) -> None:
    """Serve in this thread until SIGINT or SIGTERM.

    Args:
        app: The app.
        listener: From `listen`; closed at the end.
        started: Called once connections are accepted.
    """

    async def main() -> None:
        stop = asyncio.Event()
        with _signals_set(stop):
            await _serve(app, listener, stop, started)

    with listener, contextlib.suppress(KeyboardInterrupt), asyncio.Runner() as runner:
        runner.run(main())


@contextlib.contextmanager
def _signals_set(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in numbers:
            loop.add_signal_handler(number, stop.set)
    except NotImplementedError:  # Windows: Ctrl-C comes as KeyboardInterrupt
        yield
        return
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
