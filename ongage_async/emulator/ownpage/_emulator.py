"""The emulator of Ownpage as users hold it: all parts put together, and the three ways to run it."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import anyio
import anyio.to_thread
from attrs import define, field, frozen, setters

from ongage_async.emulator._app import Latency
from ongage_async.emulator._asgi import ASGIApp
from ongage_async.emulator._clock import Clock
from ongage_async.emulator._limits import Gate
from ongage_async.emulator._router import Router
from ongage_async.emulator._server import ServerThread, listen, serve_until_signal, url_of
from ongage_async.emulator._witness import Witness
from ongage_async.emulator.faults import Faults
from ongage_async.emulator.ownpage._app import FormGate, OwnpageApp
from ongage_async.emulator.ownpage._files import FileEngine
from ongage_async.emulator.ownpage._office import OwnpageCustomer, TokenOffice
from ongage_async.emulator.ownpage._routes import routes
from ongage_async.emulator.ownpage._state import OwnpageState
from ongage_async.emulator.ownpage.readings import OwnpageReadings
from ongage_async.emulator.readings import Readings

if TYPE_CHECKING:
    import httpx

__all__ = ["OwnpageEmulator"]

IN_PROCESS_URL = "http://ownpage.test"


@frozen
class _World:
    """What the app asks of the other vendor's world."""

    clock: Clock


@define(eq=False, kw_only=True)
class OwnpageEmulator:
    """Stand in for Ownpage: stateful, with tokens that grow old, limits, faults and a witness.

    Three ways to run it. ``async with OwnpageEmulator()`` (or ``with``) serves over loopback sockets in a background
    thread. `http_client` reaches it without sockets on the running loop's clock, which may be virtual. `app` is the
    bare ASGI app.

    What may be changed while it runs: ``readings.…``, ``limits.calls``, ``limits.per_s``, ``limits.parallel``,
    ``form_limits.per_address``, ``form_limits.in_all``, ``tokens.life_s``, ``files.…``, ``latency``, ``state``.

    Args:
        customer: Who may call.
        readings: Switches for what the vendor leaves open.
        calls: Most calls in any window; None for no limit. The vendor documents none.
        per_s: Length of the window in seconds.
        parallel: Most calls open at once; None for no limit.
        token_life_s: How long tokens live; None for ever. The vendor does not say.
        latency: Service time of a call in seconds, or a function of the operation's name.
        send_path: Path of the transactional emails, which the vendor's page does not show.
        clock: Seconds from an arbitrary zero; None for the clock of the loop that serves.
        epoch: Unix time at the clock's zero; None for today's.
        witness_max: Most calls that the witness keeps.
        host: Where to listen.
        port: Where to listen; 0 for a free port.
    """

    customer: OwnpageCustomer = field(factory=OwnpageCustomer, repr=False)
    readings: OwnpageReadings = field(factory=OwnpageReadings, on_setattr=setters.frozen)
    host: str = "127.0.0.1"
    port: int = 0
    _calls: int | None = field(default=None, alias="calls", repr=False)
    _per_s: float = field(default=60.0, alias="per_s", repr=False)
    _parallel: int | None = field(default=None, alias="parallel", repr=False)
    _token_life_s: float | None = field(default=None, alias="token_life_s", repr=False)
    _latency: Latency = field(default=0.0, alias="latency", repr=False)
    _send_path: str = field(default="/transactional/send", alias="send_path", repr=False)
    _clock: Callable[[], float] | None = field(default=None, alias="clock", repr=False)
    _epoch: float | None = field(default=None, alias="epoch", repr=False)
    _witness_max: int = field(default=1_000_000, alias="witness_max", repr=False)
    state: OwnpageState = field(init=False, repr=False)
    tokens: TokenOffice = field(init=False, repr=False)
    files: FileEngine = field(init=False, repr=False)
    limits: Gate = field(init=False, repr=False)
    form_limits: FormGate = field(init=False, repr=False)
    faults: Faults = field(init=False, repr=False)
    witness: Witness = field(init=False, repr=False)
    app: OwnpageApp = field(init=False, repr=False)
    _time: Clock = field(init=False, repr=False)
    _server: ServerThread | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._time = Clock(self._clock, self._epoch)
        self.state = OwnpageState(self._time, self.readings)
        self.tokens = TokenOffice(self.customer, self._time, self._token_life_s)
        self.files = FileEngine(self.state)
        self.limits = Gate(Readings(), self._calls, self._per_s, self._parallel)
        self.form_limits = FormGate(self.limits.readings)
        self.faults = Faults()
        self.witness = Witness(self._witness_max)
        self.app = OwnpageApp(
            world=cast("Any", _World(self._time)),
            router=Router(routes(self._send_path)),
            doorkeeper=cast("Any", self.tokens),
            gate=self.limits,
            faults=self.faults,
            witness=self.witness,
            latency=self._latency,
            state=self.state,
            office=self.tokens,
            files=self.files,
            form_gate=self.form_limits,
        )

    @property
    def url(self) -> str:
        """Return the base URL with its version, as a client wants it."""
        return f"{IN_PROCESS_URL if self._server is None else self._server.url}/v1"

    @property
    def latency(self) -> Latency:
        """Service time of a call in seconds, or a function of the operation's name; may be set."""
        return self.app.latency

    @latency.setter
    def latency(self, latency: Latency) -> None:
        self.app.latency = latency

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of what is served; it is at ``/openapi.json`` too."""
        return self.app.document()

    def http_client(self, **options: Any) -> "httpx.AsyncClient":
        """Return an httpx client that reaches the emulator without sockets, on the running loop's clock.

        Args:
            **options: For `httpx.AsyncClient`.
        """
        import httpx

        from ongage_async.emulator._inprocess import InProcessTransport

        options = {"base_url": self.url, "trust_env": False, **options}
        return httpx.AsyncClient(transport=InProcessTransport(self.app), **options)

    def mount_fetch(self, prefix: str, app: ASGIApp) -> None:
        """Let an ASGI app answer when a file's URL begins with `prefix` (scheme and host)."""
        self.files.fetcher.mount(prefix, app)

    def start(self) -> str:
        """Serve over sockets in a background thread; return the base URL."""
        if self._server is not None:
            raise RuntimeError("this emulator is already serving")
        if self._time.source is None:
            self._time.source = time.monotonic  # what the thread's loop tells, readable from every thread
        server = ServerThread(self.app, self.host, self.port)
        server.start()
        self._server = server
        return self.url

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
        url = f"{url_of(listener)}/v1"
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
