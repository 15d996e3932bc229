"""What several test rooms need: the library's credentials from an emulator, and clients for it."""

from typing import Any

import pytest

from ongage_async import Credentials, Governor, Limits, OngageClient
from ongage_async.emulator import Emulator


def credentials_of(emulator: Emulator) -> Credentials:
    made = emulator.credentials
    return Credentials(made.username, made.password, made.account_code)


def client_of(emulator: Emulator, *, limits: Limits | None = None, **options: Any) -> OngageClient:
    """Make a client for an emulator; with limits that do not hinder a test unless it names some."""
    options.setdefault("governor", Governor(limits or Limits(calls=1_000_000, parallel=10)))
    return OngageClient(credentials_of(emulator), base_url=emulator.url, **options)


def reaches(measured: float, goal: float, what: str) -> None:
    """Hold a measured speed against its goal; falling short is shown with its figure as an expected failure.

    For speeds of real processes only, which a busy machine slows down. What must never happen is asserted.
    """
    if measured < goal:
        pytest.xfail(f"{what}: {measured:.3f} of the goal {goal}")
