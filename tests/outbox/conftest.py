"""Fixtures of the outbox: the stores, an emulator that has a message, and a client for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ongage_async.emulator import Emulator
from tests.outbox.exam import STORES, Exam, outbox_url
from tests.outbox.worker import MESSAGE


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    """Every store."""
    return request.param


@pytest.fixture
def url(kind: str, tmp_path: Path) -> Iterator[str]:
    with outbox_url(kind, tmp_path) as found:
        yield found


@pytest.fixture
def exam(kind: str, url: str) -> Iterator[Exam]:
    made = Exam(kind, url)
    yield made
    made.close()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(calls=None, parallel=None) as made:
        made.state.messages.add_email(MESSAGE, subject="Your receipt", content_html="<p>Thank you.</p>")
        yield made
