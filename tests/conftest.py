"""Fixtures for all rooms: event loops in real and in virtual time."""

from typing import Any

import pytest
import trio.testing

from ongage_async.emulator.virtual_time import VirtualTimeLoop

pytest_plugins = ["ongage_async.pytest_plugin"]


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures that tests have recorded by ``record_property("figure", ...)``."""
    passed = terminalreporter.stats.get("passed", [])
    figures = [text for report in passed for name, text in report.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("figures")
        for text in figures:
            terminalreporter.line(text)
