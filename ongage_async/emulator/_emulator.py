"""The emulator as users hold it: all parts put together, and the three ways to run it."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio
import anyio.to_thread
from attrs import define, field, setters

from ongage_async.emulator._app import App, Latency
from ongage_async.emulator._asgi import ASGIApp
from ongage_async.emulator._call import World
from ongage_async.emulator._clock import Clock
from ongage_async.emulator._credentials import Credentials, Doorkeeper
from ongage_async.emulator._imports import ImportEngine
from ongage_async.emulator._limits import Gate
from ongage_async.emulator._router import Router
from ongage_async.emulator._server import ServerThread, listen, serve_until_signal, url_of
from ongage_async.emulator._state import State
from ongage_async.emulator._witness import Witness
from ongage_async.emulator.families import ROUTES
from ongage_async.emulator.faults import Faults
from ongage_async.emulator.readings import Readings

if TYPE_CHECKING:
    import httpx

__all__ = ["Emulator"]

IN_PROCESS_URL = "http://emulator.test"


@define(eq=False, kw_only=True)
class Emulator:
    """Stand in for the Ongage API: stateful, as sloppy as the real one, with limits, faults and a witness.

    Three ways to run it. ``async with Emulator()`` (or ``with``) serves over loopback sockets in a background thread,
    for clients on any event loop. `http_client` reaches it without sockets on the running loop's clock, which may be
    virtual. `app` is the bare ASGI app.

    What may be changed while it runs: ``readings.…``, ``limits.calls``, ``limits.per_s``, ``limits.parallel``,
    ``latency``, ``api_enabled``, ``imports.script``, ``imports.rows_per_s`` and its other durations, ``state``.

    Args:
        credentials: What the three headers must say.
        api_key: What ``x-api-key`` must say.
        api_enabled: Whether the account has API access; otherwise 403.
        calls: Most calls in any window; None for no limit.
        per_s: Length of the window in seconds.
        parallel: Most calls open at once; None for no limit.
        readings: Switches for what the vendor leaves open.
        latency: Service time of a call in seconds, or a function of the operation's name.
        batch_cap: Most rows of one contacts call.
        rows_per_s: How fast imports apply rows; None for as fast as possible.
        clock: Seconds from an arbitrary zero; None for the clock of the loop that serves.
        epoch: Unix time at the clock's zero; None for today's.
        account_id: The numeric id of the account.
        default_list_id: The list that calls act on which name none.
        witness_max: Most calls that the witness keeps.
        host: Where to listen.
        port: Where to listen; 0 for a free port.
    """

    credentials: Credentials = field(factory=Credentials)
    api_key: str = field(default="emulated-api-key", repr=False)
    readings: Readings = field(factory=Readings, on_setattr=setters.frozen)
    account_id: int = 60306
    default_list_id: int = 60299
    host: str = "127.0.0.1"
    port: int = 0
    _latency: Latency = field(default=0.0, alias="latency", repr=False)
    _calls: int | None = field(default=300, alias="calls", repr=False)
    _per_s: float = field(default=60.0, alias="per_s", repr=False)
    _parallel: int | None = field(default=10, alias="parallel", repr=False)
    _batch_cap: int = field(default=500, alias="batch_cap", repr=False)
    _rows_per_s: float | None = field(default=None, alias="rows_per_s", repr=False)
    _api_enabled: bool = field(default=True, alias="api_enabled", repr=False)
    _clock: Callable[[], float] | None = field(default=None, alias="clock", repr=False)
    _epoch: float | None = field(default=None, alias="epoch", repr=False)
    _witness_max: int = field(default=1_000_000, alias="witness_max", repr=False)
    state: State = field(init=False, repr=False)
    imports: ImportEngine = field(init=False, repr=False)
    limits: Gate = field(init=False, repr=False)
    faults: Faults = field(init=False, repr=False)
    witness: Witness = field(init=False, repr=False)
    app: App = field(init=False, repr=False)
    _time: Clock = field(init=False, repr=False)
    _server: ServerThread | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._time = Clock(self._clock, self._epoch)
        self.state = State(self._time, self.account_id, self.default_list_id)
        self.imports = ImportEngine(self.state, self.readings, self._time, rows_per_s=self._rows_per_s)
        self.limits = Gate(self.readings, self._calls, self._per_s, self._parallel)
        self.faults = Faults()
        self.witness = Witness(self._witness_max)
        world = World(self.state, self.readings, self._time, self.imports, self._batch_cap)
        doorkeeper = Doorkeeper(self.credentials, self.api_key, self._api_enabled)
        self.app = App(world, Router(ROUTES), doorkeeper, self.limits, self.faults, self.witness, self._latency)

    @property
    def url(self) -> str:
        """Return the base URL: the socket's while it serves, else the one that `http_client` uses."""
        return IN_PROCESS_URL if self._server is None else self._server.url

    @property
    def latency(self) -> Latency:
        """Service time of a call in seconds, or a function of the operation's name; may be set."""
        return self.app.latency

    @latency.setter
    def latency(self, latency: Latency) -> None:
        self.app.latency = latency

    @property
    def api_enabled(self) -> bool:
        """Whether the account has API access; may be set."""
        return self.app.doorkeeper.api_enabled

    @api_enabled.setter
    def api_enabled(self, api_enabled: bool) -> None:
        self.app.doorkeeper.api_enabled = api_enabled

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of what is served; it is at ``/openapi.json`` too."""
        return self.app.document()

    def http_client(self, **options: Any) -> "httpx.AsyncClient":
        """Return an httpx client that reaches the emulator without sockets.

        It follows the running loop's clock, on asyncio and trio, and keeps the client's read timeout. The server's side
        of a call goes on when the client gives up, and departs later, as over a socket.

        Args:
            **options: For `httpx.AsyncClient`; ``headers`` defaults to the credentials'.
        """
        import httpx

        from ongage_async.emulator._inprocess import InProcessTransport

        options = {"base_url": self.url, "headers": self.credentials.headers(), "trust_env": False, **options}
        return httpx.AsyncClient(transport=InProcessTransport(self.app), **options)

    def mount_fetch(self, prefix: str, app: ASGIApp) -> None:
        """Let an ASGI app answer when an import's ``file_url`` begins with `prefix` (scheme and host)."""
        self.imports.fetcher.mount(prefix, app)

    def start(self) -> str:
        """Serve over sockets in a background thread; return the base URL."""
        if self._server is not None:
            raise RuntimeError("this emulator is already serving")
        if self._time.source is None:
            self._time.source = time.monotonic  # what the thread's loop tells, readable from every thread
        server = ServerThread(self.app, self.host, self.port)
        server.start()
        self._server = server
        return server.url

    def stop(self) -> None:
        """Hang up on everybody and end the thread."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def serve_forever(self, started: Callable[[str], None]) -> None:
        """Serve in this thread until SIGINT or SIGTERM.

        Args:
            started: Called with the base URL once connections are accepted.
        """
        listener = listen(self.host, self.port)
        url = url_of(listener)
        serve_until_signal(self.app, listener, lambda: started(url))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await anyio.to_thread.run_sync(self.start)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.stop)
