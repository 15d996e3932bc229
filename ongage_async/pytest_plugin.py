"""A pytest fixture for users of the library: ``ongage_emulator``, started anew for every test.

Registered by the entry point ``pytest11``; nothing else is imported until a test asks for the fixture.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ongage_async.emulator import Emulator


@pytest.fixture
def ongage_emulator() -> "Iterator[Emulator]":
    """Serve an emulator over loopback sockets for one test."""
    from ongage_async.emulator import Emulator

    with Emulator() as emulator:
        yield emulator
