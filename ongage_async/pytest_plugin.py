"""Fixtures for users of the library: an emulated account for every test, a client of it, and time that jumps.

Registered by the entry point ``pytest11``; nothing heavy is imported until a test asks for a fixture. They are plain
fixtures, so they work under pytest-asyncio, anyio's plugin, pytest-trio and in tests that are not asynchronous.
"""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from ongage_async import OngageClient
    from ongage_async.emulator import Emulator, Faults


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known: ``@pytest.mark.ongage(calls=20, parallel=3)``."""
    config.addinivalue_line("markers", "ongage(**settings): arguments of the Emulator that the fixtures make")


@pytest.fixture
def ongage_emulator(request: pytest.FixtureRequest) -> "Iterator[Emulator]":
    """Serve an emulated account over loopback sockets for one test."""
    with _emulator(request) as emulator:
        yield emulator


@pytest.fixture
def ongage_faults(ongage_emulator: "Emulator") -> "Faults":
    """Make calls of `ongage_emulator` fail: ``ongage_faults.add("contacts.*", Fault.status(503), times=1)``."""
    return ongage_emulator.faults


@pytest.fixture
def ongage_client(ongage_emulator: "Emulator") -> "OngageClient":
    """Make a client of `ongage_emulator` with its limits; open it: ``async with ongage_client as ongage``."""
    return _client(ongage_emulator)


@pytest.fixture
def ongage_env(ongage_emulator: "Emulator", monkeypatch: pytest.MonkeyPatch) -> "Emulator":
    """Point the environment at `ongage_emulator`, for code that calls `OngageClient.from_env`."""
    import os

    known, limits = ongage_emulator.credentials, ongage_emulator.limits
    for name in [name for name in os.environ if name.startswith("ONGAGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ONGAGE_USERNAME", known.username)
    monkeypatch.setenv("ONGAGE_PASSWORD", known.password)
    monkeypatch.setenv("ONGAGE_ACCOUNT_CODE", known.account_code)
    monkeypatch.setenv("ONGAGE_BASE_URL", ongage_emulator.url)
    if limits.per_s == 60.0 and limits.calls is not None:
        monkeypatch.setenv("ONGAGE_CALLS_PER_MINUTE", str(limits.calls))
    if limits.parallel is not None:
        monkeypatch.setenv("ONGAGE_PARALLEL", str(limits.parallel))
    return ongage_emulator


@pytest.fixture
def ongage_virtual_time(request: pytest.FixtureRequest) -> "VirtualTime":
    """Run code against an emulated account, both on a clock that jumps: an hour of back-off in milliseconds.

    Its answers take 50 ms, unless the marker says otherwise.
    """
    return VirtualTime(_emulator(request, latency=0.05))


class VirtualTime:
    """An emulated account without sockets, and an event loop whose time jumps to the next timer.

    Attributes:
        emulator: The account, with its faults and its witness.
        elapsed_s: Virtual seconds that the last `run` took.
    """

    def __init__(self, emulator: "Emulator") -> None:
        self.emulator = emulator
        self.elapsed_s = 0.0

    def run(self, main: "Callable[[OngageClient], Awaitable[Any]]", **options: Any) -> Any:
        """Run an async function with an open client; return what it returns.

        Args:
            main: The function; what it waits for takes no time. Threads, processes and sockets do take theirs, and
                the clock jumps over it.
            **options: Arguments of `OngageClient`.
        """
        from ongage_async.emulator.virtual_time import run

        async def whole() -> Any:
            import asyncio

            loop = asyncio.get_running_loop()
            async with self.emulator.http_client() as http_client:
                client = _client(self.emulator, http_client=http_client, **options)
                began = loop.time()
                async with client as ongage:
                    try:
                        return await main(ongage)
                    finally:
                        self.elapsed_s = loop.time() - began

        return run(whole)


def _emulator(request: pytest.FixtureRequest, **settings: Any) -> "Emulator":
    """Make an emulator with the settings of the markers; the nearest one wins."""
    from ongage_async.emulator import Emulator

    for mark in reversed(list(request.node.iter_markers("ongage"))):
        settings |= mark.kwargs
    return Emulator(**settings)


def _client(emulator: "Emulator", **options: Any) -> "OngageClient":
    from ongage_async import Credentials, Limits, OngageClient

    known, allowed = emulator.credentials, emulator.limits
    if "governor" not in options and None not in (allowed.calls, allowed.parallel):
        options.setdefault("limits", Limits(allowed.calls or 0, allowed.per_s, allowed.parallel or 0))
    credentials = Credentials(known.username, known.password, known.account_code)
    return OngageClient(credentials, base_url=emulator.url, **options)
