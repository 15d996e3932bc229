"""The ways to make a call that are measured against each other, each behind one small door: two calls to make.

Peers that are not installed are left out.
"""

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import httpx
from aiolimiter import AsyncLimiter
from attrs import frozen

from benchmarks.canned import Vendor
from ongage_async import Credentials, Limits, OngageClient

__all__ = ["PARALLEL", "WAYS", "Calls", "Way"]

PARALLEL = 10
HEADERS = {"X_USERNAME": "user@doe.com", "X_PASSWORD": "password", "X_ACCOUNT_CODE": "code"}
GET, POST = "/7/api/contacts/by_email/john%40doe.com", "/7/api/v2/contacts"
ROWS = [{"email": f"person{number}@doe.com", "first_name": "John", "last_name": "Doe"} for number in range(100)]
BODY = [
    {"email": row["email"], "overwrite": True, "fields": {key: row[key] for key in ("first_name", "last_name")}}
    for row in ROWS
]


class Calls(NamedTuple):
    """Read one contact; create a hundred."""

    get_by_email: Callable[[], Awaitable[Any]]
    create: Callable[[], Awaitable[Any]]


@frozen
class Way:
    """One way to call.

    Attributes:
        name: As in the table.
        open: Makes the calls, to a URL of the vendor's.
        twin: The way that it is compared with.
        loop: Event loop.
        is_tls: Whether it goes to the vendor's TLS port.
    """

    name: str
    open: Callable[[str, Vendor], AbstractAsyncContextManager[Calls]]
    twin: str = "what users write today"
    loop: str = "asyncio"
    is_tls: bool = False


@asynccontextmanager
async def _ours(url: str, vendor: Vendor) -> AsyncIterator[Calls]:
    async with OngageClient(
        Credentials("user@doe.com", "password", "code"),
        base_url=url,
        list_id=7,
        limits=Limits(calls=10_000_000, parallel=PARALLEL),
        ssl_context=vendor.trust,
    ) as ongage:
        yield Calls(
            lambda: ongage.contacts.get_by_email("john@doe.com"),
            lambda: ongage.contacts.create(ROWS, overwrite=True),
        )


@asynccontextmanager
async def _today(url: str, vendor: Vendor) -> AsyncIterator[Calls]:
    places, window = asyncio.Semaphore(PARALLEL), AsyncLimiter(10_000_000, 60.0)

    async def request(method: str, path: str, body: Any = None) -> Any:
        async with places, window:
            response = await client.request(method, path, json=body)
        return response.json()

    async with httpx.AsyncClient(base_url=url, headers=HEADERS, verify=vendor.trust, trust_env=False) as client:
        yield Calls(lambda: request("GET", GET), lambda: request("POST", POST, BODY))


def _bare(library: str) -> Callable[[str, Vendor], AbstractAsyncContextManager[Calls]]:
    @asynccontextmanager
    async def opened(url: str, vendor: Vendor) -> AsyncIterator[Calls]:
        stack = importlib.import_module(library)
        limits = stack.Limits(max_connections=PARALLEL, max_keepalive_connections=PARALLEL)
        options = {"verify": vendor.trust, "limits": limits, "trust_env": False}
        async with stack.AsyncClient(base_url=url, headers=HEADERS, **options) as client:
            yield _calls_of(client)

    return opened


@asynccontextmanager
async def _httpx_aiohttp(url: str, vendor: Vendor) -> AsyncIterator[Calls]:
    limits = httpx.Limits(max_connections=PARALLEL, max_keepalive_connections=PARALLEL)
    made = importlib.import_module("httpx_aiohttp").AiohttpTransport(verify=vendor.trust, limits=limits)
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, transport=made) as client:
        yield _calls_of(client)


def _calls_of(client: Any) -> Calls:
    async def request(method: str, path: str, body: Any = None) -> Any:
        return (await client.request(method, path, json=body)).json()

    return Calls(lambda: request("GET", GET), lambda: request("POST", POST, BODY))


@asynccontextmanager
async def _aiohttp(url: str, vendor: Vendor) -> AsyncIterator[Calls]:
    aiohttp = importlib.import_module("aiohttp")

    async def request(method: str, path: str, body: Any = None) -> Any:
        async with session.request(method, path, json=body) as response:
            return await response.json()

    connector = aiohttp.TCPConnector(limit=PARALLEL, ssl=vendor.trust)
    async with aiohttp.ClientSession(url, headers=HEADERS, connector=connector) as session:
        yield Calls(lambda: request("GET", GET), lambda: request("POST", POST, BODY))


@asynccontextmanager
async def _pyreqwest(url: str, vendor: Vendor) -> AsyncIterator[Calls]:  # noqa: ARG001 - the door's
    builder = importlib.import_module("pyreqwest.client").ClientBuilder()
    async with builder.base_url(url).default_headers(HEADERS).max_connections(PARALLEL).build() as client:

        async def get() -> Any:
            return await (await client.get(GET).build().send()).json()

        async def create() -> Any:
            return await (await client.post(POST).body_json(BODY).build().send()).json()

        yield Calls(get, create)


_WAYS = [
    Way("ongage_async", _ours),
    Way("ongage_async, TLS", _ours, "what users write today, TLS", is_tls=True),
    Way("ongage_async, trio", _ours, loop="trio"),
    Way("ongage_async, uvloop", _ours, "what users write today, uvloop", loop="uvloop"),
    Way("what users write today", _today),
    Way("what users write today, TLS", _today, "what users write today, TLS", is_tls=True),
    Way("what users write today, uvloop", _today, "what users write today, uvloop", loop="uvloop"),
    Way("bare httpx", _bare("httpx")),
    Way("bare httpx, trio", _bare("httpx"), loop="trio"),
    Way("bare httpx2", _bare("httpx2")),
    Way("bare httpx-aiohttp", _httpx_aiohttp),
    Way("bare aiohttp", _aiohttp),
    Way("bare pyreqwest", _pyreqwest),
]
_NEEDS = {
    "bare httpx2": "httpx2",
    "bare httpx-aiohttp": "httpx_aiohttp",
    "bare aiohttp": "aiohttp",
    "bare pyreqwest": "pyreqwest",
}
WAYS = [
    way
    for way in _WAYS
    if find_spec(_NEEDS.get(way.name, "httpx")) and (way.loop == "asyncio" or find_spec(way.loop) is not None)
]
