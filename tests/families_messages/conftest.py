"""The client and the emulator over real sockets, as in `tests/client`, and messages to send."""

import json
from typing import Any

import pytest

from ongage_async.emulator import Emulator
from tests.client.conftest import (  # noqa: F401  # fixtures
    Wire,
    _no_proxy_but_a_tests_own,
    emulator,
    inside,
    ongage,
    ongage_inside,
    own_list,
    readings,
    wire,
)


@pytest.fixture
def home(emulator: Emulator) -> int:  # noqa: F811
    return emulator.default_list_id


@pytest.fixture
def messages(emulator: Emulator) -> Any:  # noqa: F811
    """What the emulator remembers of these families; email 27 is there."""
    emulator.state.messages.add_email(27, name="hello", subject="Hi", content_html="<p>", list_id=60299)
    return emulator.state.messages


def raw(body: Any) -> bytes:
    return json.dumps(body).encode()
