"""Fixtures for all rooms: event loops in real and in virtual time."""

import signal
from collections.abc import Callable
from typing import Any, TypeVar

import anyio.lowlevel
import anyio.to_thread
import pytest
import trio.testing
from hypothesis import settings

from ongage_async.emulator.virtual_time import VirtualTimeLoop

pytest_plugins = ["ongage_async.pytest_plugin"]

# How long one example takes is the machine's doing: one that stands still for a moment must not turn a test red.
settings.register_profile("unhurried", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("unhurried")

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would all processes that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _virtual(backend: str) -> tuple[str, dict[str, Any]]:
    if backend == "trio":
        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Run a test marked `anyio` on both event loops; in virtual time if it is marked `virtual_time` too."""
    if request.node.get_closest_marker("virtual_time"):
        return _virtual(request.param)
    return request.param


@pytest.fixture
def threads_take_no_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do a thread's work on the spot: beside it virtual time would run on, the farther the slower the machine is."""
    if "anyio_backend" in request.fixturenames:  # else a test runs a loop of its own
        monkeypatch.setattr(anyio.to_thread, "run_sync", _at_once)


T = TypeVar("T")


async def _at_once(work: Callable[..., T], *args: Any, **_: Any) -> T:
    await anyio.lowlevel.checkpoint()
    return work(*args)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures that tests have recorded by ``record_property("figure", ...)``."""
    passed = terminalreporter.stats.get("passed", [])
    figures = [text for report in passed for name, text in report.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("figures")
        for text in figures:
            terminalreporter.line(text)
