"""The front door: `OngageClient`, its options, and the families of the API as attributes.

It joins configuration, governor, transport and engine, and does nothing itself. Resources are made when first used, so
a view with other options costs next to nothing.
"""

import hashlib
import ssl
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self
from urllib.parse import urlsplit

import attrs

from ongage_async import _transport, resources
from ongage_async._elsewhere import Elsewhere
from ongage_async._engine import Bound, Engine, Options
from ongage_async._explain import Explanation, Explanations
from ongage_async._operation import Answer, ListIn, Operation, Repeat
from ongage_async._retry import RetryPolicy
from ongage_async._together import Groups
from ongage_async._transport import HTTPClient
from ongage_async.config import ApiKey, Credentials, Lane, Limits, from_env
from ongage_async.errors import ConfigurationError
from ongage_async.events import Listener, Listeners
from ongage_async.governor import Governor, from_url

if TYPE_CHECKING:
    from ongage_async import outbox

__all__ = ["OngageClient"]

_UNSET: Any = object()


class OngageClient:
    """Talk to one Ongage account.

    Use it as ``async with OngageClient(...) as ongage``, on asyncio or trio; one for the whole program is enough. Every
    call goes through its governor; share one `Governor` (or a governor URL) between all clients of an account.

    Args:
        credentials: `Credentials` or `ApiKey`.
        base_url: Scheme and host; by default the one the credentials are made for.
        list_id: The list of calls that name none; None means the account's default list.
        governor: None for one of its own in this process, a `Governor` to share, or a ledger's URL.
        limits: What the account allows; not with a `Governor`, which has its own.
        retry: When a failed call is sent again.
        http_client: A client of your own (httpx or httpx2), used as it is and left open.
        ssl_context: For a private certificate authority, without a client of your own.
        timeout_s: Seconds that one send may take until its whole answer is there.
        on_event: Called with each record of `ongage_async.events`; must be quick. See `listen`.
        explain: For how many calls, of those that ended last, to remember where their time went; see the method.

    Raises:
        ConfigurationError: A setting is wrong; the message says which.
    """

    def __init__(
        self,
        credentials: Credentials | ApiKey,
        *,
        base_url: str | None = None,
        list_id: int | None = None,
        governor: Governor | str | None = None,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        http_client: HTTPClient | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timeout_s: float = 60.0,
        on_event: Listener | None = None,
        explain: int = 0,
    ) -> None:
        if not isinstance(credentials, Credentials | ApiKey):
            raise ConfigurationError("credentials must be Credentials(...) or ApiKey(...)")
        if isinstance(governor, Governor) and limits is not None:
            raise ConfigurationError("give limits= to the Governor, not to the client that uses it")
        self._base_url = _checked(base_url or credentials.default_base_url)
        self._options = Options(retry=retry or RetryPolicy(), timeout_s=timeout_s, list_id=list_id)
        self._owns_governor = not isinstance(governor, Governor)
        key = account_key(self._base_url, credentials.account)
        if isinstance(governor, Governor):
            self.governor: Governor = governor
        else:
            self.governor = from_url(governor, limits, account_key=key)
        transport = _transport.Transport(self._base_url, credentials.headers(), http_client, ssl_context)
        explanations = Explanations.of(explain)
        told = Listeners(also=(self.governor.listen,))
        self._engine = Engine(transport, self.governor, told, account=key, explanations=explanations)
        self._elsewhere = Elsewhere(self._engine, _checked)
        self._watched: Groups[Any] = Groups()
        self.governor.outlive(timeout_s)
        for listener in (explanations, on_event):
            if listener is not None:
                self.listen(listener)

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """Make a client from ``ONGAGE_*`` variables.

        Reads ``ONGAGE_USERNAME``, ``ONGAGE_PASSWORD`` and ``ONGAGE_ACCOUNT_CODE``, or ``ONGAGE_API_KEY``; and
        ``ONGAGE_BASE_URL``, ``ONGAGE_LIST_ID``, ``ONGAGE_GOVERNOR``, ``ONGAGE_CALLS_PER_MINUTE``, ``ONGAGE_PARALLEL``.

        Args:
            overrides: Arguments of `OngageClient` that win over the environment.

        Raises:
            ConfigurationError: A variable is missing or wrong.
        """
        settings = from_env()
        if isinstance(overrides.get("governor"), Governor):
            settings.pop("limits", None)
        return cls(**{**settings, **overrides})

    def with_options(
        self,
        *,
        lane: Lane | None = _UNSET,
        max_wait_s: float | None = _UNSET,
        retry: RetryPolicy = _UNSET,
        timeout_s: float = _UNSET,
        list_id: int | None = _UNSET,
        tenant: str = _UNSET,
    ) -> Self:
        """Return a view of this client whose calls use other options; cheap, and it needs no closing.

        Args:
            lane: For all calls of the view, instead of each operation's own.
            max_wait_s: Seconds after the start of a call beyond which it does not wait to be sent (queue, pause and
                back-off); what cannot be met is refused at once with `retry_after_s`. None: as long as needed.
            retry: When a failed call is sent again.
            timeout_s: Seconds that one send may take until its whole answer is there.
            list_id: The list of calls that name none.
            tenant: On whose behalf; tenants of a lane are served in turn, so that none starves another.
        """
        given: dict[str, Any] = {
            "lane": lane,
            "max_wait_s": max_wait_s,
            "retry": retry,
            "timeout_s": timeout_s,
            "list_id": list_id,
            "tenant": tenant,
        }
        if timeout_s is not _UNSET:
            self.governor.outlive(timeout_s)
        view = object.__new__(type(self))
        view._base_url = self._base_url
        view._owns_governor = False
        view.governor = self.governor
        view._engine = self._engine
        view._elsewhere = self._elsewhere
        view._watched = self._watched
        view._options = attrs.evolve(self._options, **{k: v for k, v in given.items() if v is not _UNSET})
        return view

    @property
    def base_url(self) -> str:
        """Scheme and host that the calls go to."""
        return self._base_url

    # -- the families of the API --------------------------------------------------------------------------------------

    @cached_property
    def contacts(self) -> "resources.Contacts":
        """Contacts of a list."""
        return resources.Contacts(self._caller, self._engine.listener)

    @cached_property
    def lists(self) -> "resources.Lists":
        """Sending and suppression lists."""
        return resources.Lists(self._caller, self._engine.listener)

    @cached_property
    def list_fields(self) -> "resources.ListFields":
        """Fields of a list."""
        return resources.ListFields(self._caller, self._engine.listener)

    @cached_property
    def imports(self) -> "resources.Imports":
        """Bulk imports of files."""
        return resources.Imports(self._caller, self._engine.listener, partial(self._watched.of, self._options))

    @cached_property
    def mailings(self) -> "resources.Mailings":
        """Campaigns: what goes to segments of a list, now or at a time."""
        return resources.Mailings(self._caller, self._engine.listener)

    @cached_property
    def transactional(self) -> "resources.Transactional":
        """Messages to people who wait for them."""
        return resources.Transactional(self._caller, self._engine.listener)

    @cached_property
    def emails(self) -> "resources.Emails":
        """Email messages, templates and folders."""
        return resources.Emails(self._caller, self._engine.listener)

    @cached_property
    def sms(self) -> "resources.SmsMessages":
        """SMS messages."""
        return resources.SmsMessages(self._caller, self._engine.listener)

    @cached_property
    def email_tags(self) -> "resources.EmailTags":
        """Tags of email messages."""
        return resources.EmailTags(self._caller, self._engine.listener)

    @cached_property
    def images(self) -> "resources.Images":
        """Images that the vendor hosts."""
        return resources.Images(self._caller, self._engine.listener)

    @cached_property
    def events(self) -> "resources.Events":
        """Messages that go out by themselves."""
        return resources.Events(self._caller, self._engine.listener)

    @cached_property
    def reports(self) -> "resources.Reports":
        """Numbers, selected and grouped."""
        return resources.Reports(self._caller, self._engine.listener)

    @cached_property
    def esp_connections(self) -> "resources.EspConnections":
        """Sending connections of the account."""
        return resources.EspConnections(self._caller, self._engine.listener)

    @cached_property
    def workflow_analytics(self) -> "resources.WorkflowAnalytics":
        """Numbers of workflows."""
        return resources.WorkflowAnalytics(self._caller, self._engine.listener)

    @cached_property
    def validation(self) -> "resources.Validation":
        """Validation of single addresses."""
        return resources.Validation(self._caller, self._engine.listener, self._elsewhere.caller(self._options))

    @cached_property
    def segments(self) -> "resources.Segments":
        """Segments of a list."""
        return resources.Segments(self._caller, self._engine.listener)

    @cached_property
    def suppression(self) -> "resources.Suppression":
        """Addresses and domains that are not sent to."""
        return resources.Suppression(self._caller, self._engine.listener)

    @cached_property
    def exports(self) -> "resources.Exports":
        """Contacts of segments or mailings as files."""
        return resources.Exports(self._caller, self._engine.listener)

    @cached_property
    def contact_counts(self) -> "resources.ContactCounts":
        """How many contacts meet criteria."""
        return resources.ContactCounts(self._caller, self._engine.listener)

    @cached_property
    def contact_search(self) -> "resources.ContactSearches":
        """Which contacts meet criteria."""
        return resources.ContactSearches(self._caller, self._engine.listener)

    @cached_property
    def contact_activity(self) -> "resources.ContactActivities":
        """What contacts did with mailings."""
        return resources.ContactActivities(self._caller, self._engine.listener)

    @cached_property
    def aggregate_activity(self) -> "resources.AggregateActivities":
        """What all contacts together did."""
        return resources.AggregateActivities(self._caller, self._engine.listener)

    async def request(
        self,
        method: str,
        route: str,
        *,
        path: Mapping[str, str | int] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        list_id: int | None = None,
        repeat: Repeat | None = None,
    ) -> Answer:
        """Call any endpoint: governed, retried and masked like all others.

        Args:
            method: HTTP method.
            route: Path without the list prefix; put values that are private in `path`:
                ``request("GET", "/api/contacts/by_email/{email}", path={"email": ...})``.
            path: Values of the route's ``{parameters}``.
            params: Query parameters.
            json: Body.
            list_id: The list; None means this client's.
            repeat: Whether a second send can do harm; SAFE for GET, IF_UNSENT otherwise.

        Returns:
            The decoded answer.

        Raises:
            OngageError: As every call.

        Cost: 1 call, lane NORMAL.
        """
        default = Repeat.SAFE if method.upper() == "GET" else Repeat.IF_UNSENT
        operation = Operation("request", method.upper(), route, repeat or default, list_in=ListIn.ROUTE)
        return await self._caller.call(operation, path=path, query=params, body=json, list_id=list_id)

    def outbox(
        self, url: str, *, is_sender: bool = True, keep_s: float = 86400.0, lease_s: float = 30.0
    ) -> "outbox.Outbox":
        """Return an outbox: calls that must not be lost while the account is paused or the process is restarted.

        Use it as ``async with ongage.outbox("sqlite:///var/lib/app/outbox.db") as outbox``, inside the client's block.
        What is put there takes this view's list, lane and tenant; back-off goes by its `retry`, again and again.

        Args:
            url: ``sqlite:///absolute/path`` for one machine's processes, ``redis://host:6379/0`` for many machines.
            is_sender: Whether this process sends, too; a web server may leave that to a worker.
            keep_s: How long settled entries, and their keys, are kept. Uncertain ones stay until a person decides.
            lease_s: On Redis: a sender that was silent for so long counts as dead. A file needs no such guess.

        Raises:
            ConfigurationError: The URL or a number is wrong.
        """
        from ongage_async.outbox import Outbox  # here: who keeps nothing pays nothing

        return Outbox(url, self._engine, self._options, is_sender=is_sender, keep_s=keep_s, lease_s=lease_s)

    # -- looking on ---------------------------------------------------------------------------------------------------

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` told what happens to calls and to the account, from now until the client is closed.

        Args:
            listener: Called with each record of `ongage_async.events`, in the task in which it happens; must be quick.

        Returns:
            A function that ends it sooner.
        """
        return self._engine.listener.add(listener)

    def explain(self, call_id: str) -> Explanation:
        """Say where the time of a call went; `str` of the answer is a sentence.

        Args:
            call_id: From an error (`call_id`), a log line, an event or a span; a call that is under way may be asked
                for as well.

        Raises:
            ConfigurationError: The client was made without `explain=`.
            InvalidInputError: The call is not among those that are remembered.

        Cost: no call.
        """
        return self._engine.explain(call_id)

    def explanations(self) -> list[Explanation]:
        """Return all calls that are remembered, in the order of their ends, and then those under way.

        ``max(ongage.explanations(), key=lambda call: call.elapsed_s)`` is the slowest. Empty without `explain=`.

        Cost: no call.
        """
        return [] if self._engine.explanations is None else self._engine.explanations.all()

    # -- coming and going ---------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Let open calls end, close our connections, and let go of the governor if it is ours."""
        await self._engine.aclose()
        await self._elsewhere.aclose()
        self._engine.listener.close()
        if self._owns_governor:
            await self.governor.aclose()

    async def __aenter__(self) -> Self:
        await self.governor.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @cached_property
    def _caller(self) -> Bound:
        return Bound(self._engine, self._options)

    def __repr__(self) -> str:
        return f"OngageClient(base_url={self._base_url!r}, list_id={self._options.list_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an OngageClient is not pickled: make one in the other process, sharing a governor URL")


def account_key(base_url: str, account: str) -> str:
    """Return what names an account in a ledger: a hash of host and account, never a secret."""
    host = urlsplit(base_url).hostname or ""
    return hashlib.sha256(f"{host}|{account}".encode()).hexdigest()[:32]


def _checked(base_url: str) -> str:
    """Return a base URL without its last slash; a password must not travel to the vendor in the clear."""
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError("base_url must look like https://api.ongage.net")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError("base_url must hold no user, password, query or fragment")
    vendor = parts.hostname.endswith(("ongage.net", "ongage.com", "ongage.io"))
    if parts.scheme == "http" and vendor:
        raise ConfigurationError(f"base_url: use https://{parts.hostname}, or the credentials travel in the clear")
    return base_url.rstrip("/")
