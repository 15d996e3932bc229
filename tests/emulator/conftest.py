"""Emulators for the tests: over sockets, and in process on both loops with virtual time."""

import anyio
import httpx
import pytest
from trio.testing import MockClock

from ongage_async.emulator import Emulator
from ongage_async.emulator.virtual_time import VirtualTimeLoop


@pytest.fixture
def emulator():
    with Emulator() as served:
        yield served


@pytest.fixture
def client(emulator):
    with httpx.Client(
        base_url=emulator.url, headers=emulator.credentials.headers(), trust_env=False, verify=False
    ) as made:
        yield made


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    if request.param == "asyncio":
        return "asyncio", {"loop_factory": VirtualTimeLoop}
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
def inside():
    """Return an emulator that is reached without sockets, on the virtual clock of the test's loop."""
    return Emulator(epoch=1_700_000_000.0)


@pytest.fixture
def drop():
    """Return an ASGI app that serves files from a dictionary, path to bytes, and counts fetches."""
    return FileDrop()


class FileDrop:
    def __init__(self):
        self.files = {}
        self.fetched = []

    async def __call__(self, scope, receive, send):
        self.fetched.append(scope["path"])
        body = self.files.get(scope["path"])
        await send({"type": "http.response.start", "status": 404 if body is None else 200, "headers": []})
        await send({"type": "http.response.body", "body": body or b""})


HOST = "https://drop.test"
DONE = (40003, 90001, 90008)


class Account:
    """Talk to one emulator in process, with a file drop beside it."""

    def __init__(self, emulator, drop):
        self.emulator, self.drop = emulator, drop
        emulator.mount_fetch(HOST, drop)
        emulator.limits.calls = None
        self.client = emulator.http_client()

    async def create(self, content=b"", **body):
        name = f"/file{len(self.drop.files)}.csv"
        self.drop.files[name] = content.encode() if isinstance(content, str) else content
        return await self.client.post("/api/import", json={"file_url": HOST + name, "csv_delimiter": ",", **body})

    async def get(self, number):
        return (await self.client.get(f"/api/import/{number}")).json()["payload"]

    async def run(self, content=b"", **body):
        number = (await self.create(content, **body)).json()["payload"]["id"]
        while True:
            shown = await self.get(number)
            if shown["status"] in DONE:
                return shown
            await anyio.sleep(0.01)

    def contact(self, email="john@doe.com"):
        return self.emulator.state.default_list.contact(email)


@pytest.fixture
def account(inside, drop):
    return Account(inside, drop)
