"""A client and an emulator that talk over real sockets, and what the server read of it."""

import json
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from attrs import define, field

from ongage_async import Governor, Limits, OngageClient
from ongage_async.emulator import Emulator, Readings
from tests.support import client_of

TRUST: ssl.SSLContext = httpx.create_ssl_context()  # made once: it costs more than most tests
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@define
class Sent:
    """One request as the server read it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    client: tuple[str, int]
    raw: bytearray = field(factory=bytearray)

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None


@define(eq=False)
class Wire:
    """Stand between the sockets and the emulator's app, and note every request."""

    app: Any
    sent: list[Sent] = field(factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
        noted = Sent(scope["method"], scope["raw_path"].decode(), query, headers, tuple(scope["client"]))
        self.sent.append(noted)

        async def listen() -> Any:
            message = await receive()
            noted.raw += message.get("body", b"")
            return message

        await self.app(scope, listen, send)

    @property
    def last(self) -> Sent:
        return self.sent[-1]

    @property
    def connections(self) -> int:
        return len({sent.client for sent in self.sent})


@pytest.fixture(autouse=True)
def _no_proxy_but_a_tests_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def readings() -> Readings:
    """How the emulator reads the vendor's silence; files override this with their own set."""
    return Readings()


@pytest.fixture
def emulator(readings: Readings) -> Iterator[Emulator]:
    """Serve over sockets, without limits, imports as fast as the machine."""
    made = Emulator(readings=readings, calls=None, parallel=None)
    made.app = Wire(made.app)  # type: ignore[assignment]
    made.imports.queued_s = made.imports.validating_s = made.imports.stats_s = 0.002
    with made:
        yield made


@pytest.fixture
def wire(emulator: Emulator) -> Wire:
    return emulator.app  # type: ignore[return-value]


@pytest.fixture
def own_list(emulator: Emulator) -> Any:
    return emulator.state.default_list


@pytest.fixture
async def ongage(emulator: Emulator) -> AsyncIterator[OngageClient]:
    async with client_of(emulator, ssl_context=TRUST) as client:
        yield client


@pytest.fixture
def inside() -> Emulator:
    """An emulator without sockets, on the test's own clock; for tests marked `virtual_time`."""
    return Emulator(calls=None, parallel=None, epoch=1_700_000_000.0)


@pytest.fixture
async def ongage_inside(inside: Emulator) -> AsyncIterator[OngageClient]:
    async with (
        inside.http_client() as http_client,
        client_of(inside, http_client=http_client, governor=Governor(Limits(calls=100_000, parallel=10))) as client,
    ):
        yield client
