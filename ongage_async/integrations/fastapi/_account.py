"""One Ongage account in one worker of a web app: opened and closed with the app, given to requests as a dependency."""

import logging
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from attrs import define
from fastapi import APIRouter, FastAPI

from ongage_async._retry import RetryPolicy
from ongage_async.client import OngageClient
from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError
from ongage_async.integrations.fastapi._budget import budget_routes
from ongage_async.integrations.fastapi._views import Chosen, View

if TYPE_CHECKING:
    from ongage_async.bulk import Coalesced
    from ongage_async.integrations.fastapi._drop import SharedDrop

__all__ = ["Joined", "Ongage"]

log = logging.getLogger("ongage_async")


@define(eq=False)
class Joined:
    """A dependency that gives all requests of a worker the same coalesced contacts; made by `Ongage.coalesced`."""

    _make: "Callable[[], Coalesced]"
    _open: "Coalesced | None" = None

    async def __call__(self) -> "Coalesced":
        """Return the contacts that this worker's requests share."""
        return self.contacts

    @property
    def contacts(self) -> "Coalesced":
        """The same, outside a request.

        Raises:
            ConfigurationError: The app is not running.
        """
        if self._open is None:
            raise ConfigurationError("these contacts are not open: run the app with its lifespan")
        return self._open

    def open(self) -> None:
        """Begin to join rows."""
        self._open = self._make()

    async def aclose(self) -> None:
        """Send what waits, and wait for it."""
        contacts, self._open = self._open, None
        if contacts is not None:
            await contacts.aclose()


class Ongage:
    """An account in a FastAPI app.

        ongage = Ongage()
        app = FastAPI(lifespan=ongage.lifespan)
        handle_errors(app)

        @app.get("/lists")
        async def lists(client: Annotated[OngageClient, Depends(ongage)]): ...

    Make it once, where the app is made. Each worker process opens a client of its own when the app starts; with several
    workers, the account's budget must be shared: set ``ONGAGE_GOVERNOR=file:///var/lib/app/ongage.ledger``.

    Args:
        make: What makes a worker's client; by default it is made from the environment.
        drain_s: Seconds that the end of the app may take to send what was coalesced and to let open calls end.
    """

    def __init__(self, make: Callable[[], OngageClient] = OngageClient.from_env, *, drain_s: float = 30.0) -> None:
        self._make = make
        self._drain_s = drain_s
        self._client: OngageClient | None = None
        self._joined: list[Joined] = []
        self._drop: SharedDrop | None = None

    @property
    def client(self) -> OngageClient:
        """This worker's client, for work that belongs to no request.

        Raises:
            ConfigurationError: The app is not running.
        """
        if self._client is None:
            raise ConfigurationError("no client is open: run the app with its lifespan, `lifespan=ongage.lifespan`")
        return self._client

    async def __call__(self) -> OngageClient:
        """Return this worker's client: ``Annotated[OngageClient, Depends(ongage)]``."""
        return self.client

    # -- coming and going ---------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def lifespan(self, app: Any = None) -> AsyncIterator[None]:  # noqa: ARG002 - what FastAPI passes
        """Have the account open while an app runs: ``FastAPI(lifespan=ongage.lifespan)``.

        In a lifespan of your own: ``async with ongage.lifespan(app): yield``. At its end, coalesced rows are sent and
        open calls end, for at most `drain_s`.

        Raises:
            ConfigurationError: A setting is wrong, or it is open already.
        """
        if self._client is not None:
            raise ConfigurationError("this account is open already: make one Ongage per app")
        client = self._make()
        async with _closing(client, self._drain_s, self._joined):
            await client.governor.start()
            _warn_of_many_budgets(client)
            self._client = client
            try:
                for joined in self._joined:
                    joined.open()
                with self._secrets_unlogged():
                    yield
            finally:
                self._client = None

    def _secrets_unlogged(self) -> AbstractContextManager[None]:
        return nullcontext() if self._drop is None else self._drop.unlogged()

    # -- dependencies -------------------------------------------------------------------------------------------------

    def view(
        self,
        *,
        lane: Chosen[Lane] | None = None,
        max_wait_s: Chosen[float | None] | None = None,
        tenant: Chosen[str] | None = None,
        list_id: Chosen[int | None] | None = None,
        timeout_s: float | None = None,
        retry: RetryPolicy | None = None,
        deadline_header: str | None = None,
    ) -> View:
        """Return a dependency whose clients use other options; see `OngageClient.with_options` for them.

        Lane, tenant, patience and list may be functions of the request:
        ``ongage.view(tenant=lambda request: request.state.shop)``. Options left out are the client's own.

        Args:
            lane: Who waits for the calls.
            max_wait_s: Seconds beyond which a call does not wait to be sent.
            tenant: On whose behalf; tenants of a lane are served in turn.
            list_id: The list of calls that name none.
            timeout_s: Seconds that one send may take.
            retry: When a failed call is sent again.
            deadline_header: A header in which a visitor, or a gateway, says how many seconds it still waits
                (milliseconds if its name ends in ``-ms``); it can shorten `max_wait_s`, never prolong it.
        """
        given = {
            "lane": lane,
            "max_wait_s": max_wait_s,
            "tenant": tenant,
            "list_id": list_id,
            "timeout_s": timeout_s,
            "retry": retry,
        }
        return View(self._current, {k: v for k, v in given.items() if v is not None}, deadline_header)

    def coalesced(
        self,
        *,
        lane: Lane = Lane.NORMAL,
        max_wait_s: float | None = None,
        max_rows: int = 20,
        max_delay_s: float = 0.05,
        list_id: int | None = None,
    ) -> Joined:
        """Return a dependency through which all requests of a worker share their upserts; see `Contacts.coalesced`.

        Args:
            lane: Who waits for the shared calls.
            max_wait_s: Seconds beyond which a shared call does not wait to be sent.
            max_rows: Addresses after which a call leaves.
            max_delay_s: Seconds after which it leaves in any case.
            list_id: The list; None: the client's.

        Raises:
            InvalidInputError: When the app starts: an option is out of its range.
        """

        def make() -> "Coalesced":
            view = self.client.with_options(lane=lane, max_wait_s=max_wait_s)
            return view.contacts.coalesced(max_rows=max_rows, max_delay_s=max_delay_s, list_id=list_id)

        self._joined.append(joined := Joined(make))
        return joined

    def _current(self) -> OngageClient:
        return self.client

    # -- what the app shows -------------------------------------------------------------------------------------------

    def routes(self, prefix: str = "/ongage", dependencies: Sequence[Any] = ()) -> APIRouter:
        """Return the routes ``budget`` (a page), ``budget.json`` and ``health``, for ``app.include_router``.

        Args:
            prefix: Their path.
            dependencies: What guards the budget: ``[Depends(only_for_staff)]``. It tells nothing secret, but how much
                you send. Health is open.
        """
        return budget_routes(self._current, prefix, dependencies)

    def mount_drop(
        self,
        app: FastAPI,
        path: str,
        *,
        public_url: str,
        folder: str | os.PathLike[str],
        allow: Iterable[str] | None = None,
        insecure: bool = False,
    ) -> "SharedDrop":
        """Mount a file drop that all workers serve; pass it to ``imports.run(stage=...)``.

        Args:
            app: The app.
            path: Where it is mounted: ``/ongage-files``.
            public_url: The address under which that path is reached from outside.
            folder: A private directory that all workers share; it is made.
            allow: Networks whose clients may fetch; None: every client.
            insecure: Allow plain http to somewhere else than this machine.

        Raises:
            ConfigurationError: `public_url` is not https, or `allow` is wrong.
        """
        from ongage_async.integrations.fastapi._drop import SharedDrop  # with it comes all of bulk loading

        self._drop = SharedDrop(public_url, Path(folder), allow=allow, insecure=insecure)
        app.mount(path, self._drop)
        return self._drop


@asynccontextmanager
async def _closing(client: OngageClient, drain_s: float, joined: Iterable[Joined]) -> AsyncIterator[None]:
    """Send what waits and close the client at the end, however the app ends, for so many seconds at most."""
    try:
        yield
    finally:
        with anyio.move_on_after(drain_s, shield=True) as draining:
            async with anyio.create_task_group() as tasks:
                for each in joined:
                    tasks.start_soon(each.aclose)
            await client.aclose()
        if draining.cancelled_caught:
            log.warning("the app ends after drain_s=%g, though not everything was sent or answered", drain_s)


def _warn_of_many_budgets(client: OngageClient) -> None:
    """Say so where this is one of several workers, each with a whole budget of its own."""
    workers = os.environ.get("WEB_CONCURRENCY", "1")
    is_one_of_many = multiprocessing.parent_process() is not None or (workers.isdecimal() and int(workers) > 1)
    if is_one_of_many and not client.governor.is_shared:
        log.warning(
            "this worker has a budget of its own: with several workers the account's limit is exceeded; share it, for "
            "instance with ONGAGE_GOVERNOR=file:///var/lib/app/ongage.ledger"
        )
