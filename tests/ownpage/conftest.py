"""A client of Ownpage and its emulator that talk over real sockets, and what the server read of it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ongage_async import Governor, Limits, OwnpageClient, OwnpageCredentials
from ongage_async.emulator.ownpage import OwnpageEmulator, OwnpageReadings
from tests.client.conftest import TRUST, Wire


@pytest.fixture
def readings() -> OwnpageReadings:
    """How the emulator reads the vendor's silence; files override this with their own set."""
    return OwnpageReadings()


@pytest.fixture
def emulator(readings: OwnpageReadings) -> Iterator[OwnpageEmulator]:
    """Serve over sockets, files as fast as the machine."""
    made = OwnpageEmulator(readings=readings)
    made.app = Wire(made.app)  # type: ignore[assignment]
    made.files.queued_s, made.files.fetch_s = 0.0, 0.002
    with made:
        yield made


@pytest.fixture
def wire(emulator: OwnpageEmulator) -> Wire:
    return emulator.app  # type: ignore[return-value]


@pytest.fixture
def own_list(emulator: OwnpageEmulator) -> Any:
    return emulator.state.first_list


def credentials_of(emulator: OwnpageEmulator) -> OwnpageCredentials:
    return OwnpageCredentials(emulator.customer.username, emulator.customer.api_key)


def client_of(emulator: OwnpageEmulator, **options: Any) -> OwnpageClient:
    """Make a client for an emulator, with limits that do not hinder a test."""
    options.setdefault("governor", Governor(Limits(calls=1_000_000, parallel=10)))
    options.setdefault("list_id", emulator.state.first_list_id)
    options.setdefault("ssl_context", TRUST)
    options.setdefault("credentials", credentials_of(emulator))
    return OwnpageClient(base_url=emulator.url, **options)


@pytest.fixture
async def ownpage(emulator: OwnpageEmulator) -> AsyncIterator[OwnpageClient]:
    async with client_of(emulator) as client:
        yield client
