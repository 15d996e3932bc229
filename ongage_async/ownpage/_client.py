"""The front door of the second vendor: `OwnpageClient`, its options, and the families of the API as attributes.

It joins credentials, governors, transport and engine, and does nothing itself.
"""

import hashlib
import ssl
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import attrs

from ongage_async._engine import Engine, Options
from ongage_async._explain import Explanation, Explanations
from ongage_async._retry import RetryPolicy
from ongage_async._transport import HTTPClient, Transport
from ongage_async.config import Lane, Limits
from ongage_async.errors import ConfigurationError
from ongage_async.events import Listener, Listeners
from ongage_async.governor import Governor, from_url
from ongage_async.ownpage._credentials import OwnpageCredentials, OwnpageToken, from_env
from ongage_async.ownpage._session import Session
from ongage_async.ownpage._tokens import Pocket, Tokens, TokenTransport
from ongage_async.ownpage.events import Events
from ongage_async.ownpage.exports import Exports
from ongage_async.ownpage.files import Files
from ongage_async.ownpage.form import FORM_LIMITS, SubscribeForm
from ongage_async.ownpage.legacy import Legacy
from ongage_async.ownpage.lists import Counts, Lists
from ongage_async.ownpage.subscribers import Subscribers
from ongage_async.ownpage.transactional import Templates, Transactional

__all__ = ["OwnpageClient"]

DEFAULT_BASE_URL = "https://services.ownpage.fr/v1"

_UNSET: Any = object()


class OwnpageClient:
    """Talk to one Ownpage account.

    Use it as ``async with OwnpageClient(...) as ownpage``, on asyncio or trio. It has a budget of its own, apart from
    any `OngageClient`'s. A token is got when the first call needs one; when the vendor says that it is old, one new
    token is got for all calls that wait, and each is sent once more.

    Args:
        credentials: `OwnpageCredentials`; or a token, as text or `OwnpageToken`, which cannot be renewed.
        base_url: Scheme, host and version.
        list_id: The list of calls that name none; None: each call names its own.
        governor: None for one of its own in this process, a `Governor` to share between clients of *this* account, or a
            ledger's URL, of another place than Ongage's.
        limits: What the account allows: no limit is documented, so 300 a minute and 10 in parallel are *assumed*.
        form_governor: The same for the subscribe form, 5 a minute; share one between clients behind one address.
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
        credentials: OwnpageCredentials | OwnpageToken | str,
        *,
        base_url: str | None = None,
        list_id: int | None = None,
        governor: Governor | str | None = None,
        limits: Limits | None = None,
        form_governor: Governor | None = None,
        retry: RetryPolicy | None = None,
        http_client: HTTPClient | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timeout_s: float = 60.0,
        on_event: Listener | None = None,
        explain: int = 0,
    ) -> None:
        known = OwnpageToken(credentials) if isinstance(credentials, str) else credentials
        if not isinstance(known, OwnpageCredentials | OwnpageToken):
            raise ConfigurationError("credentials must be OwnpageCredentials(...) or a token")
        if isinstance(governor, Governor) and limits is not None:
            raise ConfigurationError("give limits= to the Governor, not to the client that uses it")
        self._base_url = _checked(base_url or DEFAULT_BASE_URL)
        self._options = Options(retry=retry or RetryPolicy(), timeout_s=timeout_s, list_id=list_id)
        self._owned: list[Governor] = []
        self._account = _account_key(self._base_url, known)
        self.governor = self._own(governor, limits)
        self.form_governor = form_governor or self._own(None, FORM_LIMITS)
        pocket = Pocket(known, keeps=True) if isinstance(known, OwnpageToken) else Pocket()
        transport = TokenTransport(self._base_url, {}, http_client, ssl_context, pocket=pocket)
        explanations = Explanations.of(explain)
        told = Listeners(also=(self.governor.listen, self.form_governor.listen))
        self._engine = Engine(transport, self.governor, told, account=self._account, explanations=explanations)
        self._form_engine = attrs.evolve(
            self._engine,
            transport=Transport(self._base_url, {}, http_client, ssl_context),
            governor=self.form_governor,
        )
        self._tokens = Tokens(
            self._engine, pocket, known if isinstance(known, OwnpageCredentials) else None, attrs.evolve(self._options)
        )
        self._outlive(timeout_s)
        for listener in (explanations, on_event):
            if listener is not None:
                self.listen(listener)

    @classmethod
    def from_env(cls, **overrides: Any) -> Self:
        """Make a client from ``OWNPAGE_*`` variables.

        Reads ``OWNPAGE_USERNAME`` and ``OWNPAGE_API_KEY``, or ``OWNPAGE_TOKEN``; and ``OWNPAGE_BASE_URL``,
        ``OWNPAGE_LIST_ID``, ``OWNPAGE_GOVERNOR``, ``OWNPAGE_CALLS_PER_MINUTE``, ``OWNPAGE_PARALLEL``.

        Args:
            overrides: Arguments of `OwnpageClient` that win over the environment.

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
            max_wait_s: Seconds after the start of a call beyond which it does not wait to be sent; what cannot be met
                is refused at once with `retry_after_s`. None: as long as needed.
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
        view = object.__new__(type(self))
        view._base_url, view._account = self._base_url, self._account
        view._owned = []
        view.governor, view.form_governor = self.governor, self.form_governor
        view._engine, view._form_engine, view._tokens = self._engine, self._form_engine, self._tokens
        view._options = attrs.evolve(self._options, **{k: v for k, v in given.items() if v is not _UNSET})
        if timeout_s is not _UNSET:
            self._outlive(timeout_s)
        return view

    # -- the families of the API --------------------------------------------------------------------------------------

    @cached_property
    def lists(self) -> Lists:
        """Subscriber lists."""
        return Lists(self._session, self._engine.listener)

    @cached_property
    def subscribers(self) -> Subscribers:
        """Subscribers of a list."""
        return Subscribers(self._session, self._engine.listener)

    @cached_property
    def counts(self) -> Counts:
        """How many subscribers a list has."""
        return Counts(self._session, self._engine.listener)

    @cached_property
    def files(self) -> Files:
        """Imports of files."""
        return Files(self._session, self._engine.listener)

    @cached_property
    def events(self) -> Events:
        """What happened to newsletters."""
        return Events(self._session, self._engine.listener)

    @cached_property
    def exports(self) -> Exports:
        """How campaigns did."""
        return Exports(self._session, self._engine.listener)

    @cached_property
    def templates(self) -> Templates:
        """Templates of transactional emails."""
        return Templates(self._session, self._engine.listener)

    @cached_property
    def transactional(self) -> Transactional:
        """Transactional emails."""
        return Transactional(self._session, self._engine.listener)

    @cached_property
    def form(self) -> SubscribeForm:
        """The public subscribe form, with its own budget."""
        return SubscribeForm(Session(self._form_engine, self._options), self._form_engine.listener)

    @cached_property
    def legacy(self) -> Legacy:
        """Deprecated calls without a list."""
        return Legacy(self._session, self._engine.listener)

    async def create_token(self) -> OwnpageToken:
        """Make a token for a program that shall not have the key; this client's own is made by itself.

        Raises:
            AuthenticationError: The vendor refuses the customer id or the key.
            ConfigurationError: This client has only a token itself.

        Cost: 1 call, lane URGENT.
        Repeat: SAFE: a second one is another token.
        Source: vendor page §5 #1 (vendor doc); the key goes into the body and never into the URL (§6.1 #19).
        """
        return await self._tokens.create()

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
        """Say where the time of a call went; see `OngageClient.explain`.

        Args:
            call_id: From an error (`call_id`), a log line, an event or a span.

        Raises:
            ConfigurationError: The client was made without `explain=`.
            InvalidInputError: The call is not among those that are remembered.

        Cost: no call.
        """
        return self._engine.explain(call_id)

    def explanations(self) -> list[Explanation]:
        """Return all calls that are remembered; see `OngageClient.explanations`.

        Cost: no call.
        """
        return [] if self._engine.explanations is None else self._engine.explanations.all()

    # -- coming and going ---------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Let open calls end, close our connections, and let go of the governors that are ours."""
        await self._tokens.aclose()
        await self._engine.aclose()
        await self._form_engine.aclose()
        self._engine.listener.close()
        while self._owned:
            await self._owned.pop().aclose()

    async def __aenter__(self) -> Self:
        await self.governor.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @cached_property
    def _session(self) -> Session:
        return Session(self._engine, self._options, self._tokens, self._account)

    def _own(self, governor: Governor | str | None, limits: Limits | None) -> Governor:
        if isinstance(governor, Governor):
            return governor
        made = from_url(governor, limits, account_key=self._account)
        self._owned.append(made)
        return made

    def _outlive(self, timeout_s: float) -> None:
        self.governor.outlive(timeout_s)
        self.form_governor.outlive(timeout_s)

    def __repr__(self) -> str:
        return f"OwnpageClient(base_url={self._base_url!r}, list_id={self._options.list_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an OwnpageClient is not pickled: make one in the other process, sharing a governor URL")


def _account_key(base_url: str, known: OwnpageCredentials | OwnpageToken) -> str:
    """Return what names an account in a ledger: a hash. Tokens come and go, so all that come alone share one."""
    who = known.username if isinstance(known, OwnpageCredentials) else ""
    return hashlib.sha256(f"ownpage|{urlsplit(base_url).hostname}|{who}".encode()).hexdigest()[:32]


def _checked(base_url: str) -> str:
    """Return a base URL without its last slash; a key must not travel to the vendor in the clear."""
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(f"base_url must look like {DEFAULT_BASE_URL}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError("base_url must hold no user, password, query or fragment")
    if parts.scheme == "http" and parts.hostname.endswith("ownpage.fr"):
        raise ConfigurationError(f"base_url: use https://{parts.hostname}, or the key travels in the clear")
    return base_url.rstrip("/")
